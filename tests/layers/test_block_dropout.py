import numpy as np
import pytest

from keras_mmfusion.layers import BlockDropout
from tests.backend import numpy_of


def test_blocks_vanish_whole_and_the_mean_stays():
    x = np.ones((400, 10, 3, 2), "float32")
    y = numpy_of(BlockDropout(0.2, seed=1)(x, training=True))
    assert set(np.round(np.unique(y), 6)) == {0.0, 1.25}
    assert (y == y[:, :, :1, :1]).all()
    # Standard error of the mean of 4000 draws is 0.008.
    assert abs(y.mean() - 1) < 0.04


def test_samples_are_dropped_independently():
    x = np.ones((64, 8, 1), "float32")
    y = numpy_of(BlockDropout(0.5, seed=1)(x, training=True))
    assert len(np.unique(y[:, :, 0], axis=0)) > 32


def test_inference_is_the_identity():
    x = np.random.default_rng(0).normal(size=(2, 3, 4)).astype("float32")
    np.testing.assert_array_equal(numpy_of(BlockDropout(0.9)(x)), x)


def test_the_seed_repeats_the_draws():
    x = np.ones((5, 6, 2), "float32")
    a, b = BlockDropout(0.5, seed=7), BlockDropout(0.5, seed=7)
    np.testing.assert_array_equal(
        numpy_of(a(x, training=True)), numpy_of(b(x, training=True))
    )


@pytest.mark.parametrize("rate", [-0.1, 1, 1.5])
def test_rates_outside_zero_to_one_are_refused(rate):
    with pytest.raises(ValueError, match="rate"):
        BlockDropout(rate)
