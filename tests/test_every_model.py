"""What holds for every fusion model; a new model fails until it has a case."""

import json

import keras
import numpy as np
import pytest

from keras_mmfusion import models, presets, registry
from keras_mmfusion.data import Split
from tests.backend import copied_weights, input_gradients, spare_tracing

# `left` and `right` are twins: exchanging their weights must not go unseen.
SHAPES = {"facts": (3,), "left": (None, 5), "right": (None, 5)}
CLASSES = [name for name in models.__all__ if name.isupper()]
SEQUENCES = {m: SHAPES[m] for m in ("left", "right")}
CASES = {
    "GRJCA": lambda: models.GRJCA.from_shapes(
        SEQUENCES, num_classes=4, per_step=False, channels=[8], seed=0
    ),
    "MEA": lambda: models.MEA(
        SEQUENCES,
        num_classes=4,
        width=8,
        latent=8,
        num_heads=2,
        exclusive_layers=2,
        agnostic_layers=1,
        levels=["mixed"],
        seed=0,
    ),
    "MSAF": lambda: models.MSAF.from_shapes(
        SHAPES,
        num_classes=4,
        units=8,
        block_channels=4,
        segments=2,
        dropout=0.1,
        seed=0,
    ),
}


@pytest.fixture(params=CLASSES, scope="module")
def make(request):
    if request.param not in CASES:
        pytest.fail(f"Add models.{request.param} to CASES in {__file__}.")
    return CASES[request.param]


@pytest.fixture(scope="module")
def model(make):
    """For tests that do not train: a model compiles its predictions once."""
    made = make()
    rng = np.random.default_rng(1)
    # Biases that are zero, as made, would hide mistakes at the padding.
    for weight in made.trainable_weights:
        noise = rng.normal(size=weight.shape).astype("float32")
        weight.assign_add(0.2 * noise)
    return made


def batch(model, steps=7):
    rng = np.random.default_rng(0)
    sizes = {
        m: (4, *(steps if s is None else s for s in shape))
        for m, shape in model.sample_shapes.items()
    }
    return {m: rng.normal(size=s).astype("float32") for m, s in sizes.items()}


def predict(model, x):
    outputs = keras.tree.flatten(model.predict(x, verbose=0))
    return np.concatenate([y.reshape(len(y), -1) for y in outputs], axis=1)


def test_config_is_plain_json_and_rebuilds_the_model(model):
    twin = registry.from_config(
        json.loads(json.dumps(registry.to_config(model)))
    )
    assert twin.get_config() == model.get_config()
    assert list(presets.named_weights(twin)) == list(
        presets.named_weights(model)
    )


def test_no_weight_has_an_automatic_name(make, model):
    second = make()
    assert presets.automatic_names(second) == []
    assert list(presets.named_weights(model)) == list(
        presets.named_weights(second)
    )


def test_more_padding_changes_nothing(model):
    x = batch(model)
    x["left"][1, 3:] = 0
    longer = {
        m: np.pad(v, [(0, 0), (0, 4), (0, 0)]) if v.ndim == 3 else v
        for m, v in x.items()
    }
    np.testing.assert_allclose(
        predict(model, x), predict(model, longer), atol=1e-5
    )


def test_batch_mates_change_nothing(model):
    x = batch(model)
    alone = predict(model, {m: v[:1] for m, v in x.items()})
    np.testing.assert_allclose(alone, predict(model, x)[:1], atol=1e-5)


def test_missing_modalities_are_finite_in_both_directions(model):
    x = batch(model)
    for i, m in enumerate(x):
        x[m][[i, 3]] = 0
    assert np.isfinite(predict(model, x)).all()
    grads = input_gradients(
        lambda t: sum(keras.ops.sum(y) for y in keras.tree.flatten(model(t))),
        x,
    )
    assert all(np.isfinite(g).all() for g in grads.values())


def test_the_order_of_the_dict_does_not_matter(model):
    x = batch(model)
    turned = dict(reversed(x.items()))
    np.testing.assert_array_equal(predict(model, x), predict(model, turned))


def test_exchanged_twins_change_the_output(model):
    x = batch(model)
    swapped = {**x, "left": x["right"], "right": x["left"]}
    assert np.abs(predict(model, x) - predict(model, swapped)).max() > 1e-4


def test_training_then_a_preset_gives_the_same_model(make, tmp_path):
    model = make()
    x = batch(model)
    model.fit(x, np.arange(4), verbose=0)
    model.save_to_preset(tmp_path / "preset")
    twin = type(model).from_preset(tmp_path / "preset")
    np.testing.assert_allclose(predict(model, x), predict(twin, x), atol=1e-6)
    spare_tracing(twin).fit(x, np.arange(4), verbose=0)


