"""MEA's building blocks keep the specification's properties."""

from functools import partial

import numpy as np
import pytest

from tests.reference.differences import central_difference
from tests.reference.mea_layers import (
    Bool,
    Float64,
    convolve_maps,
    extract,
    gelu,
    layer_norm,
    lstm,
    predictive_self_attention,
    sine_positions,
    standardize,
    weigh_modalities,
)
from tests.reference.mea_losses import log_softmax
from tests.reference.mea_weights import Config, random_weights

pytestmark = pytest.mark.once
SMALL = Config(input_widths=(7, 5, 3), width=8, latent=6, heads=2)
WEIGHTS = random_weights(SMALL)


def normal(*shape: int, seed: int = 0) -> Float64:
    return np.random.default_rng(seed).normal(size=shape)


def prefix_mask(lengths: list[int], steps: int) -> Bool:
    return np.arange(steps) < np.array(lengths)[:, None]


def attend(
    z: Float64, previous: Float64 | None, layer: int = 1, **changes: object
) -> tuple[Float64, Float64, Float64]:
    options = {"heads": 2, "mix": 0.25, "mixing": "paper", "chain": "logits"}
    return predictive_self_attention(
        z,
        np.ones(z.shape[:2], bool),
        previous,
        WEIGHTS,
        f"exclusive.{layer}.text.",
        **{**options, **changes},  # type: ignore[arg-type]
    )


def test_primitives_equal_torch() -> None:
    torch = pytest.importorskip("torch")
    functional = torch.nn.functional
    x = normal(1, 9, 8)
    units = 4
    network = torch.nn.LSTM(8, units, batch_first=True, dtype=torch.float64)
    prefix = "extractor.text.forward."
    state = {
        "weight_ih_l0": WEIGHTS[f"{prefix}kernel"].T,
        "weight_hh_l0": WEIGHTS[f"{prefix}recurrent"].T,
        "bias_ih_l0": WEIGHTS[f"{prefix}bias"],
        "bias_hh_l0": np.zeros(4 * units),
    }
    network.load_state_dict({k: torch.tensor(v) for k, v in state.items()})
    expected = network(torch.tensor(x))[0].detach().numpy()
    np.testing.assert_allclose(lstm(x[0], WEIGHTS, prefix), expected[0])

    maps = normal(2, 2, 6, 6)
    predict = "exclusive.1.text.predict."
    expected = functional.conv2d(
        torch.tensor(maps),
        torch.tensor(WEIGHTS[f"{predict}kernel"].transpose(3, 2, 0, 1)),
        torch.tensor(WEIGHTS[f"{predict}bias"]),
        padding=1,
    )
    np.testing.assert_allclose(convolve_maps(maps, WEIGHTS, predict), expected)

    np.testing.assert_allclose(gelu(x), functional.gelu(torch.tensor(x)))
    norm = "exclusive.1.text.norm."
    expected = functional.layer_norm(
        torch.tensor(x),
        (8,),
        torch.tensor(WEIGHTS[f"{norm}gain"]),
        torch.tensor(WEIGHTS[f"{norm}offset"]),
    )
    np.testing.assert_allclose(layer_norm(x, WEIGHTS, norm), expected)


def test_extractor_convolves_around_the_step() -> None:
    # With a kernel that is 0 outside its middle tap, only step 1 changes what
    # the LSTMs read at step 1.
    weights = dict(WEIGHTS)
    kernel = np.zeros((3, 7, 8))
    kernel[2, 0, 0] = 1.0
    weights["extractor.text.conv.kernel"] = kernel
    for direction in ("forward", "backward"):
        name = f"extractor.text.{direction}.recurrent"
        weights[name] = np.zeros_like(weights[name])
        name = f"extractor.text.{direction}.bias"
        forget = np.zeros_like(weights[name])
        forget[4:8] = -1e3  # no memory: the output depends on one step only
        weights[name] = forget
    mask = np.ones((1, 5), bool)
    x = normal(1, 5, 7)
    changed = x.copy()
    changed[0, 3, 0] += 1.0
    difference = extract(changed, mask, weights, "extractor.text.") - extract(
        x, mask, weights, "extractor.text."
    )
    moved = np.abs(difference).max(axis=(0, 2)) > 1e-9
    np.testing.assert_array_equal(moved, [False, False, True, False, False])


def test_extractor_reads_backward_from_the_last_valid_step() -> None:
    x = normal(1, 6, 7)
    padded = np.concatenate([x, np.full((1, 4, 7), 9.0)], axis=1)
    z = extract(x, np.ones((1, 6), bool), WEIGHTS, "extractor.text.")
    z_padded = extract(padded, prefix_mask([6], 10), WEIGHTS, "extractor.text.")
    np.testing.assert_array_equal(z, z_padded[:, :6])
    assert np.all(z_padded[:, 6:] == 0.0)
    # The forward half sees no future, the backward half no past (but for the
    # one step that the convolution reads).
    changed = x.copy()
    changed[0, 3] += 1.0
    z_changed = extract(
        changed, np.ones((1, 6), bool), WEIGHTS, "extractor.text."
    )
    same = np.all(z == z_changed, axis=0)
    assert same[:2, :4].all()
    assert same[5:, 4:].all()
    assert not same[2:, :4].any()
    assert not same[:5, 4:].any()


