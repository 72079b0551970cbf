import numpy as np
import pytest

from keras_mmfusion.layers import SinePositions
from tests.backend import call, relative_error
from tests.reference.mea_layers import sine_positions


@pytest.mark.parametrize("width", [1, 5, 8])
def test_adds_the_published_code(width):
    x = np.random.default_rng(0).normal(size=(2, 300, width)).astype("float32")
    y = call(SinePositions(), x)
    assert relative_error(y, x + sine_positions(300, width)) < 1e-5
