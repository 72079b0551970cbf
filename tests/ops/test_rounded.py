"""What XLA keeps for gradients in half precision takes half the bytes."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_mmfusion.layers.feed_forward import FeedForward
from keras_mmfusion.layers.layer_norm import LayerNorm
from keras_mmfusion.layers.lstm import LSTM
from keras_mmfusion.layers.uniform_dropout import UniformDropout
from keras_mmfusion.ops.rounded import rounded
from tests.backend import numpy_of

SHAPE = (8, 100, 40)
ELEMENTS = 8 * 100 * 40


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
def test_values_and_type_are_those_of_the_input(dtype):
    x = ops.cast(np.random.default_rng(0).normal(size=(2, 3)), dtype)
    y = rounded(x)
    assert keras.backend.standardize_dtype(y.dtype) == dtype
    found, expected = (numpy_of(ops.cast(t, "float32")) for t in (y, x))
    np.testing.assert_array_equal(found, expected)


def kept_bytes(block, policy):
    """Per element of x and layer, in a chain of layers of a kind."""
    import jax

    x = jax.numpy.zeros(SHAPE, policy.removeprefix("mixed_"))

    def planned(count):
        layers = [block(policy) for _ in range(count)]
        for layer in layers:
            layer.build(SHAPE)

        def loss(x):
            for layer in layers:
                x = layer(x, training=True)
            return x.astype("float32").sum()

        plan = jax.jit(jax.grad(loss)).lower(x).compile().memory_analysis()
        return plan.temp_size_in_bytes

    return (planned(6) - planned(2)) / (4 * ELEMENTS)


class Residual(keras.layers.Layer):
    """x + dropout(LN(x))."""

    def build(self, shape):
        self.norm = LayerNorm(dtype=self.dtype_policy)
        self.norm.build(shape)
        self.dropout = UniformDropout(0.5, dtype=self.dtype_policy)
        self.built = True

    def call(self, inputs, training=None):
        y = self.norm(inputs, training=training)
        return inputs + self.dropout(y, training=training)


@pytest.mark.once("jax")
@pytest.mark.parametrize(
    ("policy", "limit"), [("float32", 4.5), ("mixed_bfloat16", 2.5)]
)
def test_a_residual_block(policy, limit):
    """In half precision once 6.2: a sum in float32, and a mask of dropout."""
    assert kept_bytes(lambda p: Residual(dtype=p), policy) < limit


@pytest.mark.once("jax")
@pytest.mark.parametrize(
    ("policy", "limit"), [("float32", 4.5), ("mixed_bfloat16", 3.8)]
)
def test_a_feed_forward_block_keeps_no_normalised_values(policy, limit):
    """In half precision once 4.2; in float32 XLA makes them again itself."""
    assert kept_bytes(lambda p: FeedForward(0.1, dtype=p), policy) < limit


@pytest.mark.once("jax")
@pytest.mark.parametrize(
    ("policy", "limit"), [("float32", 42), ("mixed_bfloat16", 20)]
)
def test_slopes_of_an_lstm_are_not_kept(policy, limit):
    """They are as large as seven outputs, and are made with the gradient."""

    def block(policy):
        return LSTM(40, return_sequences=True, dtype=policy)

    assert kept_bytes(block, policy) < limit
