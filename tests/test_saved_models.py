"""What a `.keras` file keeps of every model."""

import keras
import pytest

from keras_mmfusion import models
from tests.models.test_fuse import fused_images
from tests.test_every_model import CASES

MODELS = {**CASES, "fuse": lambda: fused_images(num_classes=4)}


@pytest.mark.parametrize("name", MODELS)
def test_frozen_layers_stay_so_with_compile_false(name, tmp_path):
    model, path = MODELS[name](), tmp_path / "model.keras"
    total = len(model.trainable_weights)
    for layer in model.layers:
        if layer.name.startswith("left") and layer.weights:
            layer.trainable = False
    model.save(path)
    again = keras.saving.load_model(path, compile=False)
    kept = [v.shape for v in model.trainable_weights]
    assert 0 < len(kept) < total
    assert [v.shape for v in again.trainable_weights] == kept


def test_weights_of_a_keras_file_freeze_nothing(tmp_path):
    model, twin = MODELS["MSAF"](), MODELS["MSAF"]()
    model.layers[-1].trainable = False
    model.save(tmp_path / "model.keras")
    twin.load_weights(tmp_path / "model.keras")
    assert twin.layers[-1].trainable


def test_files_without_a_list_of_frozen_layers_load(tmp_path, monkeypatch):
    """Those of earlier versions."""
    model, path = MODELS["MSAF"](), tmp_path / "old.keras"
    with monkeypatch.context() as m:
        m.setattr(models.FusionModel, "save_assets", lambda *_: None)
        model.save(path)
    again = keras.saving.load_model(path, compile=False)
    assert len(again.trainable_weights) == len(model.trainable_weights)


def test_a_model_within_a_model_keeps_its_frozen_layers(tmp_path):
    inner = MODELS["MSAF"]()
    inner.get_layer("head").trainable = False
    inputs = {
        m: keras.Input(s, name=f"{m}_outside")
        for m, s in inner.sample_shapes.items()
    }
    outer = keras.Model(inputs, keras.layers.Dense(2)(inner(inputs)))
    outer.save(tmp_path / "outer.keras")
    again = keras.saving.load_model(tmp_path / "outer.keras", compile=False)
    assert not again.get_layer("msaf").get_layer("head").trainable
    assert again.get_layer("msaf").trainable_weights
