"""Seven, five and three classes, and the forms of CH-SIMS."""

import numpy as np
import pytest

from keras_mmfusion import metrics as m
from tests.metrics.expected import P, Y

pytestmark = pytest.mark.once


def test_ties_round_to_even():
    ties = np.array([-2.5, -1.5, -0.5, 0.5, 1.5, 2.5])
    assert m.acc7(ties, [-2.0, -2.0, 0.0, 0.0, 2.0, 2.0]) == 1.0
    assert m.acc7(ties, [-3.0, -1.0, -1.0, 1.0, 1.0, 3.0]) == 0.0


def test_clipping_comes_before_rounding():
    assert m.acc7([3.0, -3.0], [9.0, -3.4]) == 1.0
    assert m.acc5([3.0, 1.6], [1.5, 5.0]) == 1.0
    assert m.acc3([3.0, 0.4], [0.6, 0.5]) == 1.0


@pytest.mark.parametrize(("metric", "limit"), [(m.acc7, 3), (m.acc5, 2)])
def test_all_pairs_agree_with_clip_and_round(metric, limit):
    def number(x):
        return np.round(np.clip(x, -limit, limit))

    assert metric(Y, P) == (number(Y) == number(P)).mean()


def test_sims_counts_zero_as_negative_unlike_mmsa_on_mosi():
    assert m.sims_acc2([0.0], [-0.5]) == 1.0
    assert m.acc2_nonneg([0.0], [-0.5]) == 0.0


def test_sims_compares_float32_in_float32():
    # The nearest float32 to 0.1 is above 0.1: in float64 it is positive.
    point = np.array([0.1], "float32")
    assert m.sims_acc3(point, np.zeros(1, "float32")) == 1.0
    assert m.sims_acc3(point.astype("float64"), [0.0]) == 0.0


def test_sims_clips_before_error_and_correlation():
    y, p = np.array([-1.0, 0.0, 1.0]), np.array([-4.0, 0.0, 1.0])
    assert m.sims_mae(y, p) == 0.0
    assert m.sims_pearson(y, p) == pytest.approx(1.0)
    assert m.pearson(y, p) < 0.99
