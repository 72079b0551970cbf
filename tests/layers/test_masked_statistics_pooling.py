import keras
import numpy as np

from keras_mmfusion.layers import MaskedStatisticsPooling
from tests.backend import call, input_gradients, numpy_of, relative_error

X = np.random.default_rng(0).normal(size=(3, 6, 4)).astype("float32")
MASK = np.arange(6) < np.array([[6], [2], [0]])


def expected(x: np.ndarray) -> np.ndarray:
    deviation = np.sqrt(x.var(0) + 1e-5)
    return np.concatenate([x.mean(0), deviation, x.max(0)])


def test_are_those_of_the_valid_steps():
    y = numpy_of(call(MaskedStatisticsPooling(), X, mask=MASK))
    assert relative_error(y[0], expected(X[0])) < 1e-6
    assert relative_error(y[1], expected(X[1, :2])) < 1e-6
    assert not y[2].any()


def test_without_a_mask_all_steps_are_valid():
    y = call(MaskedStatisticsPooling(), X)
    assert relative_error(y, [expected(x) for x in X]) < 1e-6


def test_gradients_are_finite_and_zero_where_masked():
    layer = MaskedStatisticsPooling()
    constant = X.copy()
    constant[1] = 1.0  # The deviation is zero.
    grads = input_gradients(
        lambda t: keras.ops.sum(layer(t["x"], mask=MASK)), {"x": constant}
    )["x"]
    assert np.isfinite(grads).all()
    assert not grads[~MASK].any()
