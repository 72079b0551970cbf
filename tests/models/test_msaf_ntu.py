"""The network of NTU RGB+D: clips, and persons as streams."""

import functools

import keras
import numpy as np
import pytest

from keras_mmfusion.convert import load_official
from keras_mmfusion.encoders import HCNEncoder, I3DEncoder
from keras_mmfusion.models import MSAF
from tests import goldens
from tests.backend import input_gradients, numpy_of, relative_error

# Of one sample per kind: full, padded, without skeleton, without video.
SHAPES = {"video": (4, 9, 8, 8, 3), "skeleton": (4, 20, 2, 5, 3)}


def ntu_network(**overrides: object) -> MSAF:
    """The published network, as the preset describes it."""
    return MSAF.from_preset("ntu", load_weights=False, **overrides)


def golden_inputs(golden: goldens.Golden) -> dict[str, np.ndarray]:
    x = golden.inputs()
    skeleton = x["skeleton"].transpose(0, 2, 4, 3, 1)  # (B, T, persons, J, 3)
    return {
        "video": x["frames"].astype("float32"),
        "skeleton": skeleton.astype("float32"),
    }


def small(combine: str = "none", **kwargs: object) -> MSAF:
    return MSAF(
        {
            "video": I3DEncoder(
                8, width=1 / 16, dropout=0.0, momentum=0.9, name="video"
            ),
            "skeleton": HCNEncoder(
                5, features=8, steps=8, dropout=0.0, name="skeleton"
            ),
        },
        [
            {
                "after": {"video": "mixed_5b", "skeleton": "conv5"},
                "block_channels": 16,
                "attention_floor": 0.5,
            },
            {
                "after": {"video": "mixed_5c", "skeleton": "fc7"},
                "block_channels": 16,
                "attention_floor": 0.5,
            },
        ],
        num_classes=3,
        combine=combine,
        modalities=["video", "skeleton"],
        **kwargs,
    )


@functools.cache
def shared() -> MSAF:
    """A small network with random weights that no test changes."""
    model = small()
    rng = np.random.default_rng(0)
    for v in model.weights:
        if v.name in ("beta", "bias"):
            v.assign(rng.normal(size=v.shape) / 4)
    return model


def samples() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(1)
    x = {m: rng.normal(size=shape) for m, shape in SHAPES.items()}
    x["video"][1, 4:] = 0
    x["skeleton"][1, 11:] = 0
    x["skeleton"][2] = 0
    x["video"][3] = 0
    return {m: v.astype("float32") for m, v in x.items()}


def joined(outputs: dict) -> np.ndarray:
    return np.concatenate([outputs["video"], outputs["skeleton"]], axis=1)


@pytest.mark.slow
def test_equals_the_official_network():
    golden = goldens.load("msaf_ntu_network")
    model = ntu_network()
    trainable = sum(np.prod(v.shape) for v in model.trainable_variables)
    assert trainable == golden.meta["parameters"] == 13_547_400
    state = golden.state_dict()
    for broken in (
        {**state, "visual.extra": np.zeros(1)},
        {k: v for k, v in state.items() if k != "skeleton.fc8.bias"},
    ):
        with pytest.raises(ValueError, match=r"visual\.extra|fc8\.bias"):
            load_official(model, broken)
    assert load_official(model, state) == []
    outputs = model.predict(golden_inputs(golden), verbose=0)
    for m, expected in zip(("video", "skeleton"), golden.outputs, strict=True):
        assert relative_error(outputs[m], expected) < 1e-4


def test_padding_and_batch_mates_change_nothing():
    x = samples()
    y = joined(shared().predict(x, verbose=0))
    alone = {"video": x["video"][1:2, :4], "skeleton": x["skeleton"][1:2, :11]}
    z = joined(shared().predict(alone, verbose=0))
    np.testing.assert_allclose(y[1:2], z, rtol=1e-4, atol=1e-5)


def test_streams_share_the_attention_and_a_missing_modality_gets_none():
    attention = shared().explain(samples())
    assert {k: v.shape for k, v in attention["fusion1"].items()} == {
        "video": (4, 1, 4, 16),
        "skeleton/person1": (4, 1, 8, 16),
        "skeleton/person2": (4, 1, 8, 16),
    }
    # The floor of 1/2 is there for all; the rest is shared.
    share = {
        m: 2 * (v - 0.5).sum(axis=(1, 2))
        for m, v in attention["fusion1"].items()
    }
    total = sum(share.values())
    np.testing.assert_allclose(total, 1, rtol=1e-4)
    for person in ("skeleton/person1", "skeleton/person2"):
        np.testing.assert_allclose(share[person][2], 0, atol=1e-6)
        assert share[person][0].min() > 1e-3
    np.testing.assert_allclose(share["video"][3], 0, atol=1e-6)
    assert set(attention["fusion2"]) == {"video", "skeleton"}


def test_a_missing_modality_leaves_only_its_bias():
    y = shared().predict(samples(), verbose=0)
    for m, missing in (("skeleton", 2), ("video", 3)):
        bias = numpy_of(shared().get_layer(f"head_{m}").bias)
        np.testing.assert_allclose(y[m][missing], bias, atol=1e-6)
        assert np.abs(y[m][0] - bias).max() > 1e-3


@pytest.mark.slow
def test_gradients_are_finite_where_modalities_are_missing():
    grads = input_gradients(
        lambda x: sum(keras.ops.sum(y) for y in shared()(x).values()),
        samples(),
    )
    assert all(np.isfinite(g).all() for g in grads.values())
    assert np.abs(grads["skeleton"][0]).max() > 0


@pytest.mark.slow
def test_bfloat16_trains():
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = small()
        loss = model.train_on_batch(samples(), np.array([0, 1, 2, 1]))[0]
    finally:
        keras.config.set_dtype_policy("float32")
    assert np.isfinite(loss)
    # The norms' running statistics are where an infinity would stay.
    assert all(np.isfinite(w).all() for w in model.get_weights())


@pytest.mark.once
def test_bad_clips_and_skeletons_are_named():
    x = samples()
    bad = {
        "joints 4 instead of 5": {**x, "skeleton": x["skeleton"][:, :, :, :4]},
        "persons 1 instead of 2": {**x, "skeleton": x["skeleton"][:, :, :1]},
        "height 7 instead of 8": {**x, "video": x["video"][:, :, :7]},
        "axes are batch, frames": {**x, "skeleton": x["skeleton"][:, :, 0]},
    }
    for message, inputs in bad.items():
        with pytest.raises(ValueError, match=message):
            shared().predict(inputs, verbose=0)


@pytest.mark.once
def test_official_weights_of_another_form_are_refused():
    with pytest.raises(ValueError, match="I3DEncoder"):
        load_official(
            small("concat"), {"visual.features.0.conv.weight": np.zeros(1)}
        )
