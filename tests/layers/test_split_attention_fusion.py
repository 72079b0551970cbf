import json

import keras
import numpy as np
import pytest
from keras import ops

from keras_mmfusion.convert import load_official
from keras_mmfusion.layers import SplitAttentionFusion
from tests import goldens
from tests.backend import call, input_gradients, numpy_of, relative_error
from tests.reference import msaf as reference

GOLDENS = ["msaf_two_modalities", "msaf_segments", "msaf_floor_mixed_rank"]


def channels_last(x: np.ndarray) -> np.ndarray:
    return np.moveaxis(x, 1, -1)


def layer_of(config: dict, **kwargs: object) -> SplitAttentionFusion:
    """Our layer for the official constructor arguments."""
    return SplitAttentionFusion(
        block_channels=config["block_channel"],
        reduction_factor=config["reduction_factor"],
        attention_floor=config.get("lowest_atten", 0.0),
        segments=config["split_block"],
        **kwargs,
    )


def random_weights(
    layer: SplitAttentionFusion, seed: int = 0
) -> dict[str, np.ndarray]:
    """Random weights under the official names."""
    rng = np.random.default_rng(seed)
    C, r = layer.block_channels, layer.block_channels // layer.reduction_factor
    state = {}
    for s in range(layer.segments):
        joint = f"blocks.{s}.joint_features."
        state[f"{joint}0.weight"] = rng.normal(size=(r, C)) / 2
        state[f"{joint}0.bias"] = rng.normal(size=r)
        state[f"{joint}1.weight"] = rng.normal(size=r) + 1
        state[f"{joint}1.bias"] = rng.normal(size=r)
        state[f"{joint}1.running_mean"] = rng.normal(size=r)
        state[f"{joint}1.running_var"] = rng.uniform(0.5, 1.5, size=r)
        for k in range(sum(layer.blocks)):
            state[f"blocks.{s}.dense_group.{k}.weight"] = rng.normal(
                size=(C, r)
            )
            state[f"blocks.{s}.dense_group.{k}.bias"] = rng.normal(size=C)
    return state


@pytest.mark.parametrize("name", GOLDENS)
def test_equals_the_official_layer(name):
    golden = goldens.load(name)
    layer = layer_of(golden.meta["config"])
    x = {k: channels_last(v) for k, v in golden.inputs().items()}
    keys = list(x)
    layer.build([v.shape for v in x.values()])
    load_official(layer, golden.state_dict())

    outputs = call(layer, [x[k].astype("float32") for k in keys])
    for output, expected in zip(outputs, golden.outputs, strict=True):
        assert relative_error(output, channels_last(expected)) < 1e-5

    cotangents = [channels_last(c) for c in golden.cotangents()]

    def loss(tensors):
        ys = layer([tensors[k] for k in keys])
        return sum(
            ops.sum(y * ops.convert_to_tensor(c.astype("float32")))
            for y, c in zip(ys, cotangents, strict=True)
        )

    grads = input_gradients(loss, x)
    for key in keys:
        expected = channels_last(golden.input_gradients[key])
        assert relative_error(grads[key], expected) < 1e-5


@pytest.mark.parametrize("name", ["msaf_block", "msaf_split3"])
def test_equals_the_small_official_cases(name):
    path = goldens.FOLDER / "small_cases.json"
    case = json.loads(path.read_text())[name]
    layer = layer_of(case["config"])
    inputs = [channels_last(np.array(x)) for x in case["x"]]
    layer.build([x.shape for x in inputs])
    state = {k: np.array(v) for k, v in case["state_dict"].items()}
    load_official(layer, state)
    outputs = call(layer, [x.astype("float32") for x in inputs])
    for output, expected in zip(outputs, case["y_eval"], strict=True):
        assert relative_error(output, channels_last(np.array(expected))) < 1e-5


def test_batch_statistics_in_training_equal_the_official_ones():
    path = goldens.FOLDER / "small_cases.json"
    case = json.loads(path.read_text())["msaf_block"]
    layer = layer_of(case["config"])
    inputs = [channels_last(np.array(x)) for x in case["x"]]
    layer.build([x.shape for x in inputs])
    state = {k: np.array(v) for k, v in case["state_dict"].items()}
    load_official(layer, state)
    outputs = call(layer, [x.astype("float32") for x in inputs], training=True)
    expected = case["y_train_no_dropout_batchnorm_batch_stats"]
    for output, y in zip(outputs, expected, strict=True):
        assert relative_error(output, channels_last(np.array(y))) < 1e-5


MIXED = {
    "audio": (3, 11, 20),
    "clip": (3, 9, 2, 2, 33),
    "facts": (3, 7),
}
LENGTHS = {"audio": [11, 4, 0], "clip": [5, 9, 2], "facts": [1, 0, 1]}


