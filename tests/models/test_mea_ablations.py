"""Every row of the paper's ablation, Table V, and every other switch, alone.

The reference runs on every sample alone and without padding: equality means
that padding and batch mates change nothing. No bias is zero, which would hide
mistakes there. Two of the samples lack modalities. A switch is the same
equations on every backend, which `test_mea_reference.py` compares; here
PyTorch alone, which compiles nothing.
"""

import keras
import numpy as np
import pytest

from tests.backend import input_gradients, numpy_of, relative_error
from tests.models.mea_example import LENGTHS, config, inputs, labels, model_of
from tests.reference.mea import forward, losses
from tests.reference.mea_weights import random_weights

pytestmark = pytest.mark.once("torch")
TERMS = ("disparity", "agnostic", "exclusive", "importance")
TABLE_V = {
    "full": {},
    "w/o L_dis": {"disparity": None},
    "orthogonal separation": {"disparity": "orthogonal"},
    "w/o L_agn + L_exc": {"adversary": False},
    "w/o omega": {"importance": False},
    "w/o exclusive": {"exclusive": False},
    "w/o agnostic": {"agnostic": False},
    "w/o PSA": {"self_attention": False},
    "w/o prediction chain": {"chain": None},
    "w/o WAL": {"weighting": None},
    "w/o HCA": {"levels": ()},
    "w/o mixed": {"levels": ("coarse", "fine")},
    "w/o coarse": {"levels": ("mixed", "fine")},
    "w/o fine": {"levels": ("mixed", "coarse")},
    "w/o DGF": {"fusion": "concat"},
    "DGF to addition": {"fusion": "add"},
    "DGF to multiplication": {"fusion": "mul"},
}
PADDING = 2
STEPS = tuple(max(n) + PADDING for n in LENGTHS.values())
OTHERS = {
    "mixing of logits": {"mixing": "logits"},
    "mixed chain": {"chain": "mixed"},
    "both": {"mixing": "logits", "chain": "mixed"},
    "full weighting": {"weighting": "full", "steps": STEPS},
    "weighting at the end": {"weighting_last_only": True},
    "low-level sources": {"low_level_sources": True, "agnostic_layers": 2},
    "self-loops": {"self_loops": True},
    "last step": {"pool": "last"},
    "bounded adversary": {"bounded": True},
    "scale-free disparity": {"disparity": "cka"},
    "two modalities": {
        "modalities": ("text", "audio"),
        "input_widths": (7, 5),
        "kernel_sizes": (3, 3),
    },
    "binary heads": {"outputs": 4, "task": "binary_heads"},
    "classes": {"outputs": 4, "task": "classification"},
}


def everything(model, x):
    """Prediction and loss terms, as in a training step without dropout."""
    with model._all_representations():
        found = model(x)
    return found["prediction"], model.objective(found, training=True)


def alone(x, sample, c):
    """One sample without its padding, unless weights depend on the length."""
    steps = {m: max(n[sample], 1) for m, n in LENGTHS.items()}
    return {
        m: v[sample : sample + 1, : None if c.steps else steps[m]]
        for m, v in x.items()
    }


@pytest.mark.parametrize("row", [*TABLE_V, *OTHERS])
def test_one_switch(row):
    c = config(**{**TABLE_V, **OTHERS}[row])
    weights = random_weights(c)
    model = model_of(c, weights)
    x = {m: v for m, v in inputs(PADDING).items() if m in c.modalities}
    prediction, terms = everything(model, x)
    rows = [forward(alone(x, b, c), weights, c).prediction for b in range(4)]
    flat = numpy_of(prediction.detach()).reshape(4, -1)
    assert relative_error(flat, np.concatenate(rows)) < 1e-5

    expected = losses(forward(x, weights, c), labels(c), weights, c)
    existing = {k: v for k, v in expected.items() if v and k in TERMS}
    assert set(terms) == set(existing)
    for name, value in existing.items():
        assert numpy_of(terms[name]) == pytest.approx(value, rel=1e-5), name

    def total(tensors):
        prediction, terms = everything(model, tensors)
        return keras.ops.sum(prediction**2) + sum(terms.values())

    # Padding and missing modalities included.
    gradients = input_gradients(total, x)
    assert all(np.isfinite(g).all() for g in gradients.values())
    assert all(np.abs(g[0]).max() > 1e-6 for g in gradients.values())
