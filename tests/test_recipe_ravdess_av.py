"""The recipe of RAVDESS, on simulated clips in the layout of the real ones."""

import numpy as np
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
    validation = small_choice(monkeypatch, path, tmp_path / "choice", epochs=8)
    validation.folds = validation.folds[:2]
    result = recipe.train(
        validation, tmp_path / "preset", tmp_path / "work", seeds=1
    )
    assert len(result.ids) == 4 * 32
    learnt = result.models["msaf"].scores["accuracy"].mean
    assert learnt > 0.4  # chance is 0.125
    assert {"msaf", "concat"} == set(result.robustness)
    assert "late fusion" in result.models
    card = (tmp_path / "preset" / "README.md").read_text()
    assert "actors 3-4 held out" in card
    assert "| actors 1-2 | msaf | 486 |" in card
    assert models.MSAF.from_preset(tmp_path / "preset").num_classes == 8


def small_choice(monkeypatch, path, work, epochs):
    """Three folds of two actors and few candidates."""
    choice = load_recipe("ravdess_choice")
    monkeypatch.setattr(choice, "DATA", {"noise": (False, True)})
    monkeypatch.setattr(choice, "SIZES", {"head_dropout": (0.5,)})
    monkeypatch.setattr(choice, "BLOCKS", {"block_channels": (16, 64)})
    monkeypatch.setattr(choice, "BATCH", 16)
    folds = [[1, 2], [3, 4], [5, 6]]
    return choice.Validation(path, folds, work, epochs, seeds=1)


@pytest.mark.once("torch")
def test_tested_actors_have_no_say_in_their_settings(tmp_path, monkeypatch):
    path = simulated(tmp_path / "ravdess_av.npz", actors=6, clips=16)
    work = tmp_path / "choice"
    before = small_choice(monkeypatch, path, work, epochs=1)
    chosen = before.choose(0)
    known = {file.name for file in work.iterdir()}
    assert known == {"without 0 and 1.json", "without 0 and 2.json"}
    # Other labels of actors 1 and 2 change nothing for their own test.
    arrays = dict(np.load(path))
    arrays["emotion"][:32] = arrays["emotion"][:32][::-1]
    np.savez(path, **arrays)
    after = small_choice(monkeypatch, path, tmp_path / "again", epochs=1)
    assert after.choose(0) == chosen
    settings = before.shared(0)
    for test, same in ((0, True), (1, False)):
        there = after.accuracies(test, "concat", settings)
        here = before.accuracies(test, "concat", settings)
        assert (here == there) == same


def test_the_folds_of_ravdess_test_every_actor_once():
    recipe = load_recipe("ravdess_choice")
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