def mixed_inputs(seed: int = 1) -> tuple[dict, dict]:
    """Mixed ranks, uneven channels, ragged lengths, missing modalities."""
    rng = np.random.default_rng(seed)
    x, masks = {}, {}
    for name, shape in MIXED.items():
        steps = 1 if len(shape) == 2 else shape[1]
        mask = np.arange(steps) < np.array(LENGTHS[name])[:, None]
        values = rng.normal(size=shape)
        expand = mask.reshape(mask.shape + (1,) * (len(shape) - 2))
        x[name] = values * (mask if len(shape) == 2 else expand)
        masks[name] = mask[:, 0] if len(shape) == 2 else mask
    return x, masks


@pytest.mark.parametrize("floor", [0.0, 0.3])
@pytest.mark.parametrize("segments", [1, 3])
@pytest.mark.parametrize("training", [False, True])
def test_masks_and_mixed_ranks_equal_the_reference(segments, training, floor):
    x, masks = mixed_inputs()
    layer = SplitAttentionFusion(8, 2, floor, segments, modalities=list(MIXED))
    layer.build({k: v.shape for k, v in x.items()})
    weights = random_weights(layer)
    load_official(layer, weights)
    expected, attention = reference.split_attention_fusion(
        x,
        weights,
        block_channels=8,
        attention_floor=floor,
        segments=segments,
        masks=masks,
        training=training,
    )
    outputs, weight = call(
        layer,
        {k: v.astype("float32") for k, v in x.items()},
        mask=masks,
        training=training,
        return_attention=True,
    )
    assert relative_error(weight, attention) < 1e-5
    for name in MIXED:
        assert relative_error(outputs[name], expected[name]) < 1e-5


@pytest.mark.parametrize("official", [False, True])
def test_block_dropout_equals_the_reference(official, monkeypatch):
    x, masks = mixed_inputs()
    layer = SplitAttentionFusion(
        8,
        segments=2,
        block_dropout=0.5,
        official_dropout=official,
        modalities=list(MIXED),
    )
    layer.build({k: v.shape for k, v in x.items()})
    weights = random_weights(layer)
    load_official(layer, weights)
    blocks = sum(layer.blocks)
    drop = np.random.default_rng(0).integers(0, 2, (3, 2, blocks)) * 2.0
    monkeypatch.setattr(
        layer,
        "_drop_mask",
        lambda *_: ops.convert_to_tensor(drop[..., None].astype("float32")),
    )
    outputs = call(
        layer,
        {k: v.astype("float32") for k, v in x.items()},
        mask=masks,
        training=True,
    )
    expected, _ = reference.split_attention_fusion(
        x,
        weights,
        block_channels=8,
        segments=2,
        masks=masks,
        training=True,
        block_mask=drop,
        official_dropout=official,
    )
    for name in MIXED:
        assert relative_error(outputs[name], expected[name]) < 1e-5


def test_official_dropout_scales_kept_blocks_twice():
    x = [np.ones((64, 8), "float32")] * 2
    scales = []
    for official in (False, True):
        layer = SplitAttentionFusion(
            8,
            attention_floor=1.0,
            block_dropout=0.2,
            official_dropout=official,
            seed=3,
        )
        outputs = call(layer, x, training=True)
        scales.append(max(numpy_of(y).max() for y in outputs))
    np.testing.assert_allclose(scales, [1 / 0.8, 1 / 0.8**2], rtol=1e-6)


def test_padding_and_batch_mates_change_nothing():
    x, masks = mixed_inputs()
    layer = SplitAttentionFusion(8, segments=3)
    alone = call(
        layer,
        {k: v[:1] for k, v in x.items()},
        mask={k: v[:1] for k, v in masks.items()},
    )
    longer = {
        k: np.pad(v, [(0, 0), (0, 6)] + [(0, 0)] * (v.ndim - 2))
        if v.ndim > 2
        else v
        for k, v in x.items()
    }
    longer_masks = {
        k: np.pad(m, [(0, 0), (0, 6)]) if m.ndim > 1 else m
        for k, m in masks.items()
    }
    batch = call(layer, longer, mask=longer_masks)
    for name, y in alone.items():
        y, z = numpy_of(y), numpy_of(batch[name])
        z = z[:1, : y.shape[1]]
        np.testing.assert_allclose(y, z, atol=1e-6)


def test_order_of_the_dict_does_not_matter():
    x, masks = mixed_inputs()
    layer = SplitAttentionFusion(8, segments=3)
    layer.build({k: v.shape for k, v in x.items()})
    turned = dict(reversed(x.items()))
    y = call(layer, x, mask=masks)
    z = call(layer, turned, mask=dict(reversed(masks.items())))
    for name in x:
        np.testing.assert_array_equal(numpy_of(y[name]), numpy_of(z[name]))


