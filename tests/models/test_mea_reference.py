"""MEA equals its float64 reference, whatever is switched off.

The reference runs on every sample alone and without padding, our model on
the padded batch: so padding and batch mates change nothing either, and
missing modalities are among them.
"""

import numpy as np
import pytest

from tests.backend import call, numpy_of, relative_error
from tests.models.mea_example import config, inputs, labels, model_of
from tests.reference.mea import forward, losses
from tests.reference.mea_weights import random_weights

TERMS = ("disparity", "agnostic", "exclusive", "importance")
CASES = {
    "paper": {},
    "stable": {
        "bounded": True,
        "disparity": "cka",
        "mixing": "logits",
        "chain": "mixed",
        "weighting_last_only": True,
        "self_loops": True,
        "pool": "last",
    },
    "no chain": {
        "chain": None,
        "levels": ("coarse", "fine"),
        "low_level_sources": True,
        "agnostic_layers": 2,
        "fusion": "concat",
        "importance": False,
    },
    "no self-attention": {
        "self_attention": False,
        "levels": ("mixed", "fine"),
        "disparity": "orthogonal",
        "fusion": "add",
        "outputs": 4,
        "task": "binary_heads",
    },
    "no exclusive branch": {
        "exclusive": False,
        "outputs": 4,
        "task": "classification",
        "levels": ("mixed", "coarse"),
    },
    "no agnostic branch": {
        "agnostic": False,
        "fusion": "mul",
        "weighting": "full",
        "steps": (7, 8, 7),
    },
    "no extra losses": {
        "weighting": None,
        "levels": (),
        "adversary": False,
        "disparity": None,
    },
}


class Everything:
    """Prediction and loss terms of a model, in one call."""

    built = True

    def __init__(self, model):
        self.model = model

    def __call__(self, x):
        with self.model._all_representations():
            found = self.model(x)
        return found["prediction"], self.model.objective(found)


@pytest.mark.parametrize("case", CASES)
def test_equals_the_reference(case):
    c = config(**CASES[case])
    weights = random_weights(c)
    prediction, terms = call(
        Everything(model_of(c, weights)), inputs(padding=2)
    )

    x = inputs(padding=2 if c.steps else 0)
    alone = [
        forward({m: v[b : b + 1] for m, v in x.items()}, weights, c)
        for b in range(4)
    ]
    flat = numpy_of(prediction).reshape(4, -1)
    expected_rows = np.concatenate([found.prediction for found in alone])
    assert relative_error(flat, expected_rows) < 1e-5

    expected = losses(forward(x, weights, c), labels(c), weights, c)
    existing = {k: v for k, v in expected.items() if v and k in TERMS}
    assert set(terms) == set(existing)
    for name, value in existing.items():
        assert numpy_of(terms[name]) == pytest.approx(value, rel=1e-5), name
