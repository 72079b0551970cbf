import keras
import numpy as np

from keras_mmfusion.layers import MaskedAveragePooling
from tests.backend import call, input_gradients, numpy_of, relative_error
from tests.reference.mea_layers import masked_mean

X = np.random.default_rng(0).normal(size=(3, 6, 4)).astype("float32")
MASK = np.arange(6) < np.array([[6], [2], [0]])


def test_is_the_mean_of_the_valid_steps():
    layer = MaskedAveragePooling()
    assert (
        relative_error(call(layer, X, mask=MASK), masked_mean(X, MASK)) < 1e-6
    )
    assert relative_error(call(layer, X), X.mean(axis=1)) < 1e-6


def test_a_missing_sequence_is_zero_with_finite_gradients():
    layer = MaskedAveragePooling()
    assert not numpy_of(call(layer, X, mask=MASK))[2].any()
    grads = input_gradients(
        lambda t: keras.ops.sum(layer(t["x"], mask=MASK)), {"x": X}
    )["x"]
    assert np.isfinite(grads).all()
    assert not grads[~MASK].any()
