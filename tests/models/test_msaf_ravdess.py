"""The network of MSAF on RAVDESS: clips and cepstral coefficients."""

import functools

import keras
import numpy as np
import pytest

from keras_mmfusion.convert import load_official
from keras_mmfusion.encoders import MFCCEncoder, ResNeXt3DEncoder
from keras_mmfusion.models import MSAF
from tests import goldens
from tests.backend import input_gradients, relative_error


def emotion_network(size: int = 16, stem_relu: bool = False) -> MSAF:
    """The published form with few and thin layers, for clips of any length."""
    video = ResNeXt3DEncoder(
        size,
        blocks=[1] * 4,
        widths=[4] * 4,
        groups=2,
        stem_width=4,
        stem_relu=stem_relu,
        name="video",
    )
    audio = MFCCEncoder(3, 24, channels=[4, 4, 4], name="audio")
    fusions = [
        {"after": {"video": "stage3", "audio": "conv2"}, "block_channels": 4},
        {"after": {"video": "stage4", "audio": "conv3"}, "block_channels": 4},
    ]
    return MSAF(
        {"video": video, "audio": audio},
        fusions,
        num_classes=3,
        combine="sum",
        modalities=["video", "audio"],
        seed=0,
    )


@functools.cache
def small() -> MSAF:
    return emotion_network()


def batch(steps: int = 20, size: int = 3) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    shapes = {"video": (size, steps, 16, 16, 3), "audio": (size, 24, 3)}
    return {
        m: rng.normal(size=shape).astype("float32")
        for m, shape in shapes.items()
    }


def official_difference() -> float:
    """Of the logits of the whole published network to the official ones."""
    golden = goldens.load("msaf_ravdess_network")
    model = MSAF.from_preset("ravdess", load_weights=False)
    trainable = sum(np.prod(v.shape) for v in model.trainable_variables)
    assert trainable == golden.meta["parameters"] == 25_940_724
    state = golden.state_dict()
    load_official(model, {f"module.{k}": v for k, v in state.items()})
    x = golden.inputs()
    inputs = {
        "video": x["video"].transpose(0, 2, 3, 4, 1).astype("float32"),
        "audio": x["audio"].transpose(0, 2, 1).astype("float32"),
    }
    output = model.predict(inputs, verbose=0)
    return relative_error(output, golden.outputs[0])


@pytest.mark.slow
def test_equals_the_official_network():
    assert official_difference() < 1e-5


def test_more_padding_and_batch_mates_change_nothing():
    x = batch()
    x["video"][0, 11:] = 0
    x["audio"][0, 17:] = 0
    y = small().predict(x, verbose=0)
    longer = np.pad(x["video"], [(0, 0), (0, 13), (0, 0), (0, 0), (0, 0)])
    z = small().predict({**x, "video": longer}, verbose=0)
    np.testing.assert_allclose(y, z, atol=1e-5)
    short = {"video": x["video"][:1, :11], "audio": x["audio"][:1]}
    np.testing.assert_allclose(
        y[:1], small().predict(short, verbose=0), atol=1e-5
    )


def test_missing_modalities_are_finite_in_both_directions():
    x = batch()
    x["video"][:2] = 0
    x["audio"][1:] = 0
    y = small().predict(x, verbose=0)
    assert np.isfinite(y).all()
    heads = [small().get_layer(f"head_{m}").bias for m in x]
    expected = sum(keras.ops.convert_to_numpy(b) for b in heads)
    np.testing.assert_allclose(y[1], expected, atol=1e-6)
    for training in (False, True):
        grads = input_gradients(
            lambda t, training=training: keras.ops.sum(
                small()(t, training=training)
            ),
            x,
        )
        assert all(np.isfinite(g).all() for g in grads.values())


def test_it_trains_and_its_attention_is_explained():
    model = emotion_network()
    x = batch()
    history = model.fit(x, np.arange(3), epochs=2, verbose=0).history
    assert np.isfinite(history["loss"]).all()
    attention = model.explain(x)["fusion1"]
    assert attention["video"].shape == (3, 1, 2, 4)
    assert attention["audio"].shape == (3, 1, 1, 4)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"video": np.zeros((3, 20, 8, 16, 3))}, "16"),
        ({"video": np.zeros((3, 16, 16, 3))}, "5 axes"),
        ({"video": np.zeros((3, 3, 20, 16, 16))}, "axes are in another order"),
        ({"audio": np.zeros((3, 30, 3))}, "24"),
    ],
)
def test_clips_of_another_size_are_named(change, message):
    with pytest.raises(ValueError, match=message):
        small().predict({**batch(), **change}, verbose=0)


def test_the_stem_needs_its_official_form():
    model = emotion_network(stem_relu=True)
    with pytest.raises(ValueError, match="stem_relu=False"):
        load_official(model, {"video_model_blocks.0.0.weight": np.ones(1)})


def test_weights_of_other_networks_name_the_likely_preset():
    signs = {
        "msaf_mosei": "text_model.0.weight_ih_l0",
        "grjca_affwild2": "GRJCA.video_gating_fc_layer.weight",
    }
    for preset, name in signs.items():
        with pytest.raises(ValueError, match=f"from_preset.'{preset}'"):
            load_official(small(), {name: np.ones(1)})
    with pytest.raises(ValueError, match=r"from_preset.'msaf_ravdess'"):
        load_official(
            MSAF.from_shapes({"a": (None, 8), "b": (None, 8)}),
            {"video_model_blocks.0.0.weight": np.ones(1)},
        )
    with pytest.raises(ValueError, match="no published form"):
        load_official(MSAF.from_shapes({"a": (None, 8), "b": (8,)}), {})


def test_bfloat16_trains():
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = emotion_network()
        loss = model.fit(batch(), np.arange(3), verbose=0).history["loss"]
    finally:
        keras.config.set_dtype_policy("float32")
    assert np.isfinite(loss).all()
