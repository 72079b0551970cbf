"""Presets saved and loaded: the same model, or an error."""

import json
import os
import subprocess
import sys
from typing import Any

import keras
import numpy as np
import pytest

from keras_mmfusion import presets, registry
from keras_mmfusion.presets import (
    PresetFileError,
    PresetNotFoundError,
)
from keras_mmfusion.presets import (
    directory as module,
)
from tests.presets.tiny import TinyTwins, batch, same, saved, tiny, values


def test_round_trip_gives_the_same_outputs(tmp_path):
    model = tiny()
    presets.save_preset(model, tmp_path / "p")
    loaded = presets.load_preset(tmp_path / "p")
    assert isinstance(loaded, TinyTwins)
    same(model, loaded)
    np.testing.assert_array_equal(
        model.predict_on_batch(batch()), loaded.predict_on_batch(batch())
    )


def test_a_trained_and_loaded_model_trains_on(tmp_path):
    model = TinyTwins()
    targets = np.ones((2, 2), "float32")
    model.fit(batch(), targets, epochs=2, verbose=0)
    presets.save_preset(model, tmp_path / "p")
    loaded = presets.load_preset(tmp_path / "p")
    same(model, loaded)
    loaded.fit(batch(), targets, epochs=1, verbose=0)
    changed = values(loaded)["head/kernel"] != values(model)["head/kernel"]
    assert changed.any()


def test_two_instances_load_each_other(tmp_path):
    first, second = tiny(1), tiny(2)
    presets.save_preset(first, tmp_path / "first")
    presets.save_preset(second, tmp_path / "second")
    old_first = values(first)
    presets.load_preset_weights(first, tmp_path / "second")
    presets.load_preset_weights(second, tmp_path / "first")
    for name, value in values(second).items():
        np.testing.assert_array_equal(value, old_first[name])
    assert not np.array_equal(
        values(first)["head/bias"], old_first["head/bias"]
    )


def test_order_of_construction_does_not_exchange_twins(tmp_path):
    model = tiny(order=("audio", "text"))
    presets.save_preset(model, tmp_path / "p")
    turned = presets.load_preset(
        tmp_path / "p", overrides={"order": ["text", "audio"]}
    )
    same(model, turned)
    np.testing.assert_allclose(
        model.predict_on_batch(batch()),
        turned.predict_on_batch(batch()),
        rtol=1e-6,
    )


def test_half_precision_is_stored_as_float32(tmp_path):
    keras.config.set_dtype_policy("bfloat16")
    try:
        model = tiny()
    finally:
        keras.config.set_dtype_policy("float32")
    assert model.weights[0].dtype == "bfloat16"
    presets.save_preset(model, tmp_path / "p")
    listed = presets.read_metadata(tmp_path / "p")["variables"]
    assert {entry["dtype"] for entry in listed} == {"float32"}
    loaded = presets.load_preset(tmp_path / "p")
    for name, weight in presets.named_weights(model).items():
        half = keras.ops.convert_to_numpy(keras.ops.cast(weight, "float32"))
        np.testing.assert_array_equal(half, values(loaded)[name])


def test_loading_into_half_precision(tmp_path):
    saved(tmp_path / "p")
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        loaded = presets.load_preset(tmp_path / "p")
    finally:
        keras.config.set_dtype_policy("float32")
    same(loaded, tiny())


# === What is written ===


def test_metadata_says_what_is_in_the_files(tmp_path):
    saved(tmp_path / "p", paper="A paper", seeds=[1, 2], predictions={"y": [1]})
    found = json.loads((tmp_path / "p" / "metadata.json").read_bytes())
    assert found["format_version"] == 1
    assert found["keras_version"] == keras.__version__
    assert found["class_name"] == "TinyTwins"
    assert found["paper"] == "A paper"
    assert found["seeds"] == [1, 2]
    assert "predictions" not in found
    for name, entry in found["files"].items():
        data = (tmp_path / "p" / name).read_bytes()
        assert entry["size"] == len(data)
    assert sorted(found["files"]) == [
        "config.json",
        "model.safetensors",
        "predictions.json",
    ]
    predictions = (tmp_path / "p" / "predictions.json").read_bytes()
    assert json.loads(predictions) == {"y": [1]}
    names = [entry["name"] for entry in found["variables"]]
    assert names == list(presets.named_weights(TinyTwins()))


