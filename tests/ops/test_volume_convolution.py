import numpy as np
import pytest
from keras import ops

from keras_mmfusion.ops.volume_convolution import volume_convolution
from tests.backend import input_gradients, numpy_of, relative_error


def expected(x, kernel, strides):
    """From the definition."""
    size = kernel.shape[:3]
    windows = np.lib.stride_tricks.sliding_window_view(x, size, axis=(1, 2, 3))
    t, h, w = strides
    return np.einsum(
        "bthwcijk,ijkco->bthwo",
        windows[:, ::t, ::h, ::w].astype("float64"),
        kernel.astype("float64"),
    )


CASES = [
    ((3, 3, 3), (1, 1, 1)),
    ((3, 3, 3), (2, 2, 2)),
    ((4, 2, 3), (1, 2, 2)),
    ((1, 2, 2), (2, 1, 1)),
    ((6, 5, 4), (3, 1, 2)),
]


@pytest.mark.parametrize(("size", "strides"), CASES)
def test_equals_the_definition(size, strides):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2, 6, 5, 7, 3)).astype("float32")
    kernel = rng.normal(size=(*size, 3, 4)).astype("float32")
    y = numpy_of(volume_convolution(x, kernel, strides))
    assert y.shape == expected(x, kernel, strides).shape
    assert relative_error(y, expected(x, kernel, strides)) < 1e-5


@pytest.mark.parametrize(("size", "strides"), CASES)
def test_gradients_equal_the_definition(size, strides):
    """The function is linear in both arguments."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(1, 6, 5, 7, 3)).astype("float32")
    kernel = rng.normal(size=(*size, 3, 4)).astype("float32")
    cotangent = rng.normal(size=expected(x, kernel, strides).shape)
    cotangent = cotangent.astype("float32")
    grads = input_gradients(
        lambda t: ops.sum(
            ops.multiply(
                volume_convolution(t["x"], t["kernel"], strides), cotangent
            )
        ),
        {"x": x, "kernel": kernel},
    )
    step = rng.normal(size=x.shape)
    change = (expected(step, kernel, strides) * cotangent).sum()
    assert np.isclose((grads["x"] * step).sum(), change, rtol=1e-4, atol=1e-3)
    step = rng.normal(size=kernel.shape)
    change = (expected(x, step, strides) * cotangent).sum()
    kernel_change = (grads["kernel"] * step).sum()
    assert np.isclose(kernel_change, change, rtol=1e-4, atol=1e-3)


def test_half_precision_is_rounded_once():
    """Sums over the steps of the kernel must not add to the rounding."""
    rng = np.random.default_rng(0)
    x = ops.cast(rng.normal(size=(2, 9, 5, 5, 8)), "bfloat16")
    kernel = ops.cast(rng.normal(size=(7, 3, 3, 8, 4)), "bfloat16")
    y = volume_convolution(x, kernel, (1, 1, 1))
    exact = expected(
        numpy_of(ops.cast(x, "float32")),
        numpy_of(ops.cast(kernel, "float32")),
        (1, 1, 1),
    )
    error = np.abs(numpy_of(ops.cast(y, "float32")) - exact)
    assert (error <= 2**-8 * np.abs(exact) + 1e-3).all()
