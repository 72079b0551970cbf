"""The MSAF reference equals the official numbers and keeps our rules."""

from functools import partial
from typing import Any

import numpy as np
import pytest

from tests.goldens import load, small_case
from tests.reference.differences import central_difference, some_entries
from tests.reference.msaf import (
    Bool,
    Float64,
    last_valid,
    lstm,
    nonzero_mask,
    prefix_lengths,
    recurrent_network,
    split_attention_fusion,
)

pytestmark = pytest.mark.once
LAYER_GOLDENS = [
    "msaf_two_modalities",
    "msaf_segments",
    "msaf_floor_mixed_rank",
]


def channels_last(x: Float64) -> Float64:
    return np.moveaxis(x, 1, -1)


def options(config: dict[str, Any]) -> dict[str, Any]:
    return {
        "block_channels": config["block_channel"],
        "attention_floor": config.get("lowest_atten", 0.0),
        "segments": config["split_block"],
    }


def random_weights(
    blocks: int, channels: int, reduced: int, segments: int = 1
) -> dict[str, Float64]:
    generator = np.random.default_rng(7)
    shapes: dict[str, tuple[int, ...]] = {}
    for s in range(segments):
        shapes[f"blocks.{s}.joint_features.0.weight"] = (reduced, channels)
        for leaf in ("weight", "bias", "running_mean", "running_var"):
            shapes[f"blocks.{s}.joint_features.1.{leaf}"] = (reduced,)
        shapes[f"blocks.{s}.joint_features.0.bias"] = (reduced,)
        for k in range(blocks):
            shapes[f"blocks.{s}.dense_group.{k}.weight"] = (channels, reduced)
            shapes[f"blocks.{s}.dense_group.{k}.bias"] = (channels,)
    return {
        name: np.abs(generator.normal(size=shape)) + 0.5
        if name.endswith("running_var")
        else generator.normal(size=shape)
        for name, shape in shapes.items()
    }


def prefix_mask(lengths: list[int], steps: int) -> Bool:
    return np.arange(steps) < np.array(lengths)[:, None]


@pytest.mark.parametrize("name", LAYER_GOLDENS)
def test_layer_equals_official_outputs(name: str) -> None:
    golden = load(name)
    inputs = {k: channels_last(x) for k, x in golden.inputs().items()}
    outputs, attention = split_attention_fusion(
        inputs, golden.state_dict(), **options(golden.meta["config"])
    )
    for output, expected in zip(outputs.values(), golden.outputs, strict=True):
        np.testing.assert_allclose(
            output, channels_last(expected), rtol=1e-7, atol=1e-7
        )
    floor = golden.meta["config"]["lowest_atten"]
    blocks = attention.shape[2]
    np.testing.assert_allclose(
        attention.sum(axis=2), 1.0 + floor * (blocks - 1.0)
    )


@pytest.mark.parametrize("name", LAYER_GOLDENS)
def test_layer_equals_official_gradients(name: str) -> None:
    golden = load(name)
    values = {k: channels_last(x) for k, x in golden.inputs().items()}
    values |= golden.state_dict()
    cotangents = [channels_last(c) for c in golden.cotangents()]

    def objective(key: str, value: Float64) -> float:
        changed = {**values, key: value}
        outputs, _ = split_attention_fusion(
            {k: changed[k] for k in golden.meta["inputs"]},
            changed,
            **options(golden.meta["config"]),
        )
        pairs = zip(outputs.values(), cotangents, strict=True)
        return float(sum(np.sum(y * c) for y, c in pairs))

    expected = {
        k: channels_last(g) for k, g in golden.input_gradients.items()
    } | golden.parameter_gradients
    for key, gradient in expected.items():
        entries = some_entries(gradient, 5)
        found = central_difference(
            partial(objective, key), values[key], entries
        )
        stored = [gradient[entry] for entry in entries]
        np.testing.assert_allclose(found, stored, rtol=1e-5, atol=1e-6)


def test_network_equals_official_outputs_and_gradients() -> None:
    golden = load("msaf_mosei_network")
    values = golden.inputs() | golden.state_dict()
    cotangent = golden.cotangents()[0]

    def network(key: str = "", value: Float64 | None = None) -> Float64:
        changed = values if value is None else {**values, key: value}
        inputs = {k: changed[k] for k in ("visual", "audio", "text")}
        return recurrent_network(inputs, changed, block_channels=16, segments=5)

    def objective(key: str, value: Float64) -> float:
        return float(np.sum(network(key, value) * cotangent))

    np.testing.assert_allclose(
        network(), golden.outputs[0], rtol=1e-7, atol=1e-7
    )
    expected = golden.input_gradients | golden.parameter_gradients
    for key, gradient in expected.items():
        entries = some_entries(gradient, 2)
        found = central_difference(
            partial(objective, key), values[key], entries
        )
        stored = [gradient[entry] for entry in entries]
        np.testing.assert_allclose(found, stored, rtol=1e-4, atol=1e-8)


