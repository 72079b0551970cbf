"""Shapes, weights and masks that reach a Keras metric."""

import keras
import numpy as np
import pytest

from keras_mmfusion.metrics.keras_inputs import paired_rows
from tests.backend import numpy_of


def rows(*args, **options):
    found = paired_rows(*args, dtype="float32", **options)
    return [numpy_of(x) for x in found]


@pytest.mark.parametrize(
    ("y_shape", "p_shape"),
    [((6,), (6,)), ((6, 1), (6,)), ((6,), (6, 1)), ((2, 3), (2, 3, 1))],
)
def test_a_last_axis_of_length_one_may_be_missing(y_shape, p_shape):
    values = np.arange(6.0)
    y, p, weight = rows(values.reshape(y_shape), values.reshape(p_shape), None)
    np.testing.assert_array_equal(y, values[:, None])
    np.testing.assert_array_equal(p, y)
    assert weight.shape == (6, 1)


@pytest.mark.parametrize(
    ("y_shape", "p_shape", "outputs"),
    [
        ((6,), (5,), 1),
        ((6, 1), (6, 3), 1),
        ((2, 3), (3, 2), 1),
        ((6, 2), (6, 2), 3),
        ((6,), (6, 2, 1), 1),
    ],
)
def test_shapes_that_do_not_pair_up_are_refused(y_shape, p_shape, outputs):
    with pytest.raises(ValueError, match="Expected"):
        rows(np.zeros(y_shape), np.zeros(p_shape), None, outputs=outputs)


@pytest.mark.parametrize("weight_shape", [(2,), (2, 3), (2, 3, 1), (2, 1)])
def test_weights_spread_over_the_axes_they_lack(weight_shape):
    weight = np.arange(1.0, 1 + np.prod(weight_shape)).reshape(weight_shape)
    y = np.zeros((2, 3, 2))
    _, _, found = rows(y, y, weight, outputs=2)
    full = weight.reshape(weight_shape + (1,) * (3 - len(weight_shape)))
    expected = np.broadcast_to(full, (2, 3, 2)).reshape(6, 2)
    np.testing.assert_array_equal(found, expected)


def test_what_has_no_weight_is_zero_even_if_it_was_nan():
    y = np.array([[0.5, -5.0, 0.1]])
    p = np.array([[0.4, np.nan, np.nan]])
    y, p, weight = rows(y, p, np.array([[1.0, 1.0, 0.0]]), ignore_value=-5.0)
    np.testing.assert_allclose(p[:, 0], [0.4, 0.0, 0.0])
    np.testing.assert_allclose(weight[:, 0], [1.0, 0.0, 0.0])


def test_the_mask_of_the_model_is_used():
    x = np.ones((2, 4, 3), "float32")
    x[0, 2:] = 0.0
    p = keras.layers.Masking()(x)
    y = np.ones((2, 4, 3))
    _, _, weight = rows(y, p, None, outputs=3)
    expected = [1, 1, 0, 0, 1, 1, 1, 1]
    np.testing.assert_array_equal(weight[:, 0], expected)
