"""Every damaged preset is refused, by name, and nothing is half loaded."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from keras_mmfusion import presets
from keras_mmfusion.presets import PresetFileError
from tests.presets import damage, damage_text
from tests.presets.tiny import TinyTwins, saved, tiny, values

# Importing the module adds its kinds.
assert damage_text.kind is damage.kind


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return saved(tmp_path_factory.mktemp("presets") / "good")


@pytest.fixture(scope="module")
def other() -> TinyTwins:
    return tiny(seed=9)


def test_there_are_many_kinds():
    assert len(damage.KINDS) >= 40


def test_the_undamaged_preset_loads(good, other):
    assert presets.verify_preset(good).golden_difference < 1e-5
    model = tiny(seed=9)
    presets.load_preset_weights(model, good)
    np.testing.assert_array_equal(
        values(model)["head/kernel"], values(tiny())["head/kernel"]
    )


@pytest.mark.parametrize("name", damage.KINDS)
def test_a_damaged_preset_is_refused(name, good, other, tmp_path):
    inflict, message = damage.KINDS[name]
    directory = tmp_path / "preset"
    shutil.copytree(good, directory)
    inflict(directory)
    before = values(other)
    for attempt in (
        lambda: presets.load_preset(directory),
        lambda: presets.load_preset_weights(other, directory),
        lambda: presets.verify_preset(directory),
    ):
        with pytest.raises(PresetFileError, match=message) as caught:
            attempt()
        assert str(directory) in str(caught.value)
    after = values(other)
    for weight in before:
        np.testing.assert_array_equal(before[weight], after[weight])


@pytest.mark.parametrize("name", damage.KINDS)
def test_a_damaged_preset_is_not_overridden_either(name, good, tmp_path):
    inflict, message = damage.KINDS[name]
    directory = tmp_path / "preset"
    shutil.copytree(good, directory)
    inflict(directory)
    with pytest.raises(PresetFileError, match=message):
        presets.load_preset(directory, overrides={"num_classes": 5})
