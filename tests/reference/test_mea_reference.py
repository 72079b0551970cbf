"""The whole MEA reference keeps the specification's properties."""

import dataclasses
import math
from functools import partial
from typing import Any

import numpy as np
import pytest

from tests.reference.differences import central_difference, some_entries
from tests.reference.mea import (
    discriminator_loss,
    forward,
    length_mask,
    losses,
    training_gradient,
)
from tests.reference.mea_layers import Float64
from tests.reference.mea_losses import importance_log_probabilities
from tests.reference.mea_weights import (
    FORMS,
    Config,
    random_weights,
    weight_shapes,
)

pytestmark = pytest.mark.once
SMALL = Config(
    input_widths=(7, 5, 3),
    kernel_sizes=(3, 3, 5),
    width=8,
    latent=6,
    heads=2,
    mix=0.4,
)
LENGTHS: dict[str, tuple[int, ...]] = {
    "text": (4, 6, 1, 3),
    "audio": (9, 2, 5, 9),
    "video": (3, 3, 7, 1),
}
SWITCHES: list[dict[str, Any]] = [
    {},
    {"mixing": "logits"},
    {"chain": "mixed"},
    {"chain": "mixed", "mixing": "logits"},
    {"chain": None},
    {"self_attention": False},
    {"weighting": None},
    {"weighting_last_only": True},
    {"levels": ()},
    {"levels": ("coarse", "fine")},
    {"levels": ("mixed", "fine")},
    {"levels": ("mixed", "coarse")},
    {"low_level_sources": True},
    {"exclusive": False},
    {"agnostic": False},
    {"disparity": "cka", "bounded": True},
    {"disparity": "orthogonal"},
    {"disparity": None, "adversary": False},
    {"importance": False},
    {"fusion": "concat"},
    {"fusion": "add"},
    {"fusion": "mul"},
    {"self_loops": True},
    {"pool": "last"},
    {"outputs": 4, "task": "classification"},
    {"outputs": 4, "task": "binary_heads"},
]


def small(**changes: Any) -> Config:
    return dataclasses.replace(SMALL, **changes)


def sequences(
    lengths: dict[str, tuple[int, ...]], padding: int = 0, seed: int = 0
) -> dict[str, Float64]:
    """Zero-padded sequences whose values do not depend on the padding."""
    inputs = {}
    for m, (name, rows) in enumerate(lengths.items()):
        generator = np.random.default_rng([seed, m])
        width = SMALL.input_widths[m]
        x = np.zeros((len(rows), max(*rows, 1) + padding, width))
        for b, length in enumerate(rows):
            x[b, :length] = generator.normal(size=(length, width))
        inputs[name] = x
    return inputs


