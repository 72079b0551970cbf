"""Every recipe starts and learns on a small slice of its data."""

import importlib.util
from pathlib import Path

import pytest

from keras_mmfusion import data, models, presets
from keras_mmfusion.data.formats import write_file
from keras_mmfusion.data.simulated import simulated_sentiment

RECIPES = Path(__file__).parent.parent / "weights" / "recipes"


def load_recipe(name):
    spec = importlib.util.spec_from_file_location(name, RECIPES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.once
def test_msaf_av_digits(tmp_path):
    recipe = load_recipe("msaf_av_digits")
    digits = data.load("av_digits")
    small = data.MultimodalDataset(
        digits.train.subset(range(480)),
        digits.valid.subset(range(120)),
        digits.test.subset(range(120)),
        digits.name,
        digits.task,
    )
    result = recipe.train(
        small, tmp_path / "preset", tmp_path / "work", seeds=1, epochs=6
    )
    learnt = result.models["msaf"].scores["accuracy"].mean
    assert learnt > 0.3  # chance is 0.1
    report = presets.verify_preset(tmp_path / "preset")
    assert report.trained
    card = (tmp_path / "preset" / "README.md").read_text()
    assert "Robustness" in card
    assert "concat" in card
    assert models.MSAF.from_preset(tmp_path / "preset").num_classes == 10


def sentiment_file(folder, layout="mult", **arguments):
    """A simulated file with the true widths, read back."""
    shapes = {"text": (6, 300), "audio": (9, 74), "video": (8, 35)}
    made = simulated_sentiment((48, 12, 15), shapes, **arguments)
    write_file(made, folder / "data.pkl", layout)
    return data.load(folder / "data.pkl")


SMALL_MEA = {
    "width": 8,
    "latent": 8,
    "num_heads": 2,
    "exclusive_layers": 1,
    "agnostic_layers": 1,
    "levels": ["coarse"],
}


@pytest.mark.once
def test_mea_mosei(tmp_path):
    result = load_recipe("mea_mosei").train(
        sentiment_file(tmp_path),
        "mosei",
        tmp_path / "preset",
        tmp_path / "work",
        seeds=1,
        epochs=8,
        buckets=1,
        **SMALL_MEA,
    )
    assert presets.verify_preset(tmp_path / "preset").trained
    model = models.MEA.from_preset(tmp_path / "preset")
    assert model.settings.mix == 0.15  # Table I
    assert model.sample_shapes["audio"] == (None, 74)
    history = result.first.runs[0].history
    assert min(history["task_loss"]) < 0.7 * history["task_loss"][0]
    card = (tmp_path / "preset" / "README.md").read_text()
    assert "GloVe" in card
    # F1 with exchanged arguments, and as it should be.
    assert "f1_non0" in card
    assert "protocol mmsa, f1_non0" in card
    assert "corr" in card


@pytest.mark.once
def test_mea_iemocap(tmp_path):
    recipe = load_recipe("mea_mosei")
    emotions = sentiment_file(tmp_path, binary_heads=True)
    result = recipe.train(
        emotions,
        "iemocap",
        tmp_path / "preset",
        tmp_path / "work",
        seeds=1,
        epochs=1,
        buckets=1,
        **SMALL_MEA,
    )
    assert set(result.first.scores) >= {"accuracy_happy", "f1_angry"}
    model = models.MEA.from_preset(tmp_path / "preset")
    assert model.output_shape == (None, 4, 2)
    with pytest.raises(ValueError, match="--dataset"):
        recipe.train(emotions, "mosi", tmp_path / "no", tmp_path / "no_work")