def test_a_keras_file_keeps_frozen_layers_and_the_optimizer(make, tmp_path):
    model = make()
    for layer in model.layers:
        if layer.name.startswith("left") and layer.weights:
            layer.trainable = False
    model.compile(keras.optimizers.Adam(1e-2))
    model.optimizer.build(model.trainable_variables)
    model.optimizer.iterations.assign(7)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    frozen = [v.path for v in model.weights if not v.trainable]
    assert len(model.trainable_weights) < len(make().trainable_weights)
    assert [v.path for v in again.trainable_weights] == [
        v.path for v in model.trainable_weights
    ]
    assert [v.path for v in again.weights if not v.trainable] == frozen
    assert int(again.optimizer.iterations) == 7


def test_a_clone_is_a_compiled_model_of_keras(make):
    model = make()
    clone = keras.models.clone_model(model)
    assert clone.compiled
    assert [w.shape for w in clone.weights] == [
        w.shape for w in make().weights
    ] or "MEA" in type(model).__name__  # Its discriminators stay behind.


def test_a_file_of_a_model_with_lora_has_it_merged(make, tmp_path):
    model = make()
    for layer in model._flatten_layers():
        if isinstance(layer, keras.layers.Dense):
            layer.enable_lora(2)
    model.compile()
    x = batch(model)
    spare_tracing(model).fit(x, np.arange(4), verbose=0)
    with pytest.warns(UserWarning, match="LoRA .* is merged"):
        model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(predict(model, x), predict(again, x), atol=1e-6)
    with pytest.raises(ValueError, match="A preset has no place for LoRA"):
        model.save_to_preset(tmp_path / "preset")
    model.save_weights(tmp_path / "model.weights.h5")
    twin = make()
    twin.load_weights(tmp_path / "model.weights.h5")
    np.testing.assert_allclose(predict(model, x), predict(twin, x), atol=1e-6)


def test_a_keras_file_of_another_policy_is_named(make, tmp_path):
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        make().save(tmp_path / "model.keras")
    finally:
        keras.config.set_dtype_policy("float32")
    with pytest.warns(UserWarning, match="mixed_bfloat16.*float32"):
        keras.saving.load_model(tmp_path / "model.keras")


def test_bfloat16_trains(make):
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = make()
        history = model.fit(
            batch(model), np.arange(4), epochs=2, verbose=0
        ).history
    finally:
        keras.config.set_dtype_policy("float32")
    assert np.isfinite(history["loss"]).all()
    # Logits and values with steps of 1/128 would be wrong, silently.
    assert {x.dtype for x in model.outputs} == {"float32"}


def test_float16_trains_with_missing_modalities(make):
    keras.config.set_dtype_policy("mixed_float16")
    try:
        model = make()
        x = batch(model)
        x["left"][0] = x["right"][1] = 0
        model.fit(x, np.arange(4), epochs=12, verbose=0)
    finally:
        keras.config.set_dtype_policy("float32")
    # A step whose gradient is not finite is left out, without a word.
    assert int(model.optimizer.inner_optimizer.iterations) >= 8


def test_unknown_and_missing_modalities_are_named(model):
    x = batch(model)
    left = x.pop("left")
    with pytest.raises(ValueError, match="left"):
        model.predict(x, verbose=0)
    with pytest.raises(ValueError, match="lift"):
        model.predict({**x, "left": left, "lift": left}, verbose=0)
    with pytest.raises(ValueError, match="left"):
        model(x)


def test_no_two_dropouts_draw_the_same(make, model):
    """With one seed for all parts, twin modalities would lose the same."""
    states = [
        keras.ops.convert_to_numpy(v)[0]
        for v in make().variables
        if v.name == "seed_generator_state"
    ]
    assert len(states) >= len(model.sample_shapes)
    assert len(set(states)) == len(states), states


def test_one_seed_gives_every_weight_values_of_its_own(make):
    assert not copied_weights(make().trainable_weights)


