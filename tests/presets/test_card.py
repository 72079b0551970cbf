"""The card, written from the metadata."""

from typing import Any

import pytest

from keras_mmfusion.presets import card

# No part of this depends on the backend.
pytestmark = pytest.mark.once


def metadata(**more: Any) -> dict[str, Any]:
    return {
        "class_name": "MSAF",
        "trained": True,
        "variables": [{"shape": [3, 4]}, {"shape": []}],
        **more,
    }


def test_front_matter_for_the_hub_comes_first():
    lines = card.render(metadata(), "digits").splitlines()
    assert lines[0] == "---"
    assert "library_name: keras_mmfusion" in lines
    assert lines.index("---", 1) < lines.index("# digits")


def test_statistics_have_spread_and_interval():
    text = card.render(
        metadata(
            metrics={
                "MSAF": {
                    "accuracy": {
                        "mean": 0.81234,
                        "std": 0.01,
                        "interval": [0.79, 0.83],
                    }
                },
                "audio alone": {"accuracy": 0.5},
            }
        ),
        "digits",
    )
    assert "| MSAF, accuracy | 0.8123 ± 0.01 [0.79, 0.83] |" in text
    assert "| audio alone, accuracy | 0.5 |" in text


def test_data_licence_seeds_paper_and_recipe_are_shown():
    text = card.render(
        metadata(
            description="Digits, heard and seen.",
            data={"name": "AV digits", "licence": "CC BY-SA 4.0"},
            seeds=[0, 1, 2],
            paper="A paper, 2020",
            recipe="python train.py",
        ),
        "digits",
    )
    for part in (
        "Digits, heard and seen.",
        "| licence | CC BY-SA 4.0 |",
        "## Seeds\n\n0, 1, 2",
        "## Paper\n\nA paper, 2020",
        "```\npython train.py\n```",
        "13 values in 2 weights",
    ):
        assert part in text


def test_the_use_follows_the_name():
    named = card.render(metadata(name="av_digits"), "msaf_av_digits")
    assert 'mmf.models.MSAF.from_preset("av_digits")' in named
    unnamed = card.render(metadata(), "mine")
    assert 'from_preset("path/to/mine")' in unnamed


def test_an_untrained_preset_says_so():
    text = card.render(metadata(trained=False), "x")
    assert "No trained weights" in text
    assert "load_weights=False" in text


def test_text_cannot_break_a_table():
    text = card.render(metadata(data={"name": "a|b"}), "x")
    assert "a\\|b" in text
