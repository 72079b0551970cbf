"""Presets without weights, and presets with changed arguments."""

import warnings

import numpy as np
import pytest

from keras_mmfusion import presets, registry
from keras_mmfusion.presets import PresetUntrainedError
from tests.presets.tiny import TinyTwins, batch, same, saved, tiny, values

# === Presets without weights ===


def test_an_untrained_preset_names_data_and_recipe(tmp_path):
    presets.save_preset(
        TinyTwins(),
        tmp_path / "p",
        {
            "trained": False,
            "data": {"name": "CMU-MOSEI", "licence": "research"},
            "recipe": "python weights/recipes/tiny.py",
        },
    )
    with pytest.raises(PresetUntrainedError, match="CMU-MOSEI") as caught:
        presets.load_preset(tmp_path / "p")
    assert "python weights/recipes/tiny.py" in str(caught.value)
    assert "load_weights=False" in str(caught.value)
    with pytest.raises(PresetUntrainedError):
        presets.load_preset_weights(TinyTwins(), tmp_path / "p")
    report = presets.verify_preset(tmp_path / "p")
    assert not report.trained
    assert report.golden_difference is None
    model = presets.load_preset(tmp_path / "p", load_weights=False)
    assert model.predict_on_batch(batch()).shape == (2, 2)


def test_without_a_recipe_the_notes_say_what_to_do(tmp_path):
    notes = "Convert the official checkpoint."
    metadata = {"trained": False, "notes": notes}
    presets.save_preset(TinyTwins(), tmp_path / "p", metadata)
    with pytest.raises(PresetUntrainedError) as caught:
        presets.load_preset(tmp_path / "p")
    assert f"is written yet. {notes} For the untrained" in str(caught.value)


def test_without_weights_their_file_is_not_needed(tmp_path):
    saved(tmp_path / "p")
    (tmp_path / "p" / "model.safetensors").unlink()
    model = presets.load_preset(tmp_path / "p", load_weights=False)
    trained = values(tiny())["head/kernel"]
    assert not np.array_equal(values(model)["head/kernel"], trained)


# === Overrides ===


def test_a_new_head_is_fresh_and_the_rest_is_loaded(tmp_path):
    saved(tmp_path / "p")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        model = presets.load_preset(
            tmp_path / "p", overrides={"num_classes": 5}
        )
    texts = [str(w.message) for w in caught if w.category is UserWarning]
    assert len(texts) == 1
    assert "new, untrained head: head/bias, head/kernel." in texts[0]
    found, trained = values(model), values(tiny())
    assert found["head/kernel"].shape == (8, 5)
    for name in trained:
        if not name.startswith("head/"):
            np.testing.assert_array_equal(found[name], trained[name])


def test_an_override_that_changes_no_weight_loads_all_silently(tmp_path):
    saved(tmp_path / "p")
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        model = presets.load_preset(
            tmp_path / "p", overrides={"num_classes": 2, "name": "mine"}
        )
    assert model.name == "mine"
    same(model, tiny())


def test_overrides_beyond_the_head_are_refused(tmp_path):
    saved(tmp_path / "p")
    with pytest.raises(ValueError, match="more than the head") as caught:
        presets.load_preset(tmp_path / "p", overrides={"units": 5})
    text = str(caught.value)
    assert "'audio_encoder/lstm_cell/kernel' is float32 (5, 20)" in text
    assert "num_classes" in text
    assert "load_weights=False" in text


def test_without_weights_any_override_is_taken(tmp_path):
    saved(tmp_path / "p")
    model = presets.load_preset(
        tmp_path / "p", load_weights=False, overrides={"units": 5}
    )
    assert model.units == 5


def test_unknown_overrides_are_refused(tmp_path):
    saved(tmp_path / "p")
    with pytest.raises(ValueError, match=r"'unitz'. Did you mean 'units'"):
        presets.load_preset(tmp_path / "p", overrides={"unitz": 5})


@registry.register("HeadlessTwins")
class Headless(TinyTwins):
    """Declares no head."""

    head_weight_names = ()  # type: ignore[assignment]


def test_a_class_without_a_head_has_none_to_renew(tmp_path):
    presets.save_preset(Headless(), tmp_path / "p")
    with pytest.raises(ValueError, match="none declared"):
        presets.load_preset(tmp_path / "p", overrides={"num_classes": 3})
