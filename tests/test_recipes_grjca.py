"""The recipes of trained GRJCA presets on small slices of their data."""

import numpy as np
import pytest

from keras_mmfusion import data, evaluation, models, presets
from tests.data.avletters_file import simulated
from tests.test_recipes import load_recipe

pytestmark = pytest.mark.once("torch")
LADDER = {"grjca", "hierarchical", "rjca", "late fusion"}
ONE = {"missing modality": (1.0,)}


def few_rungs(*args, **kwargs):
    """Without those that are compared and nothing else: they take time."""
    builds = evaluation.attention_ladder(*args, **kwargs)
    return {k: v for k, v in builds.items() if k not in ("jca", "concat")}


def test_av_digits(tmp_path, monkeypatch):
    recipe = load_recipe("grjca_av_digits")
    for name, value in {
        "CHANNELS": [16, 16, 16],
        "IMAGE_UNITS": [16, 16],
        "BATCH": 12,
        "SEVERITIES": ONE,
        "COMPARED": recipe.COMPARED[:3],
        "attention_ladder": few_rungs,
    }.items():
        monkeypatch.setattr(recipe, name, value)
    digits = data.load("av_digits")
    small = data.MultimodalDataset(
        digits.train.subset(range(180)),
        digits.valid.subset(range(60)),
        digits.test.subset(range(90)),
        digits.name,
        digits.task,
    )
    result = recipe.train(
        small, tmp_path / "preset", tmp_path / "work", seeds=2, epochs=3
    )
    assert set(result.models) == {*LADDER, "audio", "image"}
    learnt = result.models["grjca"].scores["accuracy"].mean
    assert learnt > 0.3  # chance is 0.1
    assert presets.verify_preset(tmp_path / "preset").trained
    card = (tmp_path / "preset" / "README.md").read_text()
    assert "grjca minus rjca" in card
    assert "missing modality of image: area" in card
    model = models.GRJCA.from_preset(tmp_path / "preset")
    assert model.resample == "audio"


def without_hierarchical(*args, **kwargs):
    builds = few_rungs(*args, **kwargs)
    return {k: v for k, v in builds.items() if k != "hierarchical"}


def test_avletters(tmp_path, monkeypatch):
    recipe = load_recipe("grjca_avletters")
    for name, value in {
        "CHANNELS": [16, 16],
        "BATCH": 9,
        "SEVERITIES": ONE,
        "PROTOCOLS": {"speaker": [3], "repetition": [3]},
        "attention_ladder": without_hierarchical,
        "COMPARED": ("grjca", "rjca"),
    }.items():
        monkeypatch.setattr(recipe, name, value)
    path = simulated(tmp_path / "avletters.npz")
    repetition = recipe.read(path, "repetition")
    assert set(repetition.train.groups["repetition"].tolist()) == {1, 2}
    dataset = recipe.read(path, "speaker")
    assert len(dataset.train) == 27
    assert set(dataset.valid.ids) < set(dataset.train.ids)  # only watches
    results = recipe.train(
        {"speaker": dataset},
        tmp_path / "preset",
        tmp_path / "work",
        seeds=2,
        epochs=7,
    )
    result = results["speaker"]
    assert set(result.models) == {
        *("grjca", "rjca", "audio", "lips", "late fusion")
    }
    assert result.models["grjca"].scores["accuracy"].mean > 0.5  # of 1/3
    rjca = result.models["rjca"].scores["accuracy"]
    assert f"rjca {rjca}" in recipe.table(result, "speaker")
    assert presets.verify_preset(tmp_path / "preset").trained
    card = (tmp_path / "preset" / "README.md").read_text()
    assert "lips_input" in card
    assert "speaker: 3 in both train and valid" in card
    assert models.GRJCA.from_preset(tmp_path / "preset").num_classes == 26


def sequences(random, size):
    """Two traits that the audio carries; zeros in front, as POM has them."""
    y = random.uniform(1, 7, size=(size, 2))
    audio = random.normal(size=(size, 6, 4))
    audio[..., :2] += y[:, None]
    audio[:, :2] = 0
    video = random.normal(size=(size, 6, 3))
    video[::2] = 0
    return {"audio": audio, "video": video, "y": y}


def test_mmsdk(tmp_path, monkeypatch):
    recipe = load_recipe("grjca_mmsdk")
    for name, value in {
        "CHANNELS": [8],
        "BATCH": 16,
        "SEVERITIES": ONE,
        "attention_ladder": without_hierarchical,
    }.items():
        monkeypatch.setattr(recipe, name, value)
    random = np.random.default_rng(0)
    sizes = {"train": 64, "valid": 16, "test": 32}
    parts = {k: sequences(random, n) for k, n in sizes.items()}
    np.savez(
        tmp_path / "pom.npz",
        **{f"{m}_{k}": v for k, x in parts.items() for m, v in x.items()},
    )
    dataset = recipe.read(tmp_path, "pom")
    # Both are moved to the front together, where neither has data there.
    lengths = dataset.train.lengths()["audio"].tolist()
    assert lengths == [4, 6] * 32
    assert np.abs(dataset.train.labels).max() <= 1
    result = recipe.evaluated(dataset, tmp_path / "work", seeds=2, epochs=12)
    assert result.models["grjca"].scores["concordance"].mean > 0.3
    said = (tmp_path / "work" / "table.md").read_text()
    assert "| late fusion |" in said
    assert "grjca minus rjca" in said
