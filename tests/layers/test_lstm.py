import keras
import numpy as np
import pytest

from keras_mmfusion.layers import LSTM
from tests.backend import call, input_gradients, numpy_of, relative_error


@pytest.fixture
def pair():
    """Our layer and Keras', with the same weights."""
    ours = LSTM(5, return_sequences=True)
    theirs = keras.layers.LSTM(5, return_sequences=True)
    for layer in (ours, theirs):
        layer.build((None, None, 3))
    rng = np.random.default_rng(0)
    weights = [rng.normal(size=v.shape) / 2 for v in ours.weights]
    ours.set_weights(weights)
    theirs.set_weights(weights)
    return ours, theirs


X = np.random.default_rng(1).normal(size=(4, 6, 3)).astype("float32")
LENGTHS = np.array([6, 3, 1, 0])
MASK = np.arange(6) < LENGTHS[:, None]


def test_equals_keras_with_gradients(pair):
    ours, theirs = pair
    assert relative_error(call(ours, X), numpy_of(call(theirs, X))) < 1e-5
    grads = [
        input_gradients(lambda t, m=m: keras.ops.sum(m(t["x"]) ** 2), {"x": X})
        for m in pair
    ]
    assert relative_error(grads[0]["x"], grads[1]["x"]) < 1e-5


def test_gradients_outside_of_training_are_the_same(pair):
    def gradient(training):
        def loss(inputs):
            y = pair[0](inputs["x"], training=training)
            return keras.ops.sum(y**2)

        return input_gradients(loss, {"x": X})["x"]

    np.testing.assert_allclose(gradient(False), gradient(True), rtol=1e-5)


def test_starts_like_keras(pair):
    ours, theirs = LSTM(5, seed=3), keras.layers.LSTM(5, seed=3)
    for layer in (ours, theirs):
        layer.build((None, None, 3))
    np.testing.assert_array_equal(
        ours.get_weights()[2], theirs.get_weights()[2]
    )


def test_padded_steps_are_zero_and_the_last_valid_step_is_read(pair):
    ours, _ = pair
    sequence = numpy_of(call(ours, X, mask=MASK))
    assert not sequence[~MASK].any()
    last = LSTM(5)
    last.build(X.shape)
    last.set_weights(ours.get_weights())
    y = numpy_of(call(last, X, mask=MASK))
    full = numpy_of(call(ours, X))
    for i, n in enumerate(LENGTHS):
        expected = full[i, n - 1] if n else np.zeros(5)
        np.testing.assert_allclose(y[i], expected, atol=1e-6)


def test_what_stands_in_the_padding_changes_nothing(pair):
    ours, _ = pair
    noisy = X + 100 * ~MASK[..., None]
    np.testing.assert_allclose(
        numpy_of(call(ours, X, mask=MASK)),
        numpy_of(call(ours, noisy, mask=MASK)),
        atol=1e-6,
    )


def test_dropout_hides_a_feature_in_all_steps():
    layer = LSTM(5, dropout=0.5, seed=0)
    kept = numpy_of(layer.dropout(np.ones((8, 6, 3), "float32"), training=True))
    assert (kept == kept[:, :1]).all()
    assert set(np.unique(kept)) == {0.0, 2.0}


def test_units_below_one_are_refused():
    with pytest.raises(ValueError, match="units"):
        LSTM(0)


def test_trains_within_a_compiled_step():
    """PyTorch's compiler and its LSTM of a CPU do not get along."""
    outputs = []
    for compiled in (False, True):
        keras.utils.set_random_seed(0)
        model = keras.Sequential([keras.Input((6, 3)), LSTM(5, seed=1)])
        model.compile("sgd", "mse", jit_compile=compiled)
        model.fit(X, np.ones((4, 5)), epochs=2, verbose=0)
        outputs.append(model.predict(X, verbose=0))
    np.testing.assert_allclose(*outputs, rtol=1e-4, atol=1e-6)
