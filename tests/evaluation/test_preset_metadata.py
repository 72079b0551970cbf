import numpy as np
import pytest

from keras_mmfusion import presets
from keras_mmfusion.evaluation import Result, preset_metadata
from keras_mmfusion.models import MSAF
from tests.evaluation.test_result import CURVES

pytestmark = pytest.mark.once


@pytest.fixture
def metadata(result, folder):
    own = Result.load(folder)
    own.robustness["image"] = CURVES
    return preset_metadata(own, description="A tiny model.")


def test_metrics_come_with_floors_and_tests(metadata, result):
    metrics = metadata["metrics"]
    expected = result.models["image"].scores["accuracy"]
    assert metrics["accuracy"]["mean"] == expected.mean
    assert metrics["accuracy"]["interval"] == [expected.low, expected.high]
    others = metrics["compared on accuracy"]
    assert (
        others["audio"]["mean"]
        == result.models["audio"].scores["accuracy"].mean
    )
    floor = result.floors["majority class of train"]["accuracy"]
    assert others["majority class of train"] == floor
    test = metrics["paired tests of accuracy"]["audio minus image"]
    assert test == str(result.paired[0][2])


def test_predictions_are_class_numbers_per_seed(metadata, result):
    predictions = metadata["predictions"]
    assert predictions["ids"] == result.ids
    expected = result.models["image"].predictions.argmax(axis=2)
    np.testing.assert_array_equal(predictions["values"], expected)
    assert predictions["seeds"] == metadata["seeds"] == [0, 1]


def test_notes_say_which_weights_and_what_is_doubtful(metadata, result):
    seed = result.models["image"].best_seed(lower=True)
    assert f"seed {seed}, epoch" in metadata["notes"]
    for warning in result.warnings:
        assert warning in metadata["notes"]


def test_a_preset_is_saved_with_it(metadata, tmp_path):
    model = MSAF.from_shapes({"a": (3,), "b": (3,)}, num_classes=2, units=8)
    model.save_to_preset(tmp_path, metadata)
    assert presets.verify_preset(tmp_path)
    found = presets.read_metadata(tmp_path)
    assert found["robustness"] == CURVES.to_dict()
    card = (tmp_path / "README.md").read_text()
    mean = metadata["metrics"]["accuracy"]["mean"]
    assert f"| accuracy | {mean:.4g} ± " in card
    assert "compared on accuracy, majority class of train" in card


def test_other_models_and_unknown_ones(result):
    audio = preset_metadata(result, "audio")
    assert audio["metrics"]["compared on accuracy"].keys() >= {"image"}
    assert "robustness" not in audio
    with pytest.raises(ValueError, match="Received: 'video'"):
        preset_metadata(result, "video")
