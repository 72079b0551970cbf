import keras
import numpy as np
import pytest
from keras import ops

from keras_mmfusion.encoders.pooling import max_pool
from tests.backend import input_gradients, numpy_of


def expected(x, size, stride, padding):
    """One axis at a time, since a maximum of maxima is one."""
    for axis in range(1, x.ndim - 1):
        pads = [(0, 0)] * x.ndim
        pads[axis] = (padding, padding)
        x = np.pad(x, pads, constant_values=-np.inf)
        count = (x.shape[axis] - size) // stride + 1
        windows = [
            x.take(range(i * stride, i * stride + size), axis).max(axis)
            for i in range(count)
        ]
        x = np.stack(windows, axis)
    return x


@pytest.mark.parametrize("shape", [(7,), (6, 5), (4, 6, 7)])
@pytest.mark.parametrize(
    ("size", "stride", "padding"), [(3, 2, 1), (3, 1, 1), (2, 2, 0)]
)
def test_padding_never_wins(shape, size, stride, padding):
    x = np.random.default_rng(0).normal(size=(2, *shape, 3)) - 5
    x = x.astype("float32")
    y = max_pool(x, size, stride, padding)
    np.testing.assert_array_equal(
        numpy_of(y), expected(x, size, stride, padding)
    )


def test_axes_may_differ():
    x = np.arange(2 * 4 * 4, dtype="float32").reshape(1, 2, 4, 4, 1)
    y = max_pool(x, (1, 3, 3), (1, 2, 2), (0, 1, 1))
    assert y.shape == (1, 2, 2, 2, 1)
    np.testing.assert_array_equal(
        numpy_of(y)[0, 1, :, :, 0], [[21, 23], [29, 31]]
    )


def test_gradient_goes_to_the_largest_value_of_a_window():
    x = np.random.default_rng(0).permutation(5 * 6 * 4).astype("float32")
    x = x.reshape(1, 5, 6, 4, 1)
    gradient = input_gradients(
        lambda t: ops.sum(max_pool(t["x"], 3, 2, 1)), {"x": x}
    )["x"]
    largest, times = np.unique(expected(x, 3, 2, 1), return_counts=True)
    wins = np.zeros(x.size)
    wins[largest.astype(int)] = times
    np.testing.assert_array_equal(gradient, wins[x.astype(int)])


@pytest.mark.skipif(
    keras.backend.backend() == "tensorflow", reason="its pool drops them"
)
def test_what_is_no_number_stays_so():
    x = np.zeros((1, 6, 6, 2), "float32")
    x[0, 3, 3, 1] = np.nan
    y = numpy_of(max_pool(x, 3, 1, 1))
    assert np.isnan(y[0, 2:5, 2:5, 1]).all()
    assert np.isfinite(y[..., 0]).all()
