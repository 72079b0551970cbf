"""The MOSEI recipe runs on a small simulated folder in the official layout."""

import json

import numpy as np
import pytest

from keras_mmfusion import data, presets
from keras_mmfusion.data.formats import write_file
from keras_mmfusion.data.simulated import simulated_sentiment
from tests.test_recipes import RECIPES, load_recipe

pytestmark = pytest.mark.once("torch")
SHAPES = {"text": (6, 768), "audio": (5, 74), "video": (6, 35)}


def folder(path):
    write_file(simulated_sentiment((48, 10, 12), SHAPES), path, "msaf_npy")
    return data.load(path)


def test_both_protocols_stand_side_by_side(tmp_path, capsys):
    recipe = load_recipe("msaf_mosei")
    result = recipe.train(
        folder(tmp_path / "mosei"),
        tmp_path / "preset",
        tmp_path / "work",
        seeds=1,
        epochs=2,
    )
    printed = capsys.readouterr().out
    assert "chosen on the test split" in printed
    assert set(result.models) == {"msaf", "concat"}
    assert presets.verify_preset(tmp_path / "preset").trained
    metadata = json.loads((tmp_path / "preset/metadata.json").read_text())
    official = metadata["metrics"][
        "official protocol, best of all epochs on test"
    ]
    assert official["epoch"] in (1, 2)
    assert f"{official['mae']:.4f}" in printed
    assert str(tmp_path) not in json.dumps(metadata["data"])


def test_the_official_epoch_is_the_best_on_test(tmp_path):
    recipe = load_recipe("msaf_mosei")
    small = recipe.official_names(folder(tmp_path / "mosei"))
    _, first = recipe.official_protocol(small, epochs=1)
    _, best = recipe.official_protocol(small, epochs=3)
    assert best["mae"] <= first["mae"] + 1e-6
    assert set(best) == {"acc2_non0", "f1_non0", "acc7", "mae", "corr"}
    assert np.isfinite(list(best.values())).all()


def test_other_features_are_refused(tmp_path):
    shapes = {**SHAPES, "text": (6, 300)}
    with pytest.raises(ValueError, match="widths"):
        load_recipe("msaf_mosei").official_names(
            simulated_sentiment((5, 5, 5), shapes)
        )


def test_the_untrained_preset_is_what_the_recipe_writes(tmp_path):
    load_recipe("msaf_mosei").write_untrained(tmp_path / "preset")
    written, packaged = (
        json.loads((path / "config.json").read_text())
        for path in (tmp_path / "preset", RECIPES.parent / "msaf_mosei")
    )
    assert written == packaged
