import dataclasses

import keras
import numpy as np
import pytest

from keras_mmfusion.layers import ModalityWeighting, PredictiveSelfAttention
from tests.backend import call, input_gradients, numpy_of, relative_error
from tests.layers.mea_example import (
    CONFIG,
    MASKS,
    NAMES,
    WEIGHTS,
    longer,
    sequences,
)
from tests.reference.mea_layers import weigh_modalities
from tests.reference.mea_weights import random_weights
from tests.reference_weights import assign

X = sequences()
PREFIX = "exclusive.2.weighting."


def layer(mode="pooled", weights=WEIGHTS):
    made = ModalityWeighting(mode, NAMES)
    made.build({m: x.shape for m, x in X.items()})
    assign(made, weights, PREFIX)
    return made


@pytest.mark.parametrize("mode", ["pooled", "full"])
def test_equals_the_reference(mode):
    config = dataclasses.replace(
        CONFIG, weighting=mode, steps=tuple(X[m].shape[1] for m in NAMES)
    )
    weights = random_weights(config)
    weighted, psi = call(layer(mode, weights), X, mask=MASKS)
    expected, expected_psi = weigh_modalities(X, MASKS, weights, PREFIX, mode)
    assert relative_error(psi, expected_psi) < 1e-5
    for m in NAMES:
        assert relative_error(weighted[m], expected[m]) < 1e-5


def test_weights_sum_to_one_and_leave_out_the_missing():
    _, psi = call(layer(), X, mask=MASKS)
    psi = numpy_of(psi)
    np.testing.assert_allclose(psi.sum(axis=1), 1, atol=1e-6)
    assert (psi[1] == [1, 0, 0]).all()
    assert psi[3, 2] == 0


def test_more_padding_changes_nothing():
    made = layer()
    _, psi = call(made, X, mask=MASKS)
    _, more = call(made, longer(X), mask=longer(MASKS))
    np.testing.assert_allclose(numpy_of(more), numpy_of(psi), atol=1e-6)


def test_between_layers_it_acts_through_the_epsilon_of_the_norm_alone():
    """LN(ψ z) = LN(z) up to ε: only the last weighting counts."""
    weighted, psi = call(layer(), X, mask=MASKS)
    assert numpy_of(psi)[:, 0].min() > 0.1
    attention = PredictiveSelfAttention(2, mix=0.4)
    attention.build(X["text"].shape)
    assign(attention, WEIGHTS, "exclusive.0.text.")
    both = np.concatenate([X["text"], numpy_of(weighted["text"])])
    y = numpy_of(call(attention, both, mask=np.tile(MASKS["text"], (2, 1)))[0])
    assert relative_error(y[4:], y[:4]) < 1e-3
    assert np.abs(both[4:] - both[:4]).max() > 0.1


def test_nothing_at_all_is_finite_in_both_directions():
    none = {m: np.zeros_like(mask) for m, mask in MASKS.items()}
    made = layer()
    grads = input_gradients(lambda t: keras.ops.sum(made(t, mask=none)[1]), X)
    assert all(np.isfinite(g).all() for g in grads.values())
    assert not numpy_of(call(made, X, mask=none)[1]).any()


def test_what_cannot_be_flattened_is_refused():
    with pytest.raises(ValueError, match="mode"):
        ModalityWeighting("whole")
    with pytest.raises(ValueError, match="pooled"):
        ModalityWeighting("full").build({"a": (2, None, 3), "b": (2, 4, 3)})
    with pytest.raises(ValueError, match="4000"):
        ModalityWeighting("full").build({"a": (2, 500, 40), "b": (2, 4, 3)})
