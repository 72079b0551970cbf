"""What holds for every built-in preset; a new folder is found by itself."""

import pytest

from keras_mmfusion import models, presets

PRESETS = presets.all_presets()


@pytest.fixture(params=list(PRESETS))
def entry(request):
    return PRESETS[request.param]


def test_there_are_presets():
    assert "msaf_av_digits" in PRESETS


def test_files_weights_and_self_check_are_in_order(entry):
    report = presets.verify_preset(entry.folder)
    assert report.trained == entry.trained
    assert sum(report.files.values()) < 15e6


def test_the_card_says_what_it_must(entry):
    card = (entry.folder / "README.md").read_text()
    for heading in ("## Paper", "## Use"):
        assert heading in card
    assert entry.recipe or "No recipe is written yet" in card
    assert entry.description in card
    if entry.trained:
        for heading in (
            "## Results",
            "## Training data",
            "## Robustness",
            "## Recipe",
        ):
            assert heading in card


def test_a_preset_loads_or_says_what_to_do(entry):
    if entry.trained:
        model = models.FusionModel.from_preset(entry.global_name)
        assert type(model).__name__ == entry.class_name
        return
    with pytest.raises(presets.PresetUntrainedError) as caught:
        models.FusionModel.from_preset(entry.global_name)
    assert "load_weights=False" in str(caught.value)
    model = models.FusionModel.from_preset(
        entry.global_name, load_weights=False
    )
    assert presets.automatic_names(model) == []
