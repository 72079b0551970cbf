import keras
import numpy as np

from keras_mmfusion.layers import MaskedDense, PaddingMask
from tests.backend import numpy_of


def test_equals_dense_where_valid_and_zero_elsewhere():
    x = np.random.default_rng(0).normal(size=(2, 3, 4)).astype("float32")
    mask = np.array([[1, 1, 0], [0, 0, 0]], bool)
    layer = MaskedDense(5, activation="relu")
    layer.build(x.shape)
    layer.dense.bias.assign(np.ones(5))
    y = numpy_of(layer(x, mask=mask))
    plain = numpy_of(layer.dense(x))
    np.testing.assert_allclose(y, plain * mask[..., None], rtol=1e-6)
    assert not y[1].any()


def test_padding_mask_is_part_of_a_functional_model():
    inputs = keras.Input((None, 4))
    model = keras.Model(inputs, PaddingMask()(inputs))
    x = np.zeros((2, 5, 4), "float32")
    x[0, :3] = 1
    mask = model.predict(x, verbose=0)
    np.testing.assert_array_equal(mask, [[1, 1, 1, 0, 0], [0, 0, 0, 0, 0]])


def test_batch_norm_leaves_masked_steps_out_and_at_zero():
    x = np.random.default_rng(0).normal(size=(4, 3, 2)).astype("float32")
    mask = np.array([[1, 1, 0], [1, 0, 0], [1, 1, 1], [0, 0, 0]], bool)
    layer = MaskedDense(5, batch_norm=True)
    y = numpy_of(layer(x, mask=mask, training=True))
    assert not y[~mask].any()
    np.testing.assert_allclose(y[mask].mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(y[mask].std(axis=0), 1, atol=1e-2)
    assert [w.name for w in layer.dense.weights] == ["kernel"]