@pytest.mark.parametrize("name", ["msaf_block", "msaf_split3"])
def test_layer_equals_small_cases(name: str) -> None:
    case = small_case(name)
    inputs = {f"m{i}": channels_last(x) for i, x in enumerate(case["x"])}
    modes = {"y_eval": False}
    if name == "msaf_block":
        modes["y_train_no_dropout_batchnorm_batch_stats"] = True
    for key, training in modes.items():
        outputs, _ = split_attention_fusion(
            inputs,
            case["state_dict"],
            training=training,
            **options(case["config"]),
        )
        for output, expected in zip(outputs.values(), case[key], strict=True):
            # The expected values are written with ten decimals.
            np.testing.assert_allclose(
                output, channels_last(expected), rtol=0, atol=1e-10
            )


@pytest.mark.parametrize("segments", [1, 3])
def test_padded_batch_equals_each_sample_alone(segments: int) -> None:
    generator = np.random.default_rng(0)
    weights = random_weights(5, 4, 3, segments)
    sound, image = [9, 4, 1], [2, 7, 5]
    inputs = {
        "sound": generator.normal(size=(3, 9, 8)),
        "image": generator.normal(size=(3, 7, 2, 3, 7)),
        "profile": generator.normal(size=(3, 3)),
    }
    together, attention = split_attention_fusion(
        inputs,
        weights,
        block_channels=4,
        segments=segments,
        masks={"sound": prefix_mask(sound, 9), "image": prefix_mask(image, 7)},
    )
    for b in range(3):
        alone, alone_attention = split_attention_fusion(
            {
                "sound": inputs["sound"][b : b + 1, : sound[b]],
                "image": inputs["image"][b : b + 1, : image[b]],
                "profile": inputs["profile"][b : b + 1],
            },
            weights,
            block_channels=4,
            segments=segments,
        )
        np.testing.assert_allclose(attention[b], alone_attention[0])
        np.testing.assert_allclose(together["profile"][b], alone["profile"][0])
        for name, lengths in (("sound", sound), ("image", image)):
            valid = together[name][b, : lengths[b]]
            np.testing.assert_allclose(valid, alone[name][0])
            assert np.all(together[name][b, lengths[b] :] == 0.0)


def test_short_sequence_leaves_later_segments_to_the_others() -> None:
    weights = random_weights(2, 4, 2, segments=3)
    inputs = {"long": np.ones((1, 6, 4)), "short": np.ones((1, 2, 4))}
    _, attention = split_attention_fusion(
        inputs, weights, block_channels=4, segments=3, attention_floor=0.25
    )
    # Segment 2 has no step of `short`: its block gets the floor alone, the
    # other block the whole softmax.
    np.testing.assert_allclose(attention[0, 2, 0], 1.0)
    np.testing.assert_allclose(attention[0, 2, 1], 0.25)
    assert np.all(attention[0, :2] > 0.25)


def test_missing_modality_equals_its_absence() -> None:
    generator = np.random.default_rng(1)
    weights = random_weights(3, 4, 2)
    x, y = generator.normal(size=(2, 5, 8)), generator.normal(size=(2, 4))
    outputs, attention = split_attention_fusion(
        {"x": x, "y": y},
        weights,
        block_channels=4,
        masks={"y": np.array([True, False])},
    )
    alone, alone_attention = split_attention_fusion(
        {"x": x}, weights, block_channels=4
    )
    np.testing.assert_allclose(outputs["x"][1], alone["x"][1])
    np.testing.assert_allclose(attention[1, :, :2], alone_attention[1])
    assert np.all(attention[1, :, 2] == 0.0)
    assert np.all(outputs["y"][1] == 0.0)
    assert not np.allclose(outputs["x"][0], alone["x"][0])


def test_nothing_present_gives_uniform_attention_and_zeros() -> None:
    weights = random_weights(4, 4, 2, segments=2)
    x = np.full((1, 3, 16), np.nan)
    outputs, attention = split_attention_fusion(
        {"x": x},
        weights,
        block_channels=4,
        segments=2,
        masks={"x": np.zeros((1, 3), bool)},
    )
    np.testing.assert_allclose(attention, 0.25)
    assert np.all(outputs["x"] == 0.0)


def test_vector_takes_the_mean_of_its_segments_attention() -> None:
    generator = np.random.default_rng(2)
    weights = random_weights(3, 4, 2, segments=3)
    inputs = {
        "steps": generator.normal(size=(2, 7, 4)),
        "vector": generator.normal(size=(2, 6)),
    }
    outputs, attention = split_attention_fusion(
        inputs, weights, block_channels=4, segments=3, attention_floor=0.1
    )
    mean = attention.mean(axis=1)[:, 1:].reshape(2, 8)[:, :6]
    np.testing.assert_allclose(outputs["vector"], inputs["vector"] * mean)