def test_exchanged_modalities_change_the_output():
    layer = SplitAttentionFusion(4)
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 2, 5, 8)).astype("float32")
    y = call(layer, {"a": a, "b": b})
    z = call(layer, {"a": b, "b": a})
    assert np.abs(numpy_of(y["a"]) - numpy_of(z["b"])).max() > 1e-3


def test_attention_sums_to_one_over_the_blocks_of_present_modalities():
    x, masks = mixed_inputs()
    layer = SplitAttentionFusion(8)
    _, attention = call(layer, x, mask=masks, return_attention=True)
    attention = numpy_of(attention)
    np.testing.assert_allclose(attention.sum(axis=2), 1, rtol=1e-5)
    first = layer.blocks[0]  # audio, missing in the third sample
    assert layer.order[0] == "audio"
    assert attention[2, :, :first].max() == 0


def test_missing_everything_is_finite_with_finite_gradients():
    shapes = {"a": (2, 5, 8), "b": (2, 8)}
    layer = SplitAttentionFusion(4, segments=2)
    layer.build(shapes)
    masks = {"a": np.zeros((2, 5), bool), "b": np.zeros(2, bool)}
    x = {k: np.zeros(s) for k, s in shapes.items()}
    grads = input_gradients(
        lambda t: sum(ops.sum(y) for y in layer(t, mask=masks).values()), x
    )
    for value in grads.values():
        assert np.isfinite(value).all()


def test_floor_of_one_is_the_identity():
    x = np.random.default_rng(0).normal(size=(2, 3, 6)).astype("float32")
    y = SplitAttentionFusion(4, attention_floor=1.0)({"a": x, "b": x})
    np.testing.assert_allclose(numpy_of(y["a"]), x, rtol=1e-6)


def test_parameter_count_is_the_published_formula():
    layer = SplitAttentionFusion(16, 2, segments=5)
    layer.build([(None, None, 32), (None, None, 64), (None, None, 128)])
    assert sum(np.prod(v.shape) for v in layer.trainable_variables) == 10840


def test_bfloat16_keeps_the_softmax_in_float32():
    layer = SplitAttentionFusion(8, dtype="mixed_bfloat16")
    x = np.ones((2, 4, 16), "float32")
    y, attention = call(layer, {"a": x, "b": x}, return_attention=True)
    assert keras.backend.standardize_dtype(y["a"].dtype) == "bfloat16"
    assert keras.backend.standardize_dtype(attention.dtype) == "float32"


@pytest.mark.parametrize(
    ("arguments", "shapes", "message"),
    [
        ({"block_channels": 0}, None, "block_channels"),
        ({"block_channels": 2.5}, None, "block_channels"),
        ({"block_channels": 4, "reduction_factor": 8}, None, "at least one"),
        ({"block_channels": 4, "attention_floor": 1.5}, None, "floor"),
        ({"block_channels": 4, "segments": 0}, None, "segments"),
        ({"block_channels": 4, "block_dropout": 1.0}, None, "block_dropout"),
        ({"block_channels": 99}, {"a": (1, 8), "b": (1, 8)}, "more channels"),
        (
            {"block_channels": 4, "segments": 2},
            {"a": (1, 8), "b": (1, 8)},
            "time axis",
        ),
        ({"block_channels": 4}, {"a": (1, 8)}, "two or more"),
        ({"block_channels": 4}, (1, 8), "two or more"),
        ({"block_channels": 4}, {"a": (1, 8), "b": (1, None)}, "channels"),
        (
            {"block_channels": 4, "modalities": ["a", "c"]},
            {"a": (1, 8), "b": (1, 8)},
            "expects the modalities",
        ),
    ],
)
def test_bad_arguments_are_named(arguments, shapes, message):
    with pytest.raises(ValueError, match=message):
        SplitAttentionFusion(**arguments).build(shapes)


def test_unknown_modality_is_named():
    layer = SplitAttentionFusion(4)
    layer.build({"a": (1, 8), "b": (1, 8)})
    x = np.ones((1, 8), "float32")
    with pytest.raises(ValueError, match="unknown \\['c'\\]"):
        layer({"a": x, "c": x})


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_half_precision_stands_long_sequences(policy):
    """The sum over the steps would be above the largest float16."""
    x = {
        "audio": np.full((2, 3000, 4), 30, "float32"),
        "video": np.full((2, 4, 40, 40, 4), 30, "float32"),
    }
    mask = {"audio": np.ones((2, 3000), bool), "video": np.ones((2, 4), bool)}
    mask["audio"][1, 2999:] = False
    expected = None
    for dtype in ("float32", policy):
        layer = SplitAttentionFusion(4, seed=0, dtype=dtype)
        layer.build({k: v.shape for k, v in x.items()})
        y = {
            k: ops.cast(v, "float32")
            for k, v in call(layer, x, mask=mask).items()
        }
        expected = expected or y
    for name, value in y.items():
        assert relative_error(value, numpy_of(expected[name])) < 0.02
