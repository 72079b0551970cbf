import keras
import numpy as np
import pytest

from keras_mmfusion.ops.positions import computed_once, mean_position
from tests.backend import input_gradients, numpy_of


@pytest.mark.parametrize("space", [(), (5,), (2, 3)])
def test_mean_over_space_and_its_gradient(space):
    x = np.random.default_rng(0).normal(size=(2, 4, *space, 3))
    axes = tuple(range(2, 2 + len(space)))
    mean = mean_position(keras.ops.convert_to_tensor(x.astype("float32")))
    expected = x.mean(axis=axes) if space else x
    np.testing.assert_allclose(numpy_of(mean), expected, atol=1e-6)
    gradients = input_gradients(
        lambda v: keras.ops.sum(keras.ops.square(mean_position(v["x"]))),
        {"x": x},
    )
    share = 2 * np.expand_dims(expected, axes) / np.prod(space or 1)
    np.testing.assert_allclose(
        gradients["x"], np.broadcast_to(share, x.shape), atol=1e-5
    )


def test_computed_once_is_exact():
    x = np.random.default_rng(0).normal(size=(3, 2, 7)).astype("float32")
    np.testing.assert_array_equal(numpy_of(computed_once(x)), x)
    gradients = input_gradients(
        lambda v: keras.ops.sum(keras.ops.square(computed_once(v["x"]))),
        {"x": x},
    )
    np.testing.assert_array_equal(gradients["x"], 2 * x)
