"""Unimodal networks inside a fused one."""

import keras
import numpy as np
import pytest

from keras_mmfusion import models


def fused(combine="sum"):
    model = models.MSAF.from_shapes(
        {"audio": (None, 6), "image": (4,)},
        num_classes=3,
        units=8,
        block_channels=4,
        segments=1,
    )
    return models.MSAF.from_config({**model.get_config(), "combine": combine})


@pytest.mark.parametrize("combine", ["sum", "none", "concat"])
def test_it_is_the_encoder_and_its_head(combine):
    model = fused(combine)
    part = models.unimodal(model, "audio")
    x = np.random.default_rng(0).normal(size=(2, 5, 6)).astype("float32")
    head = part.get_layer("head_audio")
    expected = head(model.encoders["audio"](x))
    np.testing.assert_allclose(
        keras.ops.convert_to_numpy(part({"audio": x})),
        keras.ops.convert_to_numpy(expected),
        rtol=1e-6,
    )
    if combine != "concat":
        assert head is model.get_layer("head_audio")


def test_training_it_trains_the_fused_model():
    model = fused()
    before = model.get_layer("audio_lstm1").get_weights()
    image = model.get_layer("image_dense1").get_weights()
    x = np.random.default_rng(0).normal(size=(4, 5, 6)).astype("float32")
    part = models.unimodal(model, "audio")
    part.fit({"audio": x}, np.array([0, 1, 2, 0]), verbose=0)
    after = model.get_layer("audio_lstm1").get_weights()
    assert np.abs(after[0] - before[0]).max() > 1e-5
    np.testing.assert_array_equal(
        model.get_layer("image_dense1").get_weights()[0], image[0]
    )


def test_layers_are_copied_by_name():
    first, second = fused(), fused()
    names = models.copy_layers(models.unimodal(first, "audio"), second)
    assert names == ["audio_lstm1", "audio_lstm2", "head_audio"]
    for name in names:
        for a, b in zip(
            first.get_layer(name).get_weights(),
            second.get_layer(name).get_weights(),
            strict=True,
        ):
            np.testing.assert_array_equal(a, b)
    assert not np.array_equal(
        first.get_layer("head_image").get_weights()[0],
        second.get_layer("head_image").get_weights()[0],
    )


def test_what_does_not_fit_is_refused_and_nothing_copied():
    source = models.unimodal(fused(), "audio")
    wide = models.MSAF.from_shapes(
        {"audio": (None, 6), "image": (4,)}, num_classes=3, units=16
    )
    before = wide.get_weights()
    with pytest.raises(ValueError, match=r"'audio_lstm1'.*in the target"):
        models.copy_layers(source, wide)
    for a, b in zip(before, wide.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    with pytest.raises(ValueError, match=r"among \['audio', 'image'\]"):
        models.unimodal(fused(), "video")
