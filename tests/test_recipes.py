"""Every recipe starts and learns on a small slice of its data."""

import importlib.util
from pathlib import Path

import pytest

from keras_mmfusion import data, models, presets

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
