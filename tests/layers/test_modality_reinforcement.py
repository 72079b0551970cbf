import keras
import numpy as np
import pytest

from keras_mmfusion.layers import ModalityReinforcement
from keras_mmfusion.ops import recomputed_attention
from tests.backend import call, input_gradients, numpy_of, relative_error
from tests.layers.mea_example import MASKS, WEIGHTS, longer, sequences
from tests.reference.mea_layers import layer_norm, reinforce
from tests.reference_weights import assign

X = sequences()
PREFIX = "agnostic.0.text.fine.audio."
BOTH = {"target_mask": MASKS["text"], "source_mask": MASKS["audio"]}


@pytest.fixture
def layer():
    made = ModalityReinforcement(2)
    made.build(X["text"].shape, X["audio"].shape)
    assign(made, WEIGHTS, PREFIX)
    return made


def test_equals_the_reference(layer):
    y, attention = call(
        layer, X["text"], source=X["audio"], return_attention=True, **BOTH
    )
    expected, maps = reinforce(
        X["audio"], MASKS["audio"], X["text"], MASKS["text"], WEIGHTS, PREFIX, 2
    )
    assert y.shape == X["text"].shape
    assert relative_error(y, expected) < 1e-5
    valid = MASKS["text"][:, :, None] & MASKS["audio"][:, None]
    assert relative_error(attention, maps * valid[:, None]) < 1e-5


def test_without_a_source_it_is_the_normalised_target(layer):
    y = numpy_of(call(layer, X["text"], source=X["audio"], **BOTH))
    normal = layer_norm(X["text"], WEIGHTS, f"{PREFIX}target_norm.")
    np.testing.assert_allclose(
        y[1], normal[1] * MASKS["text"][1][:, None], atol=1e-5
    )


def test_more_padding_changes_nothing(layer):
    y = numpy_of(call(layer, X["text"], source=X["audio"], **BOTH))
    x, masks = longer(X), longer(MASKS)
    more = call(
        layer,
        x["text"],
        source=x["audio"],
        target_mask=masks["text"],
        source_mask=masks["audio"],
    )
    np.testing.assert_allclose(numpy_of(more)[:, :5], y, atol=1e-5)
    assert not numpy_of(more)[:, 5:].any()


def test_a_missing_source_gets_finite_gradients_without_maps_too(
    layer, monkeypatch
):
    def total(t):
        return keras.ops.sum(layer(t["t"], source=t["s"], **BOTH) ** 2)

    inputs = {"t": X["text"], "s": X["audio"]}
    grads = input_gradients(total, inputs)
    assert np.isfinite(grads["t"]).all()
    assert not grads["s"][1].any()
    monkeypatch.setattr(recomputed_attention, "CHUNK", 1)
    for name, found in input_gradients(total, inputs).items():
        np.testing.assert_allclose(found, grads[name], atol=1e-5)


@pytest.mark.parametrize("chunk", [1, 2**17])
def test_dropout_hides_parts_of_the_map_in_training_alone(chunk, monkeypatch):
    monkeypatch.setattr(recomputed_attention, "CHUNK", chunk)
    made = ModalityReinforcement(2, dropout=0.5, seed=0)
    plain = numpy_of(made(X["text"], source=X["audio"]))
    dropped = numpy_of(made(X["text"], source=X["audio"], training=True))
    assert np.abs(plain - dropped).max() > 1e-3


def test_wrong_sizes_are_refused():
    with pytest.raises(ValueError, match="num_heads"):
        ModalityReinforcement(0)
    with pytest.raises(ValueError, match="divide"):
        ModalityReinforcement(3).build((1, 2, 8))
    with pytest.raises(ValueError, match="same number of channels"):
        ModalityReinforcement(2).build((1, 2, 8), (1, 2, 4))