def test_positions_interleave_sine_and_cosine() -> None:
    positions = sine_positions(3, 4)
    np.testing.assert_allclose(positions[0], [0, 1, 0, 1])
    np.testing.assert_allclose(
        positions[2], [np.sin(2), np.cos(2), np.sin(0.02), np.cos(0.02)]
    )


def test_first_layer_ignores_how_maps_are_mixed() -> None:
    z = normal(2, 5, 8)
    results = [
        attend(z, None, 0, mixing=mixing, mix=mix, chain=chain)[0]
        for mixing, mix, chain in (
            ("paper", 0.25, "logits"),
            ("logits", 0.9, "mixed"),
            ("paper", 0.0, None),
        )
    ]
    np.testing.assert_array_equal(results[0], results[1])
    np.testing.assert_array_equal(results[0], results[2])


@pytest.mark.parametrize("mixing", ["paper", "logits"])
def test_zero_mix_gives_the_convolution_no_gradient(mixing: str) -> None:
    z, previous = normal(1, 4, 8), normal(1, 2, 4, 4)
    name = "exclusive.1.text.predict.kernel"

    def total(mix: float, kernel: Float64) -> float:
        output, _, _ = predictive_self_attention(
            z,
            np.ones((1, 4), bool),
            previous,
            {**WEIGHTS, name: kernel},
            "exclusive.1.text.",
            heads=2,
            mix=mix,
            mixing=mixing,
            chain="logits",
        )
        return float(np.sum(output * normal(1, 4, 8, seed=1)))

    for mix, moves in ((0.0, False), (0.25, True)):
        gradient = central_difference(partial(total, mix), WEIGHTS[name])
        assert (np.abs(gradient).max() > 1e-6) == moves


def test_zero_mix_is_not_the_same_as_no_chain() -> None:
    z, previous = 3.0 * normal(2, 6, 8), normal(2, 2, 6, 6)
    double = attend(z, previous, mix=0.0)[1]
    single = attend(z, previous, chain=None)[1]
    assert np.abs(double - single).max() > 0.01
    same = attend(z, previous, mix=0.0, mixing="logits")[1]
    np.testing.assert_allclose(same, single)


def test_softmax_of_a_softmax_is_nearly_uniform() -> None:
    # With no predicted map the scores lie in [0, 1 - mix].
    weights = dict(WEIGHTS)
    for leaf in ("kernel", "bias"):
        name = f"exclusive.1.text.predict.{leaf}"
        weights[name] = np.zeros_like(weights[name])
    _, attention, _ = predictive_self_attention(
        50.0 * normal(2, 9, 8),
        np.ones((2, 9), bool),
        normal(2, 2, 9, 9),
        weights,
        "exclusive.1.text.",
        heads=2,
        mix=0.25,
        mixing="paper",
        chain="logits",
    )
    ratio = attention.max(axis=-1) / attention.min(axis=-1)
    assert ratio.max() <= np.exp(0.75) + 1e-12


def test_what_is_handed_on() -> None:
    z, previous = normal(1, 5, 8), normal(1, 2, 5, 5)
    for mixing in ("paper", "logits"):
        _, attention, mixed = attend(z, previous, mixing=mixing, chain="mixed")
        np.testing.assert_allclose(
            attention, np.exp(log_softmax(mixed)), rtol=1e-12
        )
    _, attention, logits = attend(z, None, 1)
    np.testing.assert_allclose(attention, np.exp(log_softmax(logits)))
    _, _, same = attend(z, previous, 1)
    np.testing.assert_array_equal(logits, same)


def test_weights_of_modalities_sum_to_one_over_the_present() -> None:
    sequences = {name: normal(3, 4, 8, seed=i) for i, name in enumerate("abc")}
    lengths = {"a": [4, 0, 0], "b": [2, 3, 0], "c": [1, 4, 0]}
    masks = {name: prefix_mask(rows, 4) for name, rows in lengths.items()}
    weights = {
        key.replace("text", "a").replace("audio", "b").replace("video", "c"): v
        for key, v in WEIGHTS.items()
    }
    weighted, psi = weigh_modalities(
        sequences, masks, weights, "exclusive.0.weighting.", "pooled"
    )
    np.testing.assert_allclose(psi.sum(axis=1), [1.0, 1.0, 0.0])
    assert psi[1, 0] == 0.0
    assert np.all(psi[0] > 0.0)
    np.testing.assert_allclose(
        weighted["b"], sequences["b"] * psi[:, 1, None, None]
    )


def test_weight_between_layers_is_almost_cancelled_by_the_norm() -> None:
    z = standardize(normal(4, 9, 8))
    for psi, bound in ((1.0 / 3.0, 1e-4), (0.1, 1e-3), (0.01, 0.08)):
        change = np.abs(standardize(psi * z) / standardize(z) - 1.0).max()
        assert change < bound
    assert change > 0.01  # at 0.01 the norm's epsilon is felt
