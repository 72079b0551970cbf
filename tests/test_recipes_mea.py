"""MEA's recipes choose, learn and write presets, on small slices."""

import json

import keras
import numpy as np
import pytest

from keras_mmfusion import data, models, presets
from tests.test_recipe_utd_mhad import ACTIONS, folder  # noqa: F401
from tests.test_recipes import load_recipe

pytestmark = pytest.mark.once("torch")
NETWORK = {"num_heads": 2, "exclusive_layers": 1, "agnostic_layers": 1}


def test_mea_utd_mhad(folder, tmp_path, monkeypatch):  # noqa: F811
    recipe = load_recipe("mea_utd_mhad")
    study = recipe.Study(
        {"skeleton": 8, "inertial": 8, "depth": 6},
        width=16,
        epochs=20,
        names=[
            "mea",
            "inertial",
            "skeleton",
            "no adversary",
            "cross-modal transformer",
        ],
    )
    small = study._replace(epochs=1, names=["stable", "paper"])
    monkeypatch.setattr(recipe, "MAIN", study)
    monkeypatch.setattr(recipe, "SMALL", small)
    monkeypatch.setattr(recipe, "NETWORK", NETWORK)
    monkeypatch.setattr(recipe, "BATCH", 8)
    monkeypatch.setattr(recipe.clips, "SEVERITIES", {"noise": (1.0,)})
    clips, work = study.read(folder), tmp_path / "work"
    assert len(clips.train) == ACTIONS * 8

    recipe.choose(clips, work, epochs=1)
    choice = json.loads((work / recipe.CHOICE).read_text())
    assert set(choice) == {"stable", "paper"}
    assert len(choice["paper"]["val_agnostic_norm"]) == 4  # Subjects.

    result = recipe.train(clips, tmp_path / "preset", work, seeds=1)
    assert result.models["mea"].scores["accuracy"].mean > 0.4  # Chance: 1/3.
    assert presets.verify_preset(tmp_path / "preset").trained
    card = (tmp_path / "preset" / "README.md").read_text()
    assert "no adversary" in card
    assert "the adversary " in card
    assert "late fusion of skeleton and inertial" in card
    assert "spread of the exclusive branch | paper" in card
    assert models.MEA.from_preset(tmp_path / "preset").num_classes == 27


def test_mea_av_digits(tmp_path, monkeypatch):
    recipe = load_recipe("mea_av_digits")
    monkeypatch.setattr(recipe, "NETWORK", NETWORK)
    names = ["mea", "audio", "image", "no adversary"]
    monkeypatch.setattr(recipe, "NAMES", names)
    digits = data.load("av_digits", variant="sequences")
    small = data.MultimodalDataset(
        digits.train.subset(range(375)),
        digits.valid.subset(range(75)),
        digits.test.subset(range(75)),
        digits.name,
        digits.task,
    )
    work = tmp_path / "work"
    recipe.choose(small, work, epochs=1)
    result = recipe.train(small, tmp_path / "preset", work, 1, epochs=6)
    assert result.models["mea"].scores["accuracy"].mean > 0.3  # Chance: 0.1.
    card = (tmp_path / "preset" / "README.md").read_text()
    assert "late fusion" in card
    assert models.MEA.from_preset(tmp_path / "preset").num_classes == 10


def test_a_network_used_again_is_a_new_one():
    """The second seed trains as if the network had been built for it."""
    comparison = load_recipe("mea_comparison")
    parts = comparison.Extractors({"a": 3, "b": 2}, 4, 4, 2)
    random = np.random.default_rng(0)
    x = {m: random.normal(size=(8, 3, d)) for m, d in parts.features.items()}

    def build(seed):
        model = comparison.concatenation(parts, seed, ["a", "b"])
        model.compile("adam", "mse")
        return model

    def trained(model):
        model.fit(x, np.ones((8, 2)), shuffle=False, verbose=0)
        return model.get_weights()

    again = comparison.reused(build)
    keras.utils.set_random_seed(0)
    trained(again(0))
    found = []
    for make in (build, again):
        keras.utils.set_random_seed(1)
        found.append(trained(make(1)))
    for fresh, late in zip(*found, strict=True):
        np.testing.assert_array_equal(fresh, late)