def test_block_mask_scales_once_or_twice() -> None:
    generator = np.random.default_rng(3)
    weights = random_weights(2, 4, 2)
    x = generator.normal(size=(3, 5, 8))
    block_mask = np.array([[[2.0, 0.0]], [[0.0, 2.0]], [[2.0, 2.0]]])
    once, attention = split_attention_fusion(
        {"x": x}, weights, block_channels=4, block_mask=block_mask
    )
    twice, same = split_attention_fusion(
        {"x": x},
        weights,
        block_channels=4,
        block_mask=block_mask,
        official_dropout=True,
    )
    np.testing.assert_array_equal(attention, same)
    np.testing.assert_allclose(twice["x"], 2.0 * once["x"])
    assert np.all(once["x"][0, :, 4:] == 0.0)
    # The descriptor sees the mask once: dropping block 1 of sample 0 and
    # doubling block 0 is the same as changing the input that way.
    changed = x[:1] * np.repeat(block_mask[0], 4)
    _, expected = split_attention_fusion(
        {"x": changed}, weights, block_channels=4
    )
    np.testing.assert_allclose(attention[:1], expected)


def test_training_mode_normalises_with_the_batch() -> None:
    generator = np.random.default_rng(4)
    x = {"x": generator.normal(size=(6, 3, 8))}
    weights = random_weights(2, 4, 2)
    moved = dict(weights)
    moved["blocks.0.joint_features.0.bias"] = (
        weights["blocks.0.joint_features.0.bias"] + 5.0
    )
    results = [
        split_attention_fusion(x, w, block_channels=4, training=True)[1]
        for w in (weights, moved)
    ]
    np.testing.assert_allclose(results[0], results[1])


def test_recurrent_network_ignores_padding_and_batch_mates() -> None:
    generator = np.random.default_rng(5)
    lengths = {"a": [6, 3, 0], "b": [2, 5, 4]}
    weights = {f"msaf.0.{k}": v for k, v in random_weights(3, 4, 2, 2).items()}
    for name, units in (("a", 4), ("b", 8)):
        for layer, width in ((0, 3), (1, units)):
            prefix = f"{name}_model.{layer}."
            shapes = {
                "weight_ih_l0": (4 * units, width),
                "weight_hh_l0": (4 * units, units),
                "bias_ih_l0": (4 * units,),
                "bias_hh_l0": (4 * units,),
            }
            for leaf, shape in shapes.items():
                weights[prefix + leaf] = generator.normal(size=shape)
    weights["multimodal_classifier.0.weight"] = generator.normal(size=(2, 12))
    weights["multimodal_classifier.0.bias"] = generator.normal(size=2)
    inputs = {
        name: generator.normal(size=(3, 6, 3)) * prefix_mask(rows, 6)[..., None]
        for name, rows in lengths.items()
    }
    masks = {name: nonzero_mask(x) for name, x in inputs.items()}
    assert {k: prefix_lengths(m).tolist() for k, m in masks.items()} == lengths
    together = recurrent_network(
        inputs, weights, block_channels=4, segments=2, masks=masks
    )
    for b in range(3):
        shorter = {
            k: x[b : b + 1, : max(lengths[k][b], 1)] for k, x in inputs.items()
        }
        alone = recurrent_network(
            shorter,
            weights,
            block_channels=4,
            segments=2,
            masks={k: nonzero_mask(x) for k, x in shorter.items()},
        )
        np.testing.assert_allclose(together[b], alone[0])


def test_lstm_of_one_unit_by_hand() -> None:
    weights = {
        "weight_ih_l0": np.zeros((4, 1)),
        "weight_hh_l0": np.zeros((4, 1)),
        "bias_ih_l0": np.array([0.0, np.log(3.0), 0.5, 100.0]),
        "bias_hh_l0": np.array([0.0, 0.0, 0.5, 0.0]),
    }
    states = lstm(np.zeros((1, 2, 1)), weights)[0, :, 0]
    first = 0.5 * np.tanh(1.0)
    second = 0.75 * first + 0.5 * np.tanh(1.0)
    np.testing.assert_allclose(states, np.tanh([first, second]))


def test_last_valid_reads_inside_and_zero_when_missing() -> None:
    x = np.arange(12.0).reshape(2, 3, 2)
    mask = prefix_mask([2, 0], 3)
    np.testing.assert_array_equal(last_valid(x, mask), [[2.0, 3.0], [0, 0]])
    np.testing.assert_array_equal(last_valid(x, None), x[:, -1])


def test_nonzero_mask_keeps_holes_inside() -> None:
    x = np.array([[[0.0], [1.0], [0.0], [2.0], [0.0]]])
    np.testing.assert_array_equal(nonzero_mask(x)[0], [1, 1, 1, 1, 0])
    np.testing.assert_array_equal(nonzero_mask(np.eye(2)[:, :1]), [1, 0])