def test_arguments_of_keras_by_position(make):
    model = make()
    x, y = batch(model), np.arange(4)
    model.fit(x, y, 2, 1, 0, None, 0.0, (x, y))
    with pytest.raises(ValueError, match="left"):
        model.fit(x, y, 2, 1, 0, None, 0.0, ({"facts": x["left"]}, y))
    assert model.predict(x, 2, 0).shape == (4, 4)
    loss = model.test_on_batch(x, y, np.array([1, 0, 0, 0]), True)["loss"]
    first = model.evaluate({m: v[:1] for m, v in x.items()}, y[:1], 2, 0)[0]
    if "MEA" not in type(model).__name__:  # Its loss has other terms.
        assert loss == pytest.approx(first / 4, rel=1e-5)
    model.train_on_batch(x, y, np.ones(4))


def test_predictions_need_no_labels(model):
    x = batch(model)
    unknown = Split(x, labels=np.full(4, -1))
    np.testing.assert_allclose(
        model.predict(unknown.batches(4), verbose=0).reshape(4, -1),
        predict(model, x),
        atol=1e-5,
    )
    with pytest.raises(ValueError, match="Class labels"):
        model.evaluate(unknown.batches(4), verbose=0)


def with_modalities(model, names):
    """The same model for modalities of other names, in that order."""
    text = json.dumps(registry.to_config(model))
    old = model.modalities
    for i, name in enumerate(old):
        text = text.replace(f'"{name}"', f'"#{i}"')
    for i, name in enumerate(names):
        text = text.replace(f'"#{i}"', f'"{name}"')
    return registry.from_config(json.loads(text))


def test_weights_of_other_modalities_are_refused(model, tmp_path):
    path, x = tmp_path / "a.weights.h5", batch(model)
    model.save_weights(path)
    twin = with_modalities(model, model.modalities)
    twin.load_weights(path)
    np.testing.assert_array_equal(predict(twin, x), predict(model, x))
    first = model.modalities[:-2]
    for names in ([*first, "right", "left"], [*first, "left", "below"]):
        other = with_modalities(model, names)
        before = other.get_weights()
        with pytest.raises(ValueError, match="belong to another"):
            other.load_weights(path)
        for a, b in zip(before, other.get_weights(), strict=True):
            np.testing.assert_array_equal(a, b)
    model.save(tmp_path / "a.keras")
    with pytest.raises(ValueError, match="belong to another"):
        other.load_weights(tmp_path / "a.keras")
    whole = keras.saving.load_model(tmp_path / "a.keras")
    np.testing.assert_array_equal(predict(whole, x), predict(model, x))


def test_weights_without_names_load_by_position(model, tmp_path, monkeypatch):
    with monkeypatch.context() as m:
        keep = keras.layers.Layer.save_own_variables
        m.setattr(models.FusionModel, "save_own_variables", keep)
        model.save_weights(tmp_path / "old.weights.h5")
    twin = with_modalities(model, model.modalities)
    twin.load_weights(tmp_path / "old.weights.h5")
    for a, b in zip(model.get_weights(), twin.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_rows_of_shares_need_a_loss_for_them(make):
    model = make()
    x, y = batch(model), np.full((4, 4), 0.1, "float32")
    y[np.arange(4), np.arange(4)] = 0.7
    with pytest.raises(ValueError, match="compile with a loss for rows"):
        model.fit(x, y, verbose=0)
    loss = keras.losses.CategoricalCrossentropy(from_logits=True)
    model.compile(loss=loss)
    with pytest.raises(ValueError, match=r"labels of shape \(N, 4\)"):
        model.fit(x, y[:, :3], verbose=0)
    logits = predict(model, x)
    found = model.evaluate(x, y, verbose=0, return_dict=True)
    right = np.mean(logits.argmax(axis=1) == np.arange(4))
    assert found["accuracy"] == pytest.approx(right)
    top = logits.max(axis=1, keepdims=True)
    total = np.log(np.exp(logits - top).sum(axis=1, keepdims=True)) + top
    expected = np.mean(np.sum(y * (total - logits), axis=1))
    name = "task_loss" if "task_loss" in found else "loss"
    assert found[name] == pytest.approx(expected, rel=1e-5)
    spare_tracing(model).fit(Split(x, labels=y).batches(4), verbose=0)


@pytest.mark.once("torch")
def test_fit_finds_shapes_without_computing(model, monkeypatch):
    """Else Keras computes a batch before the first step, with every map."""
    called = []
    true_call = type(model).call

    def call(self, inputs, *args, **kwargs):
        called.append(next(iter(inputs.values())).device.type)
        return true_call(self, inputs, *args, **kwargs)

    monkeypatch.setattr(type(model), "call", call)
    x = {
        m: keras.KerasTensor(v.shape, "float32")
        for m, v in batch(model).items()
    }
    keras.src.backend.compute_output_spec(model, x, training=False)
    assert set(called) == {"meta"}
