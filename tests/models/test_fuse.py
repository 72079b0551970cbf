"""Existing networks with split attention between their layers."""

import keras
import numpy as np
import pytest

from keras_mmfusion.models import FusedModel, fuse
from tests.backend import (
    copied_weights,
    input_gradients,
    relative_error,
)

layers = keras.layers
LOSS = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def vgg(channels):
    """Twice from here, all layers have the same names twice."""
    return keras.applications.VGG16(
        weights=None,
        input_shape=(32, 32, channels),
        include_top=False,
        pooling="avg",
    )


def image_network(classes=4):
    inputs = keras.Input((8, 8, 1))
    x = layers.Conv2D(8, 3, activation="relu", name="conv1")(inputs)
    x = layers.Conv2D(8, 3, activation="relu", name="conv2")(x)
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    return keras.Model(inputs, layers.Dense(classes)(x))


def audio_network(classes=4):
    return keras.Sequential(
        [
            keras.Input((None, 5)),
            layers.Masking(),
            layers.LSTM(8, return_sequences=True, name="lstm1"),
            layers.LSTM(8, name="lstm2"),
            layers.Dense(classes),
        ]
    )


TAPS = [
    {"image": "conv1", "audio": "lstm1"},
    {"image": "pool", "audio": "lstm2"},
]


def fused(taps=TAPS, **settings):
    networks = {"image": image_network(), "audio": audio_network()}
    return fuse(networks, taps, **{"block_channels": 4, "seed": 0, **settings})


def fused_images(**settings):
    """Without a recurrence, which takes long to compile under JAX."""
    networks = {"left": image_network(), "right": image_network()}
    taps = [{"left": "conv1", "right": "conv1"}]
    return fuse(networks, taps, block_channels=4, **settings)


def test_one_seed_gives_every_fusion_weights_of_its_own():
    assert not copied_weights(fused().trainable_weights)


def image_batch():
    image = batch()["image"]
    return {"left": image, "right": image[::-1].copy()}


def batch(size=4, steps=6):
    rng = np.random.default_rng(0)
    return {
        "image": rng.normal(size=(size, 8, 8, 1)).astype("float32"),
        "audio": rng.normal(size=(size, steps, 5)).astype("float32"),
    }


def predict(model, x):
    return model.predict(x, verbose=0)


def test_two_twins_from_one_constructor_keep_weights_and_outputs():
    networks = {"rgb": vgg(3), "depth": vgg(1)}
    before = {m: network.get_weights() for m, network in networks.items()}
    taps = [
        {"rgb": f"block{i}_pool", "depth": f"block{i}_pool"} for i in (2, 4)
    ]
    # With a floor of one, attention is one: the surgery alone is left.
    model = fuse(networks, taps, attention_floor=1.0, block_channels=[32, 64])
    for m, network in networks.items():
        for a, b in zip(before[m], network.get_weights(), strict=True):
            np.testing.assert_array_equal(a, b)
    own = [v for n in networks.values() for v in n.trainable_variables]
    ids = {id(v) for v in model.trainable_variables}
    assert {id(v) for v in own} < ids
    assert len(ids) == len(own) + 12

    inputs = dict(zip(model.modalities, model.inputs, strict=True))
    # Keras itself cannot have both in one model: they have the same name.
    renamed = {
        m: keras.Model(network.input, network.output, name=f"{m}_alone")
        for m, network in networks.items()
    }
    alone = layers.Add()([renamed[m](x) for m, x in inputs.items()])
    both = keras.Model(inputs, {"fused": model.output, "alone": alone})
    rng = np.random.default_rng(0)
    x = {
        m: rng.normal(size=(2, 32, 32, n)).astype("float32")
        for m, n in (("rgb", 3), ("depth", 1))
    }
    outputs = both.predict(x, verbose=0)
    assert relative_error(outputs["fused"], outputs["alone"]) < 1e-5


def test_image_and_recurrent_audio_keep_their_outputs():
    model = fused(attention_floor=1.0)
    x = batch()
    x["audio"][0, 3:] = 0
    alone = sum(predict(model.networks[m], x[m]) for m in x)
    assert relative_error(predict(model, x), alone) < 1e-5
    assert relative_error(predict(fused(), x), alone) > 0.01


def test_more_padding_changes_nothing_where_the_network_has_a_mask():
    model, x = fused(TAPS[:1], segments=2), batch()
    x["audio"][1, 3:] = 0
    longer = {**x, "audio": np.pad(x["audio"], [(0, 0), (0, 5), (0, 0)])}
    np.testing.assert_allclose(
        predict(model, x), predict(model, longer), atol=1e-5
    )


