"""Files of fused networks that share layers."""

import keras
import numpy as np
import pytest

from keras_mmfusion.models import fuse

layers = keras.layers


def flat(shared, name):
    inputs = keras.Input((8, 8, 1))
    x = layers.GlobalAveragePooling2D(name="pool")(shared(inputs))
    return keras.Model(inputs, layers.Dense(4, name=name)(x))


def sequential(shared, name):
    return keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            shared,
            layers.GlobalAveragePooling2D(name="pool"),
            layers.Dense(4, name=name),
        ]
    )


def nested(shared, name):
    """One of the nested models has the shared layer, the other is shared."""
    outer = keras.Input((8, 8, 1), name=f"{name}_outer")
    own = layers.Conv2D(1, 1, name=name)(outer)
    inner = keras.Model(outer, shared(own), name="inner")
    inputs = keras.Input((8, 8, 1))
    x = layers.GlobalAveragePooling2D(name="pool")(inner(inputs))
    return keras.Model(inputs, layers.Dense(4, name=name)(x))


def encoder():
    inputs = keras.Input((8, 8, 1))
    x = layers.Conv2D(8, 3, name="convolution")(inputs)
    return keras.Model(inputs, x, name="encoder")


def convolution():
    return layers.Conv2D(8, 3, name="convolution")


def batch(*modalities):
    rng = np.random.default_rng(0)
    return {
        m: rng.normal(size=(2, 8, 8, 1)).astype("float32") for m in modalities
    }


@pytest.mark.parametrize(
    ("network", "shared", "tap"),
    [
        (flat, convolution, "convolution"),
        (sequential, convolution, "convolution"),
        (flat, encoder, "encoder"),
        (nested, convolution, "inner"),
    ],
)
def test_shared_layers_are_shared_in_a_keras_file(
    tmp_path, network, shared, tap
):
    x, shared = batch("left", "middle", "right"), shared()
    networks = {m: network(shared, m) for m in x}
    model = fuse(networks, [dict.fromkeys(x, tap)], block_channels=4)
    model.save(tmp_path / "fused.keras")
    twin = keras.saving.load_model(tmp_path / "fused.keras")
    assert len(twin.weights) == len(model.weights)
    np.testing.assert_array_equal(
        twin.predict(x, verbose=0), model.predict(x, verbose=0)
    )
    # What was read is as good as what was written.
    twin.save(tmp_path / "again.keras")
    keras.saving.load_model(tmp_path / "again.keras")


@pytest.mark.once
def test_one_network_for_two_modalities_in_a_keras_file(tmp_path):
    network, x = flat(convolution(), "head"), batch("left", "right")
    taps = [dict.fromkeys(x, "convolution")]
    model = fuse(dict.fromkeys(x, network), taps, block_channels=4)
    model.save(tmp_path / "fused.keras")
    twin = keras.saving.load_model(tmp_path / "fused.keras")
    assert twin.networks["left"] is twin.networks["right"]
    assert len(twin.weights) == len(model.weights)
    config = model.get_config()
    twin = type(model).from_config(config)
    assert twin.networks["left"] is twin.networks["right"]


@pytest.mark.once
def test_what_a_keras_file_cannot_say_is_refused_and_nothing_is_lost(tmp_path):
    inner, x = convolution(), batch("left", "right")
    networks = {
        m: keras.Sequential(
            [
                keras.Input((3, 8, 8, 1)),
                layers.TimeDistributed(inner, name="steps"),
                layers.GlobalAveragePooling3D(),
                layers.Dense(4),
            ]
        )
        for m in x
    }
    model = fuse(networks, [dict.fromkeys(x, "steps")], block_channels=4)
    path = tmp_path / "fused.keras"
    path.write_text("an older file")
    with pytest.raises(ValueError, match="'left/steps' and 'right/steps'"):
        model.save(path)
    assert path.read_text() == "an older file"
