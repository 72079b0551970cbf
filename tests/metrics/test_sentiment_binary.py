"""Two-class accuracies and F1 of a sentiment score."""

import numpy as np
import pytest
from sklearn.metrics import f1_score

from keras_mmfusion import metrics as m
from tests.metrics.expected import EXPECTED, P, Y, noisy_sentiment

pytestmark = pytest.mark.once


def test_exact_zeros_fall_where_each_form_says():
    y = [0.0, -1.0, 1.0]
    for p, expected in [
        ([0.0, -1.0, 1.0], (1.0, 1.0, 1.0, 1.0, 1.0)),
        ([-0.1, -1.0, 1.0], (2 / 3, 1.0, 1.0, 1.0, 1.0)),
        ([0.1, -1.0, 1.0], (1.0, 1.0, 2 / 3, 1.0, 1.0)),
        ([0.0, 0.0, 1.0], (2 / 3, 1.0, 1.0, 0.5, 1.0)),
        ([0.0, -1.0, 0.0], (1.0, 0.5, 2 / 3, 1.0, 1.0)),
    ]:
        found = (
            m.acc2_nonneg(y, p),
            m.acc2_pos(y, p),
            m.acc2_pos_nonpos(y, p),
            m.acc2_mag(y, p),
            m.acc2_msaf(y, p),
        )
        assert found == pytest.approx(expected)


def test_minus_zero_is_zero():
    assert m.acc2_nonneg([-0.0, -1.0], [0.5, -0.0]) == 0.5


@pytest.mark.parametrize("seed", range(3))
def test_f1_equals_scikit_learn(seed):
    y, p = noisy_sentiment(300, seed)
    kept = y != 0
    a, b = y[kept] > 0, p[kept] > 0
    weighted = {"average": "weighted"}
    for ours, theirs in [
        (m.f1_nonneg(y, p), f1_score(y >= 0, p >= 0, **weighted)),
        (m.f1_pos(y, p), f1_score(a, b, **weighted)),
        (m.f1_pos_swapped(y, p), f1_score(b, a, **weighted)),
        (m.f1_pos_nonpos_swapped(y, p), f1_score(p > 0, y > 0, **weighted)),
        (m.f1_mag(y, p), f1_score(a, p[kept] >= 0, **weighted)),
        (
            m.f1_msaf(y, p),
            f1_score(
                np.sign(y[kept]), np.sign(p[kept]), labels=[-1, 1], **weighted
            ),
        ),
    ]:
        assert ours == pytest.approx(theirs, abs=1e-12)


def test_swapped_f1_rewards_the_model_that_always_says_one_class():
    y = np.array([-1.0] * 60 + [1.0] * 40)
    always = np.ones(100)
    assert m.f1_pos(y, always) == pytest.approx(0.4 * 2 * 0.4 / 1.4)
    assert m.f1_pos_swapped(y, always) == pytest.approx(2 * 0.4 / 1.4)


def test_abstaining_with_zero_raises_only_msafs_accuracy():
    y, p = np.array([-1.0, 1.0, 1.0, -1.0]), np.array([-1.0, 1.0, -1.0, 1.0])
    abstaining = np.array([-1.0, 1.0, 0.0, 0.0])
    assert m.acc2_msaf(y, p) == 0.5
    assert m.acc2_msaf(y, abstaining) == 1.0
    assert m.counted_msaf(y, abstaining) == 2
    assert m.f1_msaf(y, abstaining) < 0.7


def test_unprinted_misa_variable_is_the_swapped_f1():
    key = "f1_swapped_args_variable_never_printed"
    expected = EXPECTED["MISA.calc_metrics"][key]
    assert m.f1_pos_swapped(Y, P) == pytest.approx(expected, abs=1e-12)


def test_all_predictions_zero_leaves_msaf_without_a_sample():
    with pytest.warns(m.UndefinedMetricWarning):
        assert np.isnan(m.acc2_msaf([1.0, -1.0], [0.0, 0.0]))
    assert m.counted_msaf([1.0, -1.0], [0.0, 0.0]) == 0


@pytest.mark.parametrize(
    "metric", [m.acc2_nonneg, m.acc2_mag, m.f1_pos_swapped, m.counted_msaf]
)
def test_bad_input_is_refused(metric):
    for y, p in [([], []), ([np.nan], [1.0]), ([1.0], [[1.0, 2.0]])]:
        with pytest.raises(ValueError, match="Expected"):
            metric(y, p)


def test_a_row_and_a_column_do_not_broadcast():
    y, p = noisy_sentiment(40)
    assert m.acc2_pos(y[:, None], p) == m.acc2_pos(y, p)
