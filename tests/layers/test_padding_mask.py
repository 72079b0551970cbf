import numpy as np
import pytest

from keras_mmfusion.layers import PaddingMask
from tests.backend import numpy_of


@pytest.mark.parametrize("dtype", ["float32", "mixed_float16"])
def test_values_that_half_precision_rounds_to_zero_are_no_padding(dtype):
    x = np.array([[[1e-9], [0.0], [1e-9], [0.0]]], "float32")
    mask = numpy_of(PaddingMask(dtype=dtype)(x))
    np.testing.assert_array_equal(mask, [[True, True, True, False]])
