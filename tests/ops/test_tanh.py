import keras
import numpy as np
import pytest
from keras import ops

from keras_mmfusion.ops.tanh import FEWEST_VALUES, tanh
from tests.backend import input_gradients, numpy_of

SIZES = [7, FEWEST_VALUES]  # On each side of where the kernel changes.


def values(size, scale):
    return scale * np.random.default_rng(0).normal(size=size).astype("float32")


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("scale", [1e-6, 1e-2, 1.0, 30.0])
def test_exact_to_float32_near_zero_as_far_from_it(size, scale):
    x = values(size, scale)
    y = numpy_of(tanh(ops.convert_to_tensor(x)))
    np.testing.assert_allclose(y, np.tanh(x.astype("float64")), rtol=5e-7)


@pytest.mark.parametrize("size", SIZES)
def test_gradient_is_that_of_the_formula(size):
    x = values((1, size), 1.0)
    weight = values((1, size), 2.0)
    gradient = input_gradients(
        lambda t: ops.sum(tanh(t["x"]) * ops.convert_to_tensor(weight)),
        {"x": x},
    )["x"]
    expected = weight * (1 - np.tanh(x.astype("float64")) ** 2)
    np.testing.assert_allclose(gradient, expected, rtol=1e-5, atol=5e-6)


@pytest.mark.parametrize("size", SIZES)
def test_ends_and_what_is_no_number(size):
    x = np.zeros(size, "float32")
    x[:5] = [np.inf, -np.inf, np.nan, 100, -0.0]
    y = numpy_of(tanh(ops.convert_to_tensor(x)))
    np.testing.assert_array_equal(y[:5], [1, -1, np.nan, 1, 0])


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_keeps_the_precision_of_its_input(dtype):
    x = ops.cast(np.full(FEWEST_VALUES, 0.5), dtype)
    assert keras.backend.standardize_dtype(tanh(x).dtype) == dtype


@pytest.mark.parametrize("size", SIZES)
def test_bfloat16_is_right_to_its_precision(size):
    x = ops.cast(values(size, 1.0), "bfloat16")
    y = numpy_of(ops.cast(tanh(x), "float32"))
    exact = np.tanh(numpy_of(ops.cast(x, "float32")).astype("float64"))
    np.testing.assert_allclose(y, exact, rtol=2**-8)


@pytest.mark.skipif(keras.backend.backend() != "torch", reason="PyTorch only")
def test_second_gradient():
    x = ops.convert_to_tensor(values(FEWEST_VALUES, 1.0)).requires_grad_()
    import torch

    (first,) = torch.autograd.grad(tanh(x).sum(), x, create_graph=True)
    (second,) = torch.autograd.grad(first.sum(), x)
    y = torch.tanh(x)
    expected = -2 * y * (1 - y * y)
    np.testing.assert_allclose(
        numpy_of(second), numpy_of(expected), rtol=1e-4, atol=1e-6
    )
