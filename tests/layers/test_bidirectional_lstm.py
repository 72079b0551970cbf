import keras
import numpy as np

from keras_mmfusion.layers import BidirectionalLSTM
from tests.backend import call, input_gradients, numpy_of, relative_error
from tests.layers.mea_example import MASKS, WEIGHTS
from tests.reference.mea_layers import lstm
from tests.reference_weights import assign

X = np.random.default_rng(0).normal(size=(4, 7, 8)).astype("float32")
MASK = MASKS["audio"]


def layer():
    made = BidirectionalLSTM(4)
    made.build(X.shape)
    weights = {
        name.removeprefix("extractor.audio."): value
        for name, value in WEIGHTS.items()
        if name.startswith("extractor.audio.") and "conv" not in name
    }
    assign(made, weights)
    return made


def test_equals_the_reference_on_the_valid_prefix():
    y = call(layer(), X, mask=MASK)
    expected = np.zeros((4, 7, 8))
    for b, n in enumerate(MASK.sum(axis=1)):
        x = X[b, :n].astype("float64")
        ahead = lstm(x, WEIGHTS, "extractor.audio.forward.")
        back = lstm(x[::-1], WEIGHTS, "extractor.audio.backward.")[::-1]
        expected[b, :n] = np.concatenate([ahead, back], axis=1)
    assert relative_error(y, expected) < 1e-5


def test_without_a_mask_all_steps_are_valid():
    made = layer()
    np.testing.assert_array_equal(
        numpy_of(call(made, X)),
        numpy_of(call(made, X, mask=np.ones((4, 7), bool))),
    )


def test_padding_gets_no_gradient():
    made = layer()
    grads = input_gradients(
        lambda t: keras.ops.sum(made(t["x"], mask=MASK) ** 2), {"x": X}
    )["x"]
    assert not grads[~MASK].any()
    assert np.abs(grads[MASK]).min() > 0


def test_directions_start_differently_under_one_seed():
    made = BidirectionalLSTM(4, seed=0)
    made.build(X.shape)
    ahead, back = made.forwards.kernel, made.backwards.kernel
    assert np.abs(numpy_of(ahead) - numpy_of(back)).max() > 0.1
