"""Scores of predictions that ignore the input."""

import numpy as np
import pytest

from keras_mmfusion import metrics as m
from keras_mmfusion.metrics.floors import constant_errors, floors
from keras_mmfusion.metrics.protocols import protocol_metrics
from tests.metrics.expected import noisy_sentiment

pytestmark = pytest.mark.once


def floor_of(y, p, protocol):
    chosen = m.PROTOCOLS[protocol]
    return floors(chosen, protocol_metrics(chosen, p), y, p)


def test_sentiment_floors_are_the_majority_and_the_median():
    y, p = noisy_sentiment(800)
    found = floor_of(y, p, "mmsa")
    share = (y >= 0).mean()
    assert found["acc2_has0"] == pytest.approx(max(share, 1 - share))
    assert found["acc7"] == pytest.approx(
        max((np.round(y) == c).mean() for c in range(-3, 4))
    )
    assert found["mae"] == pytest.approx(np.abs(y - np.median(y)).mean())
    assert np.isnan(found["corr"])


def test_mag_floor_is_the_median_of_what_it_counts():
    y, p = noisy_sentiment(801)
    kept = y[y != 0]
    expected = np.abs(kept - np.median(kept)).mean()
    assert floor_of(y, p, "mag")["mae"] == pytest.approx(expected)


def test_no_constant_of_a_fine_grid_beats_the_floor():
    y, p = noisy_sentiment(300)
    for name in ("mmsa", "mult", "misa", "mag", "msaf", "multibench"):
        found = floor_of(y, p, name)
        for constant in np.linspace(-3.21, 3.2, 65):
            guess = np.full(300, constant)
            for key, metric in m.PROTOCOLS[name].metrics.items():
                if key == "corr":
                    continue
                value = metric(y, guess)
                better = (
                    value < found[key] if key == "mae" else (value > found[key])
                )
                assert not better or abs(value - found[key]) < 1e-12


def test_sims_floor_reaches_all_five_intervals():
    for level in (-1.0, -0.4, 0.0, 0.4, 1.0):
        y = np.array([level] * 6 + [-0.8, -0.2, 0.2, 0.8])
        found = floor_of(y, y, "sims")
        share = (
            np.digitize(y, [-0.7, -0.1, 0.1, 0.7])
            == np.digitize(level, [-0.7, -0.1, 0.1, 0.7])
        ).mean()
        assert found["acc5"] == pytest.approx(share)


def test_class_floors_are_the_largest_classes():
    y = np.repeat(np.arange(6), [2, 9, 4, 5, 1, 3])
    found = floor_of(y, np.zeros((24, 6)), "classes")
    assert found["accuracy"] == pytest.approx(9 / 24)
    assert found["top3"] == pytest.approx((9 + 5 + 4) / 24)
    assert found["balanced_accuracy"] == pytest.approx(1 / 6)
    assert floor_of(y, y, "classes")["accuracy"] == pytest.approx(9 / 24)


def test_emotion_floors_are_the_commoner_answer():
    y = np.array([[0, 1, 0, 0]] * 3 + [[1, 1, 0, 0]])
    found = floor_of(y, np.zeros((4, 4, 2)), "iemocap")
    assert found["accuracy_neutral"] == 0.75
    assert found["accuracy_happy"] == 1.0


def test_affect_floor_is_zero():
    y = np.random.default_rng(0).uniform(-1, 1, (30, 2))
    assert set(floor_of(y, y, "affwild2").values()) == {0.0}


def test_constant_errors_name_the_constants():
    found = constant_errors([0.0, 0.0, 3.0])
    assert found["mean"] == pytest.approx({"prediction": 1.0, "mae": 4 / 3})
    assert found["median"] == pytest.approx({"prediction": 0.0, "mae": 1.0})
