"""The recipe of RAVDESS, on simulated clips in the layout of the real ones."""

import pytest

from keras_mmfusion import models
from keras_mmfusion.data.ravdess_av import read_ravdess_av
from tests.data.ravdess_file import simulated
from tests.test_recipes import load_recipe


@pytest.mark.once("torch")
def test_msaf_ravdess_av(tmp_path, monkeypatch):
    recipe = load_recipe("msaf_ravdess_av")
    monkeypatch.setattr(recipe, "BATCH", 16)
    monkeypatch.setattr(recipe, "SEVERITIES", {"missing modality": (1.0,)})
    path = simulated(tmp_path / "ravdess_av.npz", actors=6, clips=32)
    fold = read_ravdess_av(path, test_actors=[1, 2], valid_actors=[3])
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
    assert "late fusion" in result.robustness
    card = (tmp_path / "preset" / "README.md").read_text()
    assert "actors 1-2 held out" in card
    assert models.MSAF.from_preset(tmp_path / "preset").num_classes == 8


def test_the_folds_of_ravdess_test_every_actor_once():
    recipe = load_recipe("msaf_ravdess_av")
    folds = [recipe.actors_of(fold) for fold in range(recipe.FOLDS)]
    tested = [actor for test, _ in folds for actor in test]
    assert sorted(tested) == list(range(1, 25))
    for test, valid in folds:
        assert len({*test, *valid}) == 6
    assert folds[-1] == ([21, 22, 23, 24], [1, 2])
