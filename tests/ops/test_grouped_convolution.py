import numpy as np
import pytest
from keras import ops

from keras_mmfusion.ops.grouped_convolution import grouped_convolution
from tests.backend import input_gradients, numpy_of, relative_error


def expected(x, kernel, groups, stride):
    """Every group on its own, from the definition."""
    steps = [(n - 3) // stride + 1 for n in x.shape[1:4]]
    size = kernel.shape[-2]
    width = kernel.shape[-1] // groups
    y = np.zeros((len(x), *steps, kernel.shape[-1]))
    for t, h, w in np.ndindex(*steps):
        start = [n * stride for n in (t, h, w)]
        window = x[:, *(slice(n, n + 3) for n in start)]
        for g in range(groups):
            outputs = slice(g * width, (g + 1) * width)
            y[:, t, h, w, outputs] = np.einsum(
                "bthwc,thwco->bo",
                window[..., g * size : (g + 1) * size],
                kernel[..., outputs],
            )
    return y


# The last two are cut into parts, of two groups and of one, on some backends.
@pytest.mark.parametrize(
    ("channels", "outputs", "groups", "stride"),
    [(6, 9, 3, 1), (8, 8, 1, 2), (64, 64, 8, 2), (64, 32, 4, 1)],
)
def test_equals_the_definition(channels, outputs, groups, stride):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2, 4, 5, 3, channels)).astype("float32")
    kernel = rng.normal(size=(3, 3, 3, channels // groups, outputs))
    kernel = kernel.astype("float32")
    y = numpy_of(grouped_convolution(x, kernel, groups, (stride,) * 3))
    assert relative_error(y, expected(x, kernel, groups, stride)) < 1e-5


def test_gradients_equal_the_definition():
    """The function is linear in both arguments."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(1, 3, 3, 4, 64)).astype("float32")
    kernel = rng.normal(size=(3, 3, 3, 8, 64)).astype("float32")
    cotangent = rng.normal(size=(1, 1, 1, 2, 64)).astype("float32")
    grads = input_gradients(
        lambda t: ops.sum(
            ops.multiply(grouped_convolution(t["x"], t["kernel"], 8), cotangent)
        ),
        {"x": x, "kernel": kernel},
    )
    step = rng.normal(size=x.shape)
    change = (expected(step, kernel, 8, 1) * cotangent).sum()
    assert np.isclose((grads["x"] * step).sum(), change, rtol=1e-4)
    step = rng.normal(size=kernel.shape)
    change = (expected(x, step, 8, 1) * cotangent).sum()
    assert np.isclose((grads["kernel"] * step).sum(), change, rtol=1e-4)
