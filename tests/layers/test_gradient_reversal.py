import keras
import numpy as np
import pytest

from keras_mmfusion.layers import GradientReversal
from tests.backend import input_gradients, numpy_of

X = 100 * np.random.default_rng(0).normal(size=(4, 3)).astype("float32")


def gradient(layer, training=True):
    return input_gradients(
        lambda t: keras.ops.sum(layer(t["x"], training=training)), {"x": X}
    )["x"]


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
def test_values_are_exactly_the_inputs(dtype):
    layer = GradientReversal(0.3, dtype=dtype)
    x = keras.ops.cast(X, dtype)
    y = layer(x, training=True)
    np.testing.assert_array_equal(
        numpy_of(keras.ops.cast(y, "float32")),
        numpy_of(keras.ops.cast(x, "float32")),
    )


@pytest.mark.parametrize("scale", [0.0, 0.3, 1.0])
def test_gradient_is_reversed_in_training_alone(scale):
    layer = GradientReversal(scale)
    np.testing.assert_allclose(gradient(layer), -scale, rtol=1e-6)
    np.testing.assert_array_equal(gradient(layer, training=False), 1)


def test_ramp_counts_training_steps_inside_the_layer():
    layer = GradientReversal(2.0, ramp_steps=4)
    layer.build((None, 3))
    assert layer.count_params() == 1
    assert layer.trainable_weights == []
    for step in range(6):
        layer.step.assign(step)
        p = min(step / 4, 1)
        expected = -2 * (2 / (1 + np.exp(-10 * p)) - 1)
        np.testing.assert_allclose(gradient(layer), expected, atol=1e-6)
    layer.step.assign(0)
    layer(X, training=True)
    layer(X, training=True)
    layer(X)
    assert int(numpy_of(layer.step)) == 2


def test_negative_arguments_are_refused():
    with pytest.raises(ValueError, match="scale"):
        GradientReversal(-1.0)
    with pytest.raises(ValueError, match="ramp_steps"):
        GradientReversal(ramp_steps=-1)
