"""What a `.keras` file keeps of every model, and what it refuses to keep."""

import keras
import numpy as np
import pytest

from keras_mmfusion import models
from tests.backend import call, numpy_of
from tests.models.test_fuse import fused_images, image_batch
from tests.test_every_model import CASES, batch

MODELS = {**CASES, "fuse": lambda: fused_images(num_classes=4)}
# All models save alike; those of attention take long to quantize.
QUANTIZED = ["MSAF", "fuse"]
REFUSED = r"quantized layers.*\(int8\).*load_weights"

pytestmark = pytest.mark.filterwarnings("ignore:Layer .* does not have a")


@pytest.mark.parametrize("name", QUANTIZED)
def test_a_quantized_model_is_refused_before_a_file_is_touched(name, tmp_path):
    model, path = MODELS[name](), tmp_path / "model.keras"
    model.save(path)
    before = path.read_bytes()
    model.quantize("int8")
    with pytest.raises(ValueError, match=REFUSED):
        model.save(path)
    assert path.read_bytes() == before
    with pytest.raises(ValueError, match=REFUSED):
        keras.saving.save_model(model, tmp_path / "other.keras")


def test_a_preset_of_a_quantized_model_is_refused(tmp_path):
    model = MODELS["MSAF"]()
    model.quantize("int8")
    with pytest.raises(ValueError, match=REFUSED):
        model.save_to_preset(tmp_path / "preset")
    assert not (tmp_path / "preset").exists()


@pytest.mark.parametrize("name", QUANTIZED)
def test_a_quantized_model_comes_back_from_its_weights(name, tmp_path):
    model, path = MODELS[name](), tmp_path / "a.weights.h5"
    twin = type(model).from_config(model.get_config())
    model.quantize("int8")
    model.save_weights(path)
    with pytest.raises(ValueError, match=r"quantize.*before `load_weights`"):
        twin.load_weights(path)
    twin.quantize("int8")
    twin.load_weights(path)
    x = image_batch() if name == "fuse" else batch(model)
    np.testing.assert_array_equal(
        numpy_of(call(model, x)), numpy_of(call(twin, x))
    )


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
