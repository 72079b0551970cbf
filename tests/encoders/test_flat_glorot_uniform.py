"""First weights: Glorot's range, and vectors of few lengths behind them."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_mmfusion.encoders.flat_glorot_uniform import FlatGlorotUniform


def drawn(shape, seed=1):
    return ops.convert_to_numpy(FlatGlorotUniform(seed=seed)(shape))


@pytest.mark.parametrize(
    "shape", [(3, 40, 65), (3, 3, 16, 40), (1, 3, 3, 7, 9)]
)
def test_values_are_uniform_in_glorots_range(shape):
    fans = np.prod(shape[:-2]) * sum(shape[-2:])
    limit = np.sqrt(6 / fans)
    values = drawn(shape)
    assert values.shape == shape
    assert values.dtype == "float32"
    assert np.abs(values).max() <= limit
    quarters = np.histogram(values, 4, (-limit, limit))[0] / values.size
    np.testing.assert_allclose(quarters, 0.25, atol=0.05)
    theirs = keras.initializers.GlorotUniform(seed=2)(shape)
    assert np.abs(ops.convert_to_numpy(theirs)).max() == pytest.approx(
        limit, rel=0.02
    )


def test_seeds_decide():
    shape = (3, 3, 4, 5)
    assert (drawn(shape) == drawn(shape)).all()
    assert (drawn(shape) != drawn(shape, seed=2)).any()


def test_kernels_of_about_one_size_share_a_vector():
    small, large = drawn((3, 3, 4, 5)), drawn((3, 3, 5, 5))
    ratio = small.ravel() / large.ravel()[: small.size]
    np.testing.assert_allclose(ratio, ratio[0], rtol=1e-5)


def test_half_precision_and_round_trip():
    initializer = FlatGlorotUniform(seed=3)
    again = keras.initializers.deserialize(
        keras.initializers.serialize(initializer)
    )
    assert isinstance(again, FlatGlorotUniform)
    x, y = (i((2, 3, 4), dtype="bfloat16") for i in (initializer, again))
    assert keras.backend.standardize_dtype(x.dtype) == "bfloat16"
    assert (ops.convert_to_numpy(ops.cast(x - y, "float32")) == 0).all()