@pytest.mark.parametrize("missing", ["image", "audio"])
def test_a_missing_modality_gets_no_attention_and_no_say(missing):
    model, x = fused(combine="sum"), batch()
    x[missing][1] = 0
    present = next(m for m in x if m != missing)
    attention = model.explain(x)
    for fusion in ("fusion1", "fusion2"):
        assert attention[fusion][missing][1].max() == 0
        np.testing.assert_allclose(
            attention[fusion][present][1].sum(axis=1), 1, rtol=1e-5
        )
    # Weights of the missing network do not matter for this sample.
    before = predict(model, x)
    network = model.networks[missing]
    network.set_weights([w + 0.1 for w in network.get_weights()])
    after = predict(model, x)
    np.testing.assert_allclose(after[1], before[1], atol=1e-6)
    assert np.abs(after[0] - before[0]).max() > 1e-3
    grads = input_gradients(lambda t: keras.ops.sum(model(t)), x)
    assert all(np.isfinite(g).all() for g in grads.values())


def test_batch_mates_and_the_order_of_dicts_change_nothing():
    model, x = fused(), batch()
    first = {m: v[:1] for m, v in x.items()}
    np.testing.assert_allclose(
        predict(model, first), predict(model, x)[:1], atol=1e-5
    )
    turned = dict(reversed(x.items()))
    np.testing.assert_array_equal(predict(model, turned), predict(model, x))


@pytest.mark.parametrize("combine", ["sum", "concat", "none"])
def test_new_heads_learn_from_features(combine):
    networks = {"image": image_network(6), "audio": audio_network(5)}
    model = fuse(networks, TAPS, 3, combine=combine, block_channels=4, seed=0)
    outputs = predict(model, batch())
    shapes = {(4, 3)}
    assert {y.shape for y in keras.tree.flatten(outputs)} == shapes
    if combine != "none":
        x, y = batch(), np.array([0, 1, 2, 0])
        model.compile(keras.optimizers.Adam(0.01))
        losses = model.fit(x, y, epochs=8, verbose=0).history["loss"]
        assert losses[-1] < losses[0]


@pytest.mark.once("torch")  # JAX takes most of a minute to make the network.
def test_a_residual_network_is_cut_behind_its_sums():
    network = keras.applications.ResNet50(
        weights=None, input_shape=(32, 32, 3), classes=4
    )
    networks = {"a": network, "b": image_network()}
    with pytest.raises(ValueError, match="goes around it") as error:
        fuse(networks, [{"a": "conv3_block2_2_conv", "b": "conv1"}])
    assert "'conv3_block1_out' and 'conv3_block2_add'" in str(error.value)
    fuse(networks, [{"a": "conv3_block1_out", "b": "conv1"}], combine="none")


def test_own_outputs_as_a_dict():
    model = fused(combine="none", attention_floor=1.0)
    x = batch()
    for m, y in predict(model, x).items():
        assert relative_error(y, predict(model.networks[m], x[m])) < 1e-5


@pytest.mark.once
def test_no_taps_are_late_fusion():
    model, x = fused(taps=[]), batch()
    alone = sum(predict(model.networks[m], x[m]) for m in x)
    assert relative_error(predict(model, x), alone) < 1e-5
    assert model.explain(x) == {}