def test_saving_twice_writes_the_same_bytes(tmp_path):
    saved(tmp_path / "a")
    saved(tmp_path / "b")
    for name in ("config.json", "metadata.json", "model.safetensors"):
        one, two = tmp_path / "a" / name, tmp_path / "b" / name
        assert one.read_bytes() == two.read_bytes()


def test_metadata_of_a_loaded_preset_can_be_passed_on(tmp_path):
    saved(tmp_path / "a", paper="A paper", predictions=[1])
    old = presets.read_metadata(tmp_path / "a")
    presets.save_preset(tiny(5), tmp_path / "b", old)
    new = presets.read_metadata(tmp_path / "b")
    assert new["paper"] == "A paper"
    assert new["files"] != old["files"]
    assert new["golden"]["outputs"] != old["golden"]["outputs"]
    same(presets.load_preset(tmp_path / "b"), tiny(5))


def test_an_older_preset_is_replaced_whole(tmp_path):
    saved(tmp_path / "p", seed=1, predictions=[1, 2])
    saved(tmp_path / "p", seed=2)
    same(presets.load_preset(tmp_path / "p"), tiny(2))
    assert not (tmp_path / "p" / "predictions.json").exists()
    presets.save_preset(tiny(2), tmp_path / "p", {"trained": False})
    assert not (tmp_path / "p" / "model.safetensors").exists()


def test_stale_weights_of_other_formats_are_never_read(tmp_path):
    saved(tmp_path / "p", seed=1)
    (tmp_path / "p" / "model.weights.h5").write_bytes(b"old")
    (tmp_path / "p" / "model-00001-of-00002.safetensors").write_bytes(b"old")
    same(presets.load_preset(tmp_path / "p"), tiny(1))


def test_an_own_card_is_kept(tmp_path):
    (tmp_path / "p").mkdir()
    (tmp_path / "p" / "README.md").write_text("mine")
    saved(tmp_path / "p")
    assert (tmp_path / "p" / "README.md").read_text() == "mine"


def test_nothing_is_written_for_a_model_with_nan(tmp_path):
    model = tiny()
    bias = presets.named_weights(model)["head/bias"]
    bias.assign(np.array([np.nan, 0], "float32"))
    with pytest.raises(ValueError, match="'head/bias' has 1 NaN"):
        presets.save_preset(model, tmp_path / "p")
    assert not (tmp_path / "p").exists()


@registry.register("ForgetfulTwins")
class Forgetful(TinyTwins):
    """Leaves an argument out of its config."""

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        del config["units"]
        return config


def test_a_model_that_its_config_does_not_reproduce_is_not_saved(tmp_path):
    with pytest.raises(ValueError, match=r"expected float32 \(4, 16\)"):
        presets.save_preset(Forgetful(units=5), tmp_path / "p")
    assert not (tmp_path / "p").exists()


