"""Where the gradients of the extra losses go."""

import keras
import numpy as np
import pytest

from keras_mmfusion import models
from tests.backend import input_gradients

SHAPES = {"text": (None, 3), "audio": (None, 3)}
RNG = np.random.default_rng(0)
LATENT = {m: RNG.normal(size=(5, 4)).astype("float32") for m in SHAPES}
# The last sample lacks audio.
PRESENT = {"text": np.ones(5, bool), "audio": np.arange(5) < 4}
SCALE = 0.3


def gradients(objective, term, training):
    """Of a term, with respect to the agnostic vectors."""
    exclusive = {m: h[::-1].copy() for m, h in LATENT.items()}

    def value(h):
        found = {
            "latent": {"exclusive": exclusive, "agnostic": h},
            "present": PRESENT,
        }
        return keras.ops.sum(objective(found, training=training)[term])

    return input_gradients(value, LATENT)


@pytest.fixture(params=["paper", "stable"])
def objective(request):
    model = models.MEA(
        SHAPES,
        form=request.param,
        width=4,
        latent=4,
        num_heads=2,
        self_attention=False,
        levels=(),
        reversal=SCALE,
    )
    return model.objective


def test_the_agnostic_gradient_is_reversed_exactly(objective):
    reversed_ = gradients(objective, "agnostic", training=True)
    plain = gradients(objective, "agnostic", training=False)
    for m in SHAPES:
        assert np.abs(plain[m][:4]).min(axis=1).max() > 1e-4
        np.testing.assert_allclose(reversed_[m], -SCALE * plain[m], rtol=1e-4)
    assert not plain["audio"][4].any()


def test_the_importance_term_trains_its_discriminator_alone(objective):
    for h in gradients(objective, "importance", training=True).values():
        assert not h.any()