def labels_for(config: Config, batch: int = 4) -> Any:
    generator = np.random.default_rng(5)
    if config.task == "regression":
        return generator.normal(size=(batch, config.outputs))
    if config.task == "classification":
        return generator.integers(0, config.outputs, batch)
    return generator.integers(0, 2, (batch, config.outputs // 2))


def test_parameter_counts_of_the_published_table() -> None:
    mosei = Config(input_widths=(300, 74, 35), heads=10, mix=0.15)
    two = Config(modalities=("a", "b"), input_widths=(7, 5))
    for config, expected in (
        (Config(), 788_038),
        (mosei, 800_074),
        (two, 430_837),
    ):
        shapes = weight_shapes(config).values()
        assert sum(math.prod(shape) for shape in shapes) == expected


@pytest.mark.parametrize("switch", SWITCHES, ids=str)
def test_padding_batch_mates_and_missing_modalities(
    switch: dict[str, Any],
) -> None:
    config = small(**switch)
    weights = random_weights(config)
    lengths = {**LENGTHS, "audio": (9, 0, 5, 9), "video": (3, 0, 7, 0)}
    inputs = sequences(lengths)
    found = forward(inputs, weights, config)
    labels = labels_for(config)
    terms = losses(found, labels, weights, config)
    assert np.all(np.isfinite(list(terms.values())))
    assert np.all(np.isfinite(found.prediction))

    padded = forward(sequences(lengths, padding=3), weights, config)
    np.testing.assert_allclose(
        padded.prediction, found.prediction, rtol=1e-12, atol=1e-13
    )
    assert losses(padded, labels, weights, config) == pytest.approx(terms)
    for branch in ("exclusive", "agnostic"):
        for name, z in getattr(padded, branch).items():
            assert np.all(z[~padded.masks[name]] == 0.0)
    for b in range(4):
        alone = {
            name: x[b : b + 1, : max(lengths[name][b], 1)]
            for name, x in inputs.items()
        }
        np.testing.assert_allclose(
            forward(alone, weights, config).prediction[0],
            found.prediction[b],
            rtol=1e-12,
            atol=1e-13,
        )


@pytest.mark.parametrize("switch", SWITCHES, ids=str)
def test_weights_are_exactly_those_that_are_used(
    switch: dict[str, Any],
) -> None:
    class Watched(dict[str, Float64]):
        def __getitem__(self, name: str) -> Float64:
            used.add(name)
            return super().__getitem__(name)

    used: set[str] = set()
    config = small(**switch)
    weights = Watched(random_weights(config))
    found = forward(sequences(LENGTHS), weights, config)
    losses(found, labels_for(config), weights, config)
    assert used == set(weights)


def test_every_switch_changes_the_result() -> None:
    weights = random_weights(SMALL)
    inputs, seen = sequences(LENGTHS), []
    for switch in SWITCHES:
        if switch.get("fusion") == "concat" or "outputs" in switch:
            continue  # other head
        config = small(**switch)
        if len(config.branches) == 1:
            continue  # other head
        found = forward(inputs, weights, config)
        terms = losses(found, labels_for(config), weights, config)
        value = round(terms["total"], 6)
        assert value not in seen, switch
        seen.append(value)


def test_full_weighting_reads_the_whole_sequence() -> None:
    config = small(weighting="full", steps=(6, 9, 7))
    weights = random_weights(config)
    inputs = sequences(LENGTHS)
    found = forward(inputs, weights, config)
    np.testing.assert_allclose(found.psi[2].sum(axis=1), 1.0)
    shape = weights["exclusive.0.weighting.audio.kernel"].shape
    assert shape == (72, 72)
    one = {name: x[1:2] for name, x in inputs.items()}
    np.testing.assert_allclose(
        forward(one, weights, config).prediction[0], found.prediction[1]
    )


def test_weighting_between_layers_hardly_changes_the_result() -> None:
    # Equal scores make psi exactly 1/3.
    weights = random_weights(SMALL)
    weights |= {
        name: np.zeros_like(value)
        for name, value in weights.items()
        if name.endswith(".score")
    }
    inputs = sequences(LENGTHS)
    every, last, never = (
        forward(inputs, weights, small(**switch)).prediction
        for switch in ({}, {"weighting_last_only": True}, {"weighting": None})
    )
    np.testing.assert_allclose(every, last, atol=1e-3)
    assert np.abs(every - never).max() > 1e-3


def test_missing_modality_equals_a_network_without_it() -> None:
    config = small(levels=("mixed", "coarse"), self_loops=True)
    weights = random_weights(config)
    inputs = sequences({**LENGTHS, "video": (0, 0, 0, 0)})
    found = forward(inputs, weights, config)
    two = small(
        levels=("mixed", "coarse"),
        self_loops=True,
        modalities=("text", "audio"),
        input_widths=(7, 5),
        kernel_sizes=(3, 3),
    )
    # The discriminators' width is the number of modalities; not used here.
    expected = forward(inputs, weights, two)
    np.testing.assert_allclose(found.psi[2][:, :2], expected.psi[2])
    for branch in ("exclusive", "agnostic"):
        for name in two.modalities:
            np.testing.assert_allclose(
                found.latent[branch][name], expected.latent[branch][name]
            )
        # The third node still receives: one more sigmoid in the sum.
        received = found.fused[branch] - expected.fused[branch]
        assert np.all((received > 0.0) & (received < 1.0))


def test_shared_encoder_accepts_lengths_that_differ() -> None:
    found = forward(sequences(LENGTHS), random_weights(SMALL), SMALL)
    steps = {name: z.shape[1] for name, z in found.agnostic.items()}
    assert steps == {"text": 6, "audio": 9, "video": 7}
    for branch in SMALL.branches:
        assert np.all((found.fused[branch] > 0) & (found.fused[branch] < 3))


def test_adversary_starts_at_its_known_values() -> None:
    weights = random_weights(SMALL)
    for name in weights:
        if name.startswith("discriminator"):
            weights[name] = np.zeros_like(weights[name])
    found = forward(sequences(LENGTHS), weights, SMALL)
    terms = losses(found, labels_for(SMALL), weights, SMALL)
    start = 3.0 * np.log(3.0)
    assert terms["exclusive"] == pytest.approx(start)
    assert terms["importance"] == pytest.approx(start)
    assert terms["agnostic"] == pytest.approx(start * 2.0 / 3.0)


@pytest.mark.parametrize("form", FORMS)
def test_total_is_the_weighted_sum(form: str) -> None:
    config = small(**FORMS[form], alpha=0.7, beta=0.3)
    weights = random_weights(config)
    found = forward(sequences(LENGTHS), weights, config)
    terms = losses(found, labels_for(config), weights, config)
    expected = terms["task"] + 0.7 * terms["disparity"]
    for name in ("agnostic", "exclusive", "importance"):
        assert terms[name] > 0.0
        expected += 0.3 * terms[name]
    assert terms["total"] == pytest.approx(expected)
    if form == "stable":
        assert 0.0 <= terms["disparity"] <= 1.0


def test_bounded_discriminators_ignore_the_size_of_their_input() -> None:
    weights = random_weights(SMALL)
    found = forward(sequences(LENGTHS), weights, SMALL)
    h = found.latent["agnostic"]["text"]
    for bounded in (True, False):
        ten, thousand = (
            importance_log_probabilities(scale * h, weights, bounded)
            for scale in (10.0, 1000.0)
        )
        assert np.allclose(ten, thousand, atol=1e-4) == bounded


def small_problem(
    **changes: Any,
) -> tuple[Config, dict[str, Float64], dict[str, Float64], Any]:
    config = small(exclusive_layers=2, agnostic_layers=1, **changes)
    inputs = sequences({k: rows[:3] for k, rows in LENGTHS.items()})
    return config, random_weights(config), inputs, labels_for(config, 3)


def test_importance_discriminator_learns_from_its_own_loss_only() -> None:
    config, weights, inputs, labels = small_problem()
    name = "discriminator.importance.kernel"
    gradient = training_gradient(inputs, labels, weights, config, name)
    assert np.abs(gradient).max() > 1e-4

    def own(kernel: Float64) -> float:
        at = {**weights, name: kernel}
        terms = losses(forward(inputs, at, config), labels, at, config)
        return config.beta * terms["importance"]

    expected = central_difference(own, weights[name])
    np.testing.assert_allclose(gradient, expected, atol=1e-9)


@pytest.mark.parametrize("form", FORMS)
def test_encoder_gets_the_reversed_gradient_of_the_adversary(
    form: str,
) -> None:
    config, weights, inputs, labels = small_problem(**FORMS[form], reversal=0.3)
    base = forward(inputs, weights, config)
    silent = dataclasses.replace(config, adversary=False)

    def judged(name: str, value: Float64) -> float:
        at = {**weights, name: value}
        moved = forward(inputs, at, config)
        return discriminator_loss(
            moved, "agnostic", base, weights, weights, config
        )

    for name in (
        "encoder.agnostic.hidden.kernel",
        "agnostic.0.text.mixed.key.kernel",
    ):
        entries = some_entries(weights[name], 4)
        adversarial = training_gradient(
            inputs, labels, weights, config, name, entries
        ) - training_gradient(inputs, labels, weights, silent, name, entries)
        plain = central_difference(
            partial(judged, name), weights[name], entries
        )
        np.testing.assert_allclose(
            adversarial, -0.3 * config.beta * plain, atol=1e-8
        )
        assert np.abs(plain).max() > 1e-4


def test_gradient_without_reversal_is_that_of_the_loss() -> None:
    # Scale -1 undoes the reversal, no importance leaves nothing stopped.
    config, weights, inputs, labels = small_problem(
        reversal=-1.0, importance=False
    )

    def total(name: str, value: Float64) -> float:
        at = {**weights, name: value}
        return losses(forward(inputs, at, config), labels, at, config)["total"]

    for name in (
        "extractor.audio.backward.kernel",
        "exclusive.1.video.predict.kernel",
        "discriminator.modality.hidden.kernel",
        "graph.agnostic.edge.kernel",
        "head.hidden.bias",
    ):
        entries = some_entries(weights[name], 3)
        np.testing.assert_allclose(
            training_gradient(inputs, labels, weights, config, name, entries),
            central_difference(partial(total, name), weights[name], entries),
            atol=1e-8,
        )


def test_modality_discriminator_is_not_reversed() -> None:
    config, weights, inputs, labels = small_problem()
    name = "discriminator.modality.scores.bias"

    def both(value: Float64) -> float:
        at = {**weights, name: value}
        terms = losses(forward(inputs, at, config), labels, at, config)
        return config.beta * (terms["agnostic"] + terms["exclusive"])

    np.testing.assert_allclose(
        training_gradient(inputs, labels, weights, config, name),
        central_difference(both, weights[name]),
        atol=1e-9,
    )


def test_prediction_does_not_need_the_discriminators() -> None:
    weights = random_weights(SMALL)
    inference = {
        name: value
        for name, value in weights.items()
        if not name.startswith("discriminator")
    }
    inputs = sequences(LENGTHS)
    np.testing.assert_array_equal(
        forward(inputs, weights, SMALL).prediction,
        forward(inputs, inference, SMALL).prediction,
    )


def test_length_mask_keeps_holes_and_finds_missing() -> None:
    x = np.array([[0.0, 3.0, 0.0, 1.0, 0.0], [0.0] * 5])[..., None]
    expected = [[True, True, True, True, False], [False] * 5]
    np.testing.assert_array_equal(length_mask(x), expected)
