import keras
import numpy as np
import pytest
from keras import ops

from keras_mmfusion.layers.uniform_dropout import UniformDropout
from tests.backend import numpy_of


def dropped(shape, rate=0.6, seed=3, layer=None):
    layer = layer or UniformDropout(rate, seed=seed)
    return numpy_of(layer(np.ones(shape, "float32"), training=True))


@pytest.mark.parametrize("shape", [(8, 60, 50), (4, 5, 30, 40)])
def test_values_are_dropped_at_the_rate_or_scaled(shape):
    y = dropped(shape)
    np.testing.assert_allclose(np.unique(y), [0, 2.5], rtol=1e-6)
    for axis in range(len(shape)):
        share = (y == 0).mean(axis=axis)
        spread = 6 * np.sqrt(0.24 * share.size / y.size)
        assert np.abs(share - 0.6).max() < spread


def test_every_call_draws_anew_and_a_seed_repeats_it():
    layer = UniformDropout(0.6, seed=3)
    first, second = (dropped((2, 9, 9), layer=layer) for _ in range(2))
    assert (first != second).any()
    np.testing.assert_array_equal(first, dropped((2, 9, 9)))
    assert (first != dropped((2, 9, 9), seed=4)).any()


def test_samples_are_dropped_independently():
    y = (dropped((2, 80, 90)) == 0) - 0.6
    z = (y[0] * y[1]).mean() / 0.24 * np.sqrt(y[0].size)
    assert abs(z) < 4


def test_almost_everything_can_be_dropped():
    assert (dropped((8, 60, 50), rate=0.999999) != 0).mean() < 1e-3


def test_inference_is_the_identity():
    x = np.random.default_rng(0).normal(size=(2, 4, 3)).astype("float32")
    layer = UniformDropout(0.6, seed=3)
    np.testing.assert_array_equal(numpy_of(layer(x)), x)
    np.testing.assert_array_equal(numpy_of(layer(x, training=False)), x)


def test_half_precision_stays():
    layer = UniformDropout(0.5, dtype="bfloat16")
    y = layer(ops.ones((2, 4, 3), dtype="bfloat16"), training=True)
    assert "bfloat16" in str(y.dtype)


@pytest.mark.skipif(keras.backend.backend() != "torch", reason="PyTorch only")
def test_what_pytorch_compiles_for_any_shape_drops():
    import torch

    layer = UniformDropout(0.5)
    call = torch.compile(lambda x: layer(x, training=True), backend="aot_eager")
    for steps in (8, 16):
        y = numpy_of(call(torch.ones(4, 50, steps)))
        np.testing.assert_allclose(np.unique(y), [0, 2])
