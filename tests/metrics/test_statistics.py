"""Bootstrap intervals and the spread over seeds."""

import json

import numpy as np
import pytest
from scipy import stats

from keras_mmfusion import metrics as m
from tests.metrics.expected import noisy_sentiment

pytestmark = pytest.mark.once


@pytest.mark.parametrize(
    "metric", [m.acc2_pos, m.f1_pos_swapped, m.mae, m.concordance_lin]
)
def test_the_fast_path_equals_calling_the_metric_on_each_resample(metric):
    y, p = noisy_sentiment(80)
    fast = m.bootstrap_interval(metric, y, p, resamples=60)
    slow = m.bootstrap_interval(lambda a, b: metric(a, b), y, p, resamples=60)
    assert (fast.value, fast.low, fast.high) == pytest.approx(
        (slow.value, slow.low, slow.high), abs=1e-12
    )


def test_interval_is_scipys_percentile_interval():
    y, p = noisy_sentiment(400)
    ours = m.bootstrap_interval(m.mae, y, p, resamples=4000)
    theirs = stats.bootstrap(
        (np.abs(y - p),), np.mean, n_resamples=4000, method="percentile", rng=1
    ).confidence_interval
    width = theirs.high - theirs.low
    assert ours.low == pytest.approx(theirs.low, abs=0.06 * width)
    assert ours.high == pytest.approx(theirs.high, abs=0.06 * width)


def test_interval_of_an_accuracy_has_the_binomial_width():
    right = np.arange(400) < 300
    found = m.bootstrap_interval(m.accuracy, right, np.ones(400, int))
    deviation = np.sqrt(0.75 * 0.25 / 400)
    assert found.high - found.low == pytest.approx(3.92 * deviation, rel=0.12)


def test_intervals_cover_the_truth_about_as_often_as_they_say():
    random = np.random.default_rng(0)
    covered = 0
    for trial in range(200):
        wrong = random.random(150) < 0.3
        found = m.bootstrap_interval(
            m.accuracy, np.zeros(150), wrong, resamples=300, seed=trial
        )
        covered += found.low <= 0.7 <= found.high
    # Binomial(200, 0.95) lies in 181 .. 198 with 99.9 %; the percentile
    # interval is known to be a little short.
    assert 178 <= covered <= 199


def test_grouping_widens_the_interval_of_clustered_samples():
    random = np.random.default_rng(0)
    groups = np.repeat(np.arange(20), 25)
    wrong = np.repeat(random.random(20) < 0.4, 25)
    alone = m.bootstrap_interval(m.accuracy, np.zeros(500), wrong)
    grouped = m.bootstrap_interval(
        m.accuracy, np.zeros(500), wrong, groups=groups
    )
    assert grouped.value == alone.value
    ratio = (grouped.high - grouped.low) / (alone.high - alone.low)
    assert ratio == pytest.approx(5.0, rel=0.25)  # the root of the group size


def test_equal_seeds_draw_alike_and_others_do_not():
    y, p = noisy_sentiment(100)
    first = m.bootstrap_interval(m.mae, y, p, seed=1)
    assert first == m.bootstrap_interval(m.mae, y, p, seed=1)
    assert first.low != m.bootstrap_interval(m.mae, y, p, seed=2).low


def test_a_higher_level_is_wider():
    y, p = noisy_sentiment(100)
    narrow = m.bootstrap_interval(m.mae, y, p, level=0.5)
    wide = m.bootstrap_interval(m.mae, y, p, level=0.99)
    assert wide.low < narrow.low < narrow.high < wide.high


def test_any_function_of_any_number_of_arrays_has_an_interval():
    values = np.random.default_rng(0).normal(3.0, 1.0, 50)
    found = m.bootstrap_interval(lambda v: float(np.median(v)), values)
    assert found.low < found.value == np.median(values) < found.high


def test_resamples_without_a_value_are_counted_and_left_out():
    y, p = [1.0, 2.0, 3.0], [1.0, 2.0, 2.5]
    found = m.bootstrap_interval(m.pearson, y, p, resamples=900)
    assert found.undefined == pytest.approx(100, abs=35)  # 3 of 27 draws
    assert np.isfinite(found.low)
    with pytest.warns(m.UndefinedMetricWarning):
        never = m.bootstrap_interval(m.pearson, y, [1.0] * 3, resamples=10)
    assert never.undefined == 10
    assert never.to_dict()["low"] is None
    json.dumps(never.to_dict(), allow_nan=False)


@pytest.mark.parametrize(
    ("arrays", "options", "message"),
    [
        (([1.0, 2.0], [1.0]), {}, r"shapes \[\(2,\), \(1,\)\]"),
        (([], []), {}, "at least one sample"),
        ((1.0, 2.0), {}, "at least one sample"),
        (([1.0], [1.0]), {"resamples": 0}, "`resamples`"),
        (([1.0], [1.0]), {"level": 95}, "`level`"),
        (([1.0, 2.0], [1.0, 2.0]), {"groups": [0, 0]}, "two groups"),
    ],
)
def test_bad_input_is_refused(arrays, options, message):
    with pytest.raises(ValueError, match=message):
        m.bootstrap_interval(m.mae, *arrays, **options)


def test_interval_prints_its_ends():
    assert str(m.Interval(0.5, 0.4, 0.6, 0.95, 10)) == "0.500 [0.400, 0.600]"


def test_seeds_are_summarised_with_the_sample_deviation():
    runs = [{"acc7": 0.4, "mae": 0.9}, {"acc7": 0.5, "mae": 0.7}]
    found = m.over_seeds(runs)
    assert found["acc7"].mean == pytest.approx(0.45)
    assert found["mae"].std == pytest.approx(np.std([0.9, 0.7], ddof=1))
    assert found["mae"].values == (0.9, 0.7)
    assert str(found["acc7"]) == "0.450 ± 0.071 (2 runs)"


def test_one_seed_has_no_spread():
    found = m.over_seeds([{"acc7": 0.4}])["acc7"]
    assert np.isnan(found.std)
    assert found.to_dict() == {
        "mean": 0.4,
        "std": None,
        "runs": 1,
        "values": [0.4],
    }


@pytest.mark.parametrize(
    ("runs", "message"),
    [([], "at least one run"), ([{"a": 1}, {"b": 1}], "run 1.*'a'.*'b'")],
)
def test_runs_that_do_not_match_are_refused(runs, message):
    with pytest.raises(ValueError, match=message):
        m.over_seeds(runs)
