"""Outputs and gradients against automatic differentiation with all maps."""

import weakref

import keras
import numpy as np
import pytest
from keras import ops

from keras_mmfusion.ops import recomputed_attention as module
from keras_mmfusion.ops.attention import masked_softmax, products, weighted_sums
from keras_mmfusion.ops.map_dropout import kept, map_seeds
from tests.backend import input_gradients, numpy_of, relative_error

BATCH, HEADS, STEPS, KEYS = 3, 2, 4, 5
MASK = np.arange(KEYS) < np.array([[5], [3], [1]])
RATE, MIX, STATE = 0.3, 0.4, np.array([5, 1], "int32")


@pytest.fixture(autouse=True)
def no_fused_kernel(monkeypatch):
    """On a GPU, PyTorch's would do what is tested here."""
    monkeypatch.setattr(module, "on_cpu", lambda _: True)


class Drawn:
    """In place of a `SeedGenerator`: always the same."""

    def next(self):
        return STATE


def arrays(predicted):
    rng = np.random.default_rng(0)
    sizes = {"query": (3, STEPS), "key": (3, KEYS), "value": (2, KEYS)}
    if predicted:
        sizes |= {"predicted_query": (7, STEPS), "predicted_key": (7, KEYS)}
    return {
        name: rng.normal(size=(BATCH, HEADS, *size)).astype("float32")
        for name, size in sizes.items()
    }


def with_maps(
    query, key, value, predicted_query=None, predicted_key=None, mixing=""
):
    mixed = current = products(query, key)
    if predicted_query is not None:
        predicted = ops.gelu(products(predicted_query, predicted_key), False)
        if mixing == "paper":
            current = masked_softmax(current, MASK)
        mixed = MIX * predicted + (1 - MIX) * current
    shares = masked_softmax(mixed, MASK)
    mask = kept(map_seeds(STATE, BATCH * HEADS), STEPS, KEYS, RATE)
    mask = ops.reshape(ops.cast(mask, "float32"), shares.shape)
    return weighted_sums(shares * mask / (1 - RATE), value)


def recomputed(query, key, value, *drawn, mixing="paper"):
    return module.recomputed_attention(
        query, key, value, MASK, RATE, Drawn(), drawn or None, MIX, mixing
    )


# All maps at once, one after the other, and two at a time.
@pytest.mark.parametrize("chunk", [2**17, 1, 2 * STEPS * KEYS])
@pytest.mark.parametrize("mixing", [None, "paper", "logits"])
def test_equals_attention_with_maps(monkeypatch, chunk, mixing):
    monkeypatch.setattr(module, "CHUNK", chunk)
    x = arrays(mixing)
    weights = np.random.default_rng(1).normal(size=(BATCH, HEADS, 2, STEPS))
    weights = ops.convert_to_tensor(weights.astype("float32"))

    def total(function):
        # Under JAX a dict comes back sorted.
        return lambda t: ops.sum(
            function(*[t[name] for name in x], mixing=mixing) * weights
        )

    tensors = {k: ops.convert_to_tensor(v) for k, v in x.items()}
    assert float(numpy_of(total(recomputed)(tensors))) == pytest.approx(
        float(numpy_of(total(with_maps)(tensors))), rel=1e-5
    )
    found = input_gradients(total(recomputed), x)
    for name, gradient in input_gradients(total(with_maps), x).items():
        assert relative_error(found[name], gradient) < 1e-5, name


@pytest.mark.skipif(
    keras.backend.backend() != "tensorflow",
    reason="only TensorFlow leaves lengths open",
)
def test_lengths_may_be_open(monkeypatch):
    import tensorflow as tf

    monkeypatch.setattr(module, "CHUNK", 2 * STEPS * KEYS)
    x = arrays(True)
    open_shape = tf.TensorSpec((None, HEADS, None, None))

    @tf.function(input_signature=[open_shape] * len(x))
    def run(*parts):
        with tf.GradientTape() as tape:
            tape.watch(parts)
            y = recomputed(*parts)
        return y, tape.gradient(y, parts)

    y, gradients = run(*x.values())
    tensors = {k: ops.convert_to_tensor(v) for k, v in x.items()}
    expected = recomputed(*tensors.values())
    assert relative_error(y, numpy_of(expected)) < 1e-5
    assert len(gradients) == len(x)
    wanted = input_gradients(
        lambda t: ops.sum(recomputed(*[t[name] for name in x])), x
    )
    for name, gradient in zip(x, gradients, strict=True):
        assert relative_error(gradient, wanted[name]) < 1e-5


@pytest.mark.skipif(
    keras.backend.backend() != "torch", reason="counts PyTorch's references"
)
def test_nothing_outlives_the_outputs():
    x = ops.convert_to_tensor(arrays(False)["query"]).requires_grad_()
    query = x * 1
    y = module.recomputed_attention(query, x, x)
    seen = weakref.ref(query)
    del query
    assert seen() is not None
    del y
    assert seen() is None


def test_half_precision_keeps_its_type_and_its_softmax_exact():
    x = arrays(True)

    def outputs(t, dtype):
        y = recomputed(*[ops.cast(t[name], dtype) for name in x])
        assert keras.backend.standardize_dtype(y.dtype) == dtype
        return ops.cast(y, "float32")

    half, exact = (
        lambda t, d=d: ops.sum(outputs(t, d) ** 2)
        for d in ("bfloat16", "float32")
    )
    found = input_gradients(half, x)
    for name, gradient in input_gradients(exact, x).items():
        assert relative_error(found[name], gradient) < 0.05, name
