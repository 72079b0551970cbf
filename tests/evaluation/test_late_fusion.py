from dataclasses import replace

import numpy as np
import pytest

from keras_mmfusion.evaluation import Result, add_late_fusion
from keras_mmfusion.metrics import accuracy


@pytest.fixture
def copy(result):
    """The finished run, which other tests look at too."""
    fresh = Result(**vars(result))
    fresh.models = dict(result.models)
    fresh.paired = list(result.paired)
    return fresh


def log_probabilities(logits):
    p = np.exp(logits.astype(np.float64))
    return np.log(p / p.sum(axis=-1, keepdims=True))


def test_late_fusion_adds_log_probabilities_seed_by_seed(copy):
    late = add_late_fusion(copy, ["image", "audio"])
    parts = [copy.models[m].predictions for m in ("image", "audio")]
    expected = log_probabilities(parts[0]) + log_probabilities(parts[1])
    np.testing.assert_allclose(late.predictions, expected, rtol=1e-5, atol=1e-6)
    values = tuple(accuracy(copy.labels, one) for one in expected)
    assert late.scores["accuracy"].values == values
    assert copy.models["late fusion"] is late
    assert copy.paired[-1][:2] == ("late fusion", "image")


def test_large_logits_stay_finite(copy):
    image = copy.models["image"]
    large = replace(image, predictions=image.predictions * 1e4)
    copy.models["image"] = large
    late = add_late_fusion(copy, ["image", "audio"])
    assert np.isfinite(late.predictions).all()


def test_members_that_cannot_be_added_are_refused(copy):
    with pytest.raises(ValueError, match="two or more different"):
        add_late_fusion(copy, ["image"])
    with pytest.raises(ValueError, match="two or more different"):
        add_late_fusion(copy, ["image", "image"])
    with pytest.raises(ValueError, match="among"):
        add_late_fusion(copy, ["image", "video"])
    with pytest.raises(ValueError, match="already"):
        add_late_fusion(copy, ["image", "audio"], name="audio")
    audio = copy.models["audio"]
    copy.models["audio"] = replace(audio, predictions=audio.predictions[:1])
    with pytest.raises(ValueError, match="same seeds"):
        add_late_fusion(copy, ["image", "audio"])
    copy.task = "regression"
    with pytest.raises(ValueError, match="classification"):
        add_late_fusion(copy, ["image", "audio"])
