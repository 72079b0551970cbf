"""Tests between two runs on the same samples, against SciPy."""

import json

import numpy as np
import pytest
from scipy import stats

from keras_mmfusion import metrics as m
from keras_mmfusion.metrics import paired
from tests.metrics.expected import noisy_sentiment

pytestmark = pytest.mark.once


def outcomes(both, only_a, only_b, neither=3):
    """Right and wrong of two runs with these counts."""
    a = [1] * both + [1] * only_a + [0] * only_b + [0] * neither
    b = [1] * both + [0] * only_a + [1] * only_b + [0] * neither
    return np.array(a), np.array(b)


@pytest.mark.parametrize(
    ("only_a", "only_b"), [(8, 2), (2, 8), (5, 5), (0, 1), (0, 0), (900, 800)]
)
def test_mcnemar_is_the_two_sided_binomial_test(only_a, only_b):
    found = m.mcnemar_exact(*outcomes(20, only_a, only_b))
    expected = 1.0
    if only_a + only_b:
        expected = stats.binomtest(only_a, only_a + only_b).pvalue
    assert found.p_value == pytest.approx(expected, rel=1e-9)
    samples = 23 + only_a + only_b
    assert found.difference == pytest.approx((only_a - only_b) / samples)
    assert found.low <= found.difference <= found.high


@pytest.mark.parametrize("samples", [5, 12])
def test_few_samples_try_every_sign_pattern_like_scipy(samples):
    random = np.random.default_rng(samples)
    a, b = random.normal(0.4, 1, samples), random.normal(0, 1, samples)
    expected = stats.permutation_test(
        (a, b),
        lambda x, y, axis: np.mean(x - y, axis=axis),
        permutation_type="samples",
        vectorized=True,
        n_resamples=np.inf,
    ).pvalue
    assert m.sign_flip_test(a, b).p_value == pytest.approx(expected)


def test_many_samples_come_near_the_t_test():
    random = np.random.default_rng(0)
    a = random.normal(0.0, 1, 300)
    b = a - 0.12 + random.normal(0, 1, 300)
    found = m.sign_flip_test(a, b, resamples=20_000)
    expected = stats.ttest_rel(a, b).pvalue
    assert 0.005 < expected < 0.5
    assert found.p_value == pytest.approx(expected, rel=0.15)


def test_equal_runs_have_no_difference():
    y, p = noisy_sentiment(50)
    errors = np.abs(y - p)
    for found in (
        m.sign_flip_test(errors, errors),
        m.mcnemar_exact(errors > 1, errors > 1),
        m.paired_bootstrap(m.mae, y, p, p),
    ):
        assert found.difference == 0.0
        assert found.p_value == 1.0


def test_equal_differences_that_round_apart_still_tie():
    a = np.full(8, 0.1) + np.arange(8)
    found = m.sign_flip_test(a, np.arange(8))
    assert found.p_value == pytest.approx(2 / 2**8)


@pytest.mark.parametrize("test", ["sign_flip", "bootstrap"])
def test_p_values_are_small_as_often_as_they_say_when_runs_are_equal(test):
    random = np.random.default_rng(0)
    small = 0
    for trial in range(200):
        y = random.normal(size=60)
        a, b = y + random.normal(size=60), y + random.normal(size=60)
        if test == "sign_flip":
            found = m.sign_flip_test(abs(a - y), abs(b - y), 400, trial)
        else:
            found = m.paired_bootstrap(m.mae, y, a, b, 400, trial)
        small += found.p_value < 0.1
    assert 8 <= small <= 36  # Binomial(200, 0.1) lies here with 99.9 %


def test_clusters_make_a_difference_less_sure():
    random = np.random.default_rng(1)
    groups = np.repeat(np.arange(15), 20)
    difference = np.repeat(random.normal(0.25, 1, 15), 20)
    alone = m.sign_flip_test(difference, np.zeros(300))
    grouped = m.sign_flip_test(difference, np.zeros(300), groups=groups)
    assert alone.p_value < 0.01 < grouped.p_value
    assert (alone.units, grouped.units) == (300, 15)
    assert grouped.high - grouped.low > 2 * (alone.high - alone.low)


def test_blocks_of_signs_change_no_p_value(monkeypatch):
    random = np.random.default_rng(0)
    a, b = random.normal(0.2, 1, 64), random.normal(0, 1, 64)
    whole = m.sign_flip_test(a, b, resamples=500).p_value
    monkeypatch.setattr(paired, "_BLOCK", 64 * 50)
    assert m.sign_flip_test(a, b, resamples=500).p_value == whole


def test_paired_test_fits_the_scores():
    a, b = outcomes(20, 8, 2)
    groups = np.arange(len(a)) // 2
    assert m.paired_test(a == 1, b == 1).test == "exact McNemar test"
    assert m.paired_test(a, b, groups=groups).test == "sign-flip test"
    assert m.paired_test(a * 0.7, b * 0.7).test == "sign-flip test"


def test_bootstrap_compares_metrics_that_are_no_mean_over_samples():
    y, p = noisy_sentiment(300)
    worse = p + np.random.default_rng(1).normal(0, 2, 300)
    found = m.paired_bootstrap(m.pearson, y, p, worse)
    expected = m.pearson(y, p) - m.pearson(y, worse)
    assert found.difference == pytest.approx(expected)
    assert 0 < found.low < found.difference < found.high
    assert found.p_value < 0.01
    back = m.paired_bootstrap(m.pearson, y, worse, p)
    assert back.difference == pytest.approx(-found.difference)


def test_pairing_is_surer_than_two_intervals():
    random = np.random.default_rng(0)
    y = random.normal(size=200)
    hard = random.normal(0, 2, 200)
    a, b = y + hard, y + hard * 1.1
    left = m.bootstrap_interval(m.mae, y, a)
    right = m.bootstrap_interval(m.mae, y, b)
    assert left.high > right.low  # the intervals overlap
    assert m.sign_flip_test(abs(a - y), abs(b - y)).p_value < 0.001


def test_result_prints_in_one_line_and_is_plain_json():
    found = m.mcnemar_exact(*outcomes(20, 8, 2))
    assert "\n" not in str(found)
    assert "p = 0.109" in str(found)
    stored = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert stored["units"] == 33


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: m.paired_test([1, 0], [1]), "2 scores in run a and 1"),
        (lambda: m.mcnemar_exact([0.5, 1], [1, 0]), "`sign_flip_test`"),
        (lambda: m.sign_flip_test([], []), "at least one sample"),
        (lambda: m.sign_flip_test([np.nan], [1.0]), "`scores_a`"),
        (lambda: m.sign_flip_test([1.0], [2.0], resamples=0), "`resamples`"),
        (
            lambda: m.paired_bootstrap(m.mae, [1.0, 2.0], [1.0], [1.0, 2.0]),
            "2 labels `y` and 1",
        ),
    ],
)
def test_runs_that_do_not_pair_up_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
