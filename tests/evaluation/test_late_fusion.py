from dataclasses import replace
from functools import partial

import keras
import numpy as np
import pytest

from keras_mmfusion.data import MultimodalDataset, Split
from keras_mmfusion.evaluation import Result, add_late_fusion, run
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


def test_values_of_a_regression_are_averaged():
    def half(seed, samples=24):
        random = np.random.default_rng(seed)
        y = random.normal(size=(samples, 1))
        x = {m: y + random.normal(size=(samples, 2)) for m in ("a", "b")}
        return Split(x, labels=y[:, 0])

    def build(seed, m):
        x = keras.Input((2,), name=m)
        model = keras.Model({m: x}, keras.layers.Dense(1)(x))
        model.compile(keras.optimizers.Adam(0.1), "mse")
        return model

    toy = MultimodalDataset(half(0), half(1), half(2), "toy", "regression")
    builds = {m: partial(build, m=m) for m in ("a", "b")}
    fit = {"epochs": 2, "buckets": 1}
    result = run(builds, toy, seeds=1, fit=fit, verbose=0)
    late = add_late_fusion(result, ["a", "b"])
    parts = [result.models[m].predictions for m in ("a", "b")]
    np.testing.assert_allclose(late.predictions, np.mean(parts, axis=0), 1e-6)
    assert late.scores["mae"].mean > 0


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
    copy.task = "ranking"
    with pytest.raises(ValueError, match="classification"):
        add_late_fusion(copy, ["image", "audio"])