@pytest.mark.once
def test_a_frozen_network_stays():
    model = fused_images()
    network = model.networks["left"]
    network.trainable = False
    before = network.get_weights()
    model.compile(keras.optimizers.Adam(0.1), LOSS)
    model.fit(image_batch(), np.arange(4), verbose=0)
    for a, b in zip(before, network.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_keras_file_round_trip(tmp_path):
    model, x = fused(), batch()
    model.compile(keras.optimizers.Adam(0.01), LOSS)
    model.fit(x, np.arange(4), verbose=0)
    model.save(tmp_path / "fused.keras")
    twin = keras.saving.load_model(tmp_path / "fused.keras")
    assert isinstance(twin, FusedModel)
    np.testing.assert_array_equal(predict(model, x), predict(twin, x))
    assert list(twin.explain(x)) == ["fusion1", "fusion2"]


def test_weights_round_trip_and_are_strict(tmp_path):
    path, x = tmp_path / "fused.weights.h5", batch()
    model = fused()
    model.save_weights(path)
    twin = fused(seed=1)
    assert np.abs(predict(twin, x) - predict(model, x)).max() > 1e-3
    twin.load_weights(path)
    np.testing.assert_array_equal(predict(model, x), predict(twin, x))

    fewer = fused(taps=TAPS[:1])
    before = fewer.get_weights()
    with pytest.raises(ValueError, match="another FusedModel"):
        fewer.load_weights(path)
    for a, b in zip(before, fewer.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    fewer.save_weights(path)
    with pytest.raises(ValueError, match="another FusedModel"):
        model.load_weights(path)


@pytest.mark.once
def test_weights_of_other_models_are_refused(tmp_path):
    networks = {"left": image_network(), "right": image_network()}
    taps = [{"left": "conv1", "right": "conv1"}]
    model = fuse(networks, taps, block_channels=4)
    model.save_weights(tmp_path / "a.weights.h5")
    # Same shapes at the same positions, but other modalities.
    renamed = {"above": networks["left"], "below": networks["right"]}
    other = fuse(
        renamed, [{"above": "conv1", "below": "conv1"}], block_channels=4
    )
    with pytest.raises(ValueError, match="another FusedModel"):
        other.load_weights(tmp_path / "a.weights.h5")
    networks["left"].save_weights(tmp_path / "b.weights.h5")
    with pytest.raises(ValueError, match="not saved from a model made by"):
        model.load_weights(tmp_path / "b.weights.h5")


@pytest.mark.once
def test_bfloat16_trains():
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = fused_images(num_classes=4)
        losses = model.fit(image_batch(), np.arange(4), epochs=2, verbose=0)
    finally:
        keras.config.set_dtype_policy("float32")
    assert np.isfinite(losses.history["loss"]).all()


@pytest.mark.once
def test_one_network_for_two_modalities_shares_its_weights():
    network = image_network()
    taps = [{"left": "conv1", "right": "conv1"}]
    model = fuse({"left": network, "right": network}, taps, block_channels=4)
    assert len(model.trainable_variables) == 6 + 6
    image = batch()["image"]
    x = {"left": image, "right": np.zeros_like(image)}
    swapped = {"left": x["right"], "right": x["left"]}
    assert predict(model, x).shape == predict(model, swapped).shape == (4, 4)


@pytest.mark.once
def test_inputs_are_checked():
    model, x = fused(), batch()
    with pytest.raises(ValueError, match="Did you mean 'audio'"):
        model.predict({"image": x["image"], "audi": x["audio"]}, verbose=0)
    with pytest.raises(ValueError, match="NaN"):
        model.predict({**x, "audio": x["audio"] * np.nan}, verbose=0)
    with pytest.raises(ValueError, match="NaN"):
        model.explain({**x, "audio": x["audio"] * np.nan})


@pytest.mark.once
def test_what_cannot_be_done_is_said(tmp_path):
    with pytest.raises(ValueError, match="Pass the `loss`"):
        fused().compile("adam")
    with pytest.raises(ValueError, match=r"model\.save"):
        fused().save_to_preset(tmp_path)


@pytest.mark.once
@pytest.mark.parametrize(
    ("taps", "message"),
    [
        (TAPS[0], "must be a list with a dict"),
        (None, "must be a list with a dict"),
        ([{"image": "conv1"}], "two or more modalities"),
        ([{"image": "conv1", "adio": "lstm1"}], "Did you mean 'audio'"),
        ([{"image": "conv", "audio": "lstm1"}], "Close names: conv"),
        ([TAPS[1], TAPS[0]], "A later fusion"),
    ],
)
def test_bad_taps_are_named(taps, message):
    with pytest.raises(ValueError, match=message):
        fused(taps=taps)


@pytest.mark.once
@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"combine": "concat"}, '"sum"'),
        ({"combine": "product", "num_classes": 3}, "combine"),
        ({"num_classes": 0}, "at least 2"),
        ({"block_channels": [4]}, "a list of 2"),
        ({"attention_floor": 2.0}, "attention_floor"),
        ({"block_channels": 64}, "more channels"),
    ],
)
def test_bad_settings_are_named(settings, message):
    with pytest.raises(ValueError, match=message):
        fused(**settings)


@pytest.mark.once
def test_outputs_that_do_not_fit_are_named():
    audio, taps = audio_network(), TAPS[:1]
    with pytest.raises(ValueError, match="do not add up"):
        fuse({"image": image_network(5), "audio": audio}, taps)
    network = image_network()
    probable = keras.Model(network.input, layers.Softmax()(network.output))
    with pytest.raises(ValueError, match="softmax or sigmoid"):
        fuse({"image": probable, "audio": audio}, taps, block_channels=4)
    maps = network.get_layer("conv2").output
    convolution = keras.Model(network.input, maps)
    with pytest.raises(ValueError, match="global pooling"):
        fuse({"image": convolution, "audio": audio}, taps, 3, block_channels=4)
    with pytest.raises(ValueError, match="two or more modalities"):
        fuse({"image": convolution}, taps)


def test_heads_of_every_modality_learn_labels_given_once():
    model = fused_images(num_classes=3, combine="none")
    y = np.array([0, 1, 2, 0])
    logs = model.evaluate(image_batch(), y, verbose=0, return_dict=True)
    assert {"left_accuracy", "right_accuracy", "sum_accuracy"} <= set(logs)