def test_an_unregistered_model_is_not_saved(tmp_path):
    class Unknown(TinyTwins):
        pass

    with pytest.raises(ValueError, match="Unknown is not registered"):
        presets.save_preset(Unknown(), tmp_path / "p")


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        ({"metrics": {"f1": np.float32(0.5)}}, r"\['metrics'\]\['f1'\]"),
        ({"metrics": {"f1": float("nan")}}, "plain JSON"),
        ({"data": {1: "x"}}, "string keys"),
        ({"trained": "no"}, "true or false"),
        ({"golden": {"inputs": {"audio": [2, 3]}}}, "golden input"),
    ],
)
def test_bad_metadata_is_refused_before_writing(metadata, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        presets.save_preset(tiny(), tmp_path / "p", metadata)
    assert not (tmp_path / "p").exists()


def test_sizes_of_the_self_check_can_be_chosen(tmp_path):
    shapes = {"audio": [1, 5, 3], "text": [1, 9, 3]}
    saved(tmp_path / "p", golden={"inputs": shapes})
    found = presets.read_metadata(tmp_path / "p")["golden"]
    assert found["inputs"] == shapes
    assert found["outputs"]["output"]["shape"] == [1, 2]
    same(presets.load_preset(tmp_path / "p"), tiny())


# === Existing models ===


def test_weights_of_another_shape_do_not_fit(tmp_path):
    saved(tmp_path / "p")
    model = tiny(units=5)
    before = values(model)
    with pytest.raises(PresetFileError, match="does not fit the given model"):
        presets.load_preset_weights(model, tmp_path / "p")
    for name, value in values(model).items():
        np.testing.assert_array_equal(value, before[name])


def test_a_failed_assignment_is_taken_back(tmp_path, monkeypatch):
    saved(tmp_path / "p", seed=1)
    model = tiny(2)
    before = values(model)
    arrays = {name: value + 1 for name, value in before.items()}
    original = module._compare_values

    def fail_late(weight: Any, array: Any, name: str) -> None:
        original(weight, array, name)
        if name.startswith("text"):
            raise PresetFileError("does not hold")

    monkeypatch.setattr(module, "_compare_values", fail_late)
    with pytest.raises(PresetFileError, match="does not hold"):
        module.assign_weights(model, arrays)
    for name, value in values(model).items():
        np.testing.assert_array_equal(value, before[name])


def test_there_must_be_a_directory(tmp_path):
    with pytest.raises(PresetNotFoundError, match="no directory"):
        presets.load_preset(tmp_path / "nothing")


# === Other backends ===


@registry.register("CountingModel")
class Counting(keras.Model):
    """Has a counter, whose dtype Keras chooses by backend."""

    def __init__(self) -> None:
        inputs = keras.Input((3,), name="audio", dtype="float32")
        norm = keras.layers.Normalization(name="norm")
        norm.build((None, 3))
        super().__init__({"audio": inputs}, norm(inputs))

    def get_config(self) -> dict[str, Any]:
        return {}

    @classmethod
    def from_config(cls, config: Any, custom_objects: Any = None) -> "Counting":
        return cls(**config)


def test_a_counter_is_stored_with_one_dtype_on_every_backend(tmp_path):
    model = Counting()
    presets.named_weights(model)["norm/count"].assign(41)
    presets.save_preset(model, tmp_path / "p")
    listed = presets.read_metadata(tmp_path / "p")["variables"]
    assert {e["name"]: e["dtype"] for e in listed}["norm/count"] == "int32"
    loaded = presets.load_preset(tmp_path / "p")
    assert int(values(loaded)["norm/count"]) == 41


OTHER = """
import sys
import numpy as np
from keras_mmfusion import presets
from tests.presets.tiny import batch
model = presets.load_preset(sys.argv[1])
np.save(sys.argv[2], model.predict_on_batch(batch()))
"""


@pytest.mark.once
@pytest.mark.parametrize(
    "backend",
    sorted({"jax", "tensorflow", "torch"} - {keras.config.backend()}),
)
def test_saved_here_and_loaded_on_another_backend(backend, tmp_path):
    pytest.importorskip(backend)
    model = tiny()
    presets.save_preset(model, tmp_path / "p")
    done = subprocess.run(
        [sys.executable, "-c", OTHER, tmp_path / "p", tmp_path / "out.npy"],
        env={**os.environ, "KERAS_BACKEND": backend},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    np.testing.assert_allclose(
        np.load(tmp_path / "out.npy"),
        model.predict_on_batch(batch()),
        rtol=1e-4,
        atol=1e-5,
    )
