"""The training step of MEA: gradients, logs, what is not trained."""

import keras
import numpy as np
import pytest

from keras_mmfusion import models
from keras_mmfusion.ops import recomputed_attention
from tests.backend import numpy_of
from tests.models.mea_example import config, inputs, labels, model_of
from tests.reference.differences import some_entries
from tests.reference.mea import forward, losses, training_gradient
from tests.reference.mea_weights import random_weights
from tests.reference_weights import by_reference_name

RATE = 1000.0
X = inputs()
# Of every part one weight, and of the discriminators all.
PARTS = (
    "extractor.text.conv.kernel",
    "extractor.audio.forward.recurrent",
    "exclusive.0.video.query.kernel",
    "exclusive.1.text.predict.kernel",
    "exclusive.1.weighting.text.score",
    "agnostic.0.text.fine.audio.value.kernel",
    "encoder.exclusive.text.output.bias",
    "encoder.agnostic.hidden.kernel",
    "graph.agnostic.node.kernel",
    "head.hidden.kernel",
    "discriminator.modality.hidden.kernel",
    "discriminator.modality.scores.bias",
    "discriminator.importance.kernel",
)


@pytest.mark.parametrize("form", ["paper", "stable"])
def test_one_step_is_the_gradient_of_the_reference(form, monkeypatch):
    if form == "paper":
        # As with long sequences: no map is kept.
        monkeypatch.setattr(recomputed_attention, "CHUNK", 1)
    stable = {"bounded": True, "disparity": "cka", "mixing": "logits"}
    c = config(
        **(stable if form == "stable" else {}),
        # Fewer units compile faster under JAX.
        levels=("fine",),
        alpha=0.3,
        beta=0.4,
        reversal=0.7,
    )
    weights = random_weights(c)
    model = model_of(c, weights)
    model.compile(keras.optimizers.SGD(RATE))
    logs = model.train_on_batch(X, labels(c), return_dict=True)

    terms = losses(forward(X, weights, c), labels(c), weights, c)
    assert logs["loss"] == pytest.approx(terms.pop("total"), rel=1e-5)
    for name, value in terms.items():
        assert logs[f"{name}_loss"] == pytest.approx(value, rel=1e-5)
    assert {"agnostic_norm", "exclusive_spread", "agnostic_spread"} < set(logs)

    after = by_reference_name(model)
    for name in PARTS:
        gradient = (weights[name] - numpy_of(after[name])) / RATE
        entries = some_entries(gradient, 3)
        expected = training_gradient(X, labels(c), weights, c, name, entries)
        found = [gradient[entry] for entry in entries]
        scale = np.abs(gradient).max()
        assert scale > 1e-6, name
        np.testing.assert_allclose(
            found, expected, atol=2e-4 * scale, err_msg=name
        )


def test_evaluation_logs_the_same_terms_and_trains_nothing():
    c = config(levels=())
    model = model_of(c, ramp_steps=10)
    before = model.get_weights()
    logs = model.evaluate(X, labels(c), verbose=0, return_dict=True)
    weighted = [
        weight * logs[f"{name}_loss"]
        for name, weight in model.objective.weights_of_terms.items()
    ]
    assert logs["loss"] == pytest.approx(logs["task_loss"] + sum(weighted))
    for a, b in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_smaller_last_batch_counts_for_less():
    c = config()
    model = model_of(c, random_weights(c, 0))
    found = [
        model.evaluate(
            inputs(), labels(c), batch_size=size, verbose=0, return_dict=True
        )["task_loss"]
        for size in (4, 3)
    ]
    assert found[1] == pytest.approx(found[0], rel=1e-5)


def test_every_dropout_drops_in_training_and_in_training_alone():
    shapes = {m: (None, x.shape[2]) for m, x in X.items()}
    model = models.MEA(
        shapes,
        width=8,
        latent=6,
        num_heads=2,
        exclusive_layers=1,
        agnostic_layers=1,
        levels=("fine",),
        seed=1,
    )
    states = [v for v in model.non_trainable_variables if "seed" in v.path]
    # Three inputs, the head; three times map, context and feed; six units.
    assert len(states) == 3 + 1 + 3 * (3 + 6)

    def draws():
        return [int(numpy_of(state)[1]) for state in states]

    y = np.zeros((4, 1), "float32")
    model.test_on_batch(X, y)
    assert draws() == [0] * len(states)
    model.train_on_batch(X, y)
    assert draws() == [1] * len(states)


@pytest.mark.once("torch")
def test_half_precision_keeps_about_half(monkeypatch):
    """All tensors that a training step keeps for its gradient, in bytes."""
    import torch

    # As with more clips: no map is kept.
    monkeypatch.setattr(recomputed_attention, "CHUNK", 1)

    kept = {}
    shapes = {"text": (50, 300), "audio": (375, 5), "video": (500, 20)}
    for policy in ("float32", "mixed_bfloat16"):
        keras.config.set_dtype_policy(policy)
        try:
            model = models.MEA(
                {m: (None, width) for m, (_, width) in shapes.items()},
                num_heads=8,
                seed=0,
            )
        finally:
            keras.config.set_dtype_policy("float32")
        own = {w.value.untyped_storage().data_ptr() for w in model.weights}
        found = {}

        def note(t, found=found):
            found[t.untyped_storage().data_ptr()] = t
            return t

        x = {m: torch.randn(1, *shape) for m, shape in shapes.items()}
        with torch.autograd.graph.saved_tensors_hooks(note, lambda t: t):
            model(x, training=True)
        kept[policy] = sum(
            t.untyped_storage().nbytes()
            for where, t in found.items()
            if where not in own
        )
    assert kept["mixed_bfloat16"] < 0.58 * kept["float32"], kept
