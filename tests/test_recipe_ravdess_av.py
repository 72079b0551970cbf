"""The recipe of RAVDESS, on simulated clips in the layout of the real ones."""

import pytest

from keras_mmfusion import models
from tests.data.ravdess_file import simulated
from tests.test_recipes import load_recipe


@pytest.mark.once("torch")
def test_msaf_ravdess_av(tmp_path, monkeypatch):
    recipe = load_recipe("msaf_ravdess_av")
    monkeypatch.setattr(recipe, "BATCH", 16)
    monkeypatch.setattr(recipe, "SEVERITIES", {"missing modality": (1.0,)})
    path = simulated(tmp_path / "ravdess_av.npz", actors=6, clips=32)
    fold = recipe.read(path, [1, 2])
    assert set(fold.train.groups["actor"]) == {3, 4, 5, 6}
    assert set(fold.valid.ids) < set(fold.train.ids)
    result = recipe.train(
        {"actors 1-2": fold},
        tmp_path / "preset",
        tmp_path / "work",
        seeds=1,
        epochs=8,
    )
    assert len(result.ids) == 2 * 32
    learnt = result.models["msaf"].scores["accuracy"].mean
    assert learnt > 0.4  # chance is 0.125
    assert {"msaf", "concat"} == set(result.robustness)
    assert "late fusion" in result.models
    card = (tmp_path / "preset" / "README.md").read_text()
    assert "actors 1-2 held out" in card
    assert models.MSAF.from_preset(tmp_path / "preset").num_classes == 8


def test_the_folds_of_ravdess_test_every_actor_once():
    recipe = load_recipe("msaf_ravdess_av")
    folds = [recipe.actors_of(fold) for fold in range(recipe.FOLDS)]
    tested = [actor for fold in folds for actor in fold]
    assert tested == list(range(1, 25))
    assert {len(fold) for fold in folds} == {4}


@pytest.mark.once
def test_the_linear_models_learn(tmp_path):
    recipe = load_recipe("linear_ravdess")
    path = simulated(tmp_path / "ravdess_av.npz", actors=6, clips=32)
    accuracy = recipe.fold_accuracy(str(path), [1, 2])
    assert list(accuracy) == ["audio", "video", "late fusion"]
    assert min(accuracy.values()) > 0.4  # chance is 0.125
