"""Absolute error and Pearson correlation."""

import numpy as np
import pytest
from scipy import stats

from keras_mmfusion import metrics as m
from tests.metrics.expected import noisy_sentiment

pytestmark = pytest.mark.once


@pytest.mark.parametrize("offset", [0.0, 1e4, -1e8])
def test_pearson_equals_scipy_at_any_offset(offset):
    y, p = noisy_sentiment()
    expected = stats.pearsonr(y + offset, p - offset).statistic
    found = m.pearson(y + offset, p - offset)
    assert found == pytest.approx(expected, abs=1e-9)


def test_mag_scores_nonzero_labels_only():
    y, p = noisy_sentiment()
    kept = y != 0
    assert m.mae_nonzero(y, p) == pytest.approx(m.mae(y[kept], p[kept]))
    found = m.pearson_nonzero(y, p)
    assert found == pytest.approx(m.pearson(y[kept], p[kept]), abs=1e-12)
    assert found != pytest.approx(m.pearson(y, p), abs=1e-3)


def test_mae_is_taken_in_float64():
    y = np.full(100_001, 0.1, "float32")
    assert m.mae(y, y + np.float32(0.2)) == pytest.approx(0.2, abs=1e-7)


@pytest.mark.parametrize("constant", [0.1, 0.0, 1e7, 1 / 3])
def test_a_constant_side_is_undefined_whatever_its_rounding(constant):
    y = np.random.default_rng(0).normal(size=1001)
    for pair in [(y, np.full(1001, constant)), (np.full(1001, constant), y)]:
        with pytest.warns(m.UndefinedMetricWarning, match="pearson"):
            assert np.isnan(m.pearson(*pair))


def test_one_sample_has_no_correlation_but_an_error():
    with pytest.warns(m.UndefinedMetricWarning):
        assert np.isnan(m.pearson([1.0], [2.0]))
    assert m.mae([1.0], [2.0]) == 1.0


def test_nothing_but_zero_labels_leaves_mag_without_a_number():
    with pytest.warns(m.UndefinedMetricWarning):
        assert np.isnan(m.pearson_nonzero([0.0, 0.0], [1.0, 2.0]))
    with pytest.warns(m.UndefinedMetricWarning):
        assert np.isnan(m.mae_nonzero([0.0, 0.0], [1.0, 2.0]))
