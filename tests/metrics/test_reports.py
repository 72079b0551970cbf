"""The report: what it takes the input for, what it shows, what it warns of."""

import json
import time
import warnings

import numpy as np
import pytest

from keras_mmfusion import metrics as m
from tests.metrics.expected import P, Y, noisy_sentiment

pytestmark = pytest.mark.once


def class_scores(samples=60, classes=6):
    random = np.random.default_rng(0)
    y = random.integers(0, classes, samples)
    return y, np.eye(classes)[y] + random.normal(0, 0.8, (samples, classes))


def affect(frames):
    return np.random.default_rng(0).uniform(-1, 1, (frames, 2))


def quiet_report(*args, **options):
    """A report that must not warn through Python: it holds its warnings."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return m.report(*args, **options)


def test_all_sentiment_protocols_stand_side_by_side():
    found = quiet_report(Y, P)
    assert found.task == "regression"
    assert list(found.results) == (
        ["mmsa", "mult", "misa", "mag", "msaf", "multibench"]
    )
    header = str(found).splitlines()
    assert any(line.split() == list(found.results) for line in header)
    for name, scores in found.results.items():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            expected = m.evaluate(Y, P, protocol=name)
        values = {key: score.value for key, score in scores.items()}
        assert values == pytest.approx(expected, abs=1e-12)


def test_intervals_are_those_of_the_single_metrics():
    found = quiet_report(Y, P, bootstrap=200, seed=5)
    expected = m.bootstrap_interval(m.acc7, Y, P, resamples=200, seed=5)
    assert found.results["mmsa"]["acc7"] == expected
    expected = m.bootstrap_interval(m.f1_msaf, Y, P, resamples=200, seed=5)
    assert found.results["msaf"]["f1_non0"] == expected


@pytest.mark.parametrize(
    ("make", "task", "reason"),
    [
        (lambda: noisy_sentiment(40), "regression", "one real number"),
        (lambda: (Y[:, None], P[:, None]), "regression", "one real number"),
        (class_scores, "classification", "6 scores per sample"),
        (
            lambda: (class_scores()[0], class_scores()[1].argmax(1)),
            "classification",
            "class numbers",
        ),
        (
            lambda: (np.eye(6)[class_scores()[0]], class_scores()[1]),
            "classification",
            "6 scores",
        ),
        (
            lambda: (np.zeros((40, 4), int), np.ones((40, 4, 2))),
            "emotions",
            "4 x 2 scores",
        ),
        (
            lambda: (affect(40), affect(40)),
            "affect",
            "two real numbers",
        ),
        (
            lambda: (np.eye(2)[[0, 1] * 20], affect(40)),
            "classification",
            "2 scores",
        ),
        (
            lambda: (np.array([-3, 2, 0] * 12), np.array([-2, 1, 1] * 12)),
            "regression",
            "one real number",
        ),
        (
            lambda: (np.array([0, 2, 1] * 12), np.array([0.4, 1.8, 1] * 12)),
            "regression",
            "one real number",
        ),
    ],
)
def test_the_task_is_read_off_the_input_and_named(make, task, reason):
    found = quiet_report(*make(), bootstrap=20)
    assert found.task == task
    assert reason in found.reason
    assert reason in " ".join(str(found).split())


def test_a_protocol_asked_for_stands_alone():
    found = quiet_report(Y / 3, P / 3, protocol="sims", bootstrap=20)
    assert list(found.results) == ["sims"]
    assert "'sims' was asked for" in found.reason
    found = quiet_report([0, 1] * 20, [0, 1] * 20, protocol="classes")
    assert found.results["classes"]["accuracy"].value == 1.0


def test_defects_are_named_with_their_size():
    text = " ".join(str(quiet_report(Y, P, bootstrap=20)).split())
    assert "mult: F1 has its arguments exchanged" in text
    assert "mag: MAE and Corr leave out the 5 samples" in text
    assert "msaf: 9 exactly zero predictions" in text
    assert "mmsa:" not in text


def test_floors_are_printed_and_falling_short_is_a_warning():
    y, _ = noisy_sentiment(200)
    found = quiet_report(y, np.full(200, 2.0), bootstrap=20)
    assert "Floor: best constant prediction" in str(found)
    assert f"MAE {np.abs(y - y.mean()).mean():.3f}" in str(found)
    notes = " ".join(found.warnings)
    assert "mmsa: no better than a constant prediction on" in notes
    assert "All predictions are equal" in notes
    assert "undefined" in str(found)
    good = quiet_report(y, y, bootstrap=20)
    assert "no better" not in " ".join(good.warnings)


def test_doubtful_input_is_named():
    y, p = noisy_sentiment(200)
    for call, message in [
        (lambda: quiet_report(y[:9], p[:9], bootstrap=9), "Only 9 samples"),
        (lambda: quiet_report(y / 3, p / 3, bootstrap=9), 'protocol="sims"'),
        (
            lambda: quiet_report([0, 1] * 20, np.zeros((40, 3)), bootstrap=9),
            "40 samples have a tie",
        ),
        (
            lambda: quiet_report(affect(40), affect(40), bootstrap=9),
            "Pass the video names as `groups`",
        ),
    ]:
        assert message in " ".join(call().warnings)
    assert "sims" not in " ".join(quiet_report(y, p, bootstrap=9).warnings)


def test_groups_are_resampled_whole():
    y, p = noisy_sentiment(200)
    groups = np.repeat(np.arange(10), 20)
    found = quiet_report(y, p, groups=groups, bootstrap=50)
    assert found.units == "groups"
    assert "resamples of groups" in " ".join(str(found).split())
    expected = m.bootstrap_interval(m.mae, y, p, resamples=50, groups=groups)
    assert found.results["mmsa"]["mae"] == expected


def test_without_bootstrap_there_are_no_intervals():
    found = quiet_report(Y, P, bootstrap=0)
    assert "bootstrap" not in str(found)
    assert ".." not in str(found)
    assert found.to_dict()["results"]["mmsa"]["acc7"]["low"] is None


def test_equal_seeds_print_equal_reports():
    y, p = noisy_sentiment(80)
    assert str(m.report(y, p, seed=3)) == str(m.report(y, p, seed=3))
    assert str(m.report(y, p, seed=3)) != str(m.report(y, p, seed=4))


@pytest.mark.parametrize(
    "make",
    [
        lambda: (Y, np.zeros(121)),
        class_scores,
        lambda: (np.zeros((40, 4), int), np.ones((40, 4, 2))),
        lambda: (affect(40), np.zeros((40, 2))),
    ],
)
def test_the_dict_is_strict_json_with_everything_in_it(make):
    found = quiet_report(*make(), bootstrap=20)
    stored = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert stored["samples"] == found.samples
    assert set(stored["results"]) == set(found.results) == set(stored["floors"])
    assert stored["warnings"] == list(found.warnings)


def test_lines_fit_the_page():
    y, p = noisy_sentiment(200)
    for found in (quiet_report(y, p), quiet_report(*class_scores())):
        lines = str(found).splitlines()
        assert max(map(len, lines)) <= 82
        assert all(line == line.rstrip() for line in lines)


def test_numbers_in_the_table_are_percent_or_label_units():
    text = str(quiet_report(Y, P, bootstrap=0))
    scores = text.split("Floor")[0].splitlines()
    rows = {line[:10].strip(): line.split() for line in scores}
    assert rows["Acc2 has0"][2:] == ["83.47", "86.78", "83.47", "86.78"]
    assert rows["MAE"][1:5] == ["0.715", "0.715", "0.715", "0.722"]


def test_a_realistic_test_set_takes_well_under_two_seconds():
    y, p = noisy_sentiment(4659)
    begin = time.process_time()
    m.report(y, p)
    assert time.process_time() - begin < 2.0


@pytest.mark.parametrize(
    ("y", "p", "options", "message"),
    [
        (Y, P, {"bootstrap": -1}, "`bootstrap` of 0 or more"),
        (Y, P, {"protocol": "mosi"}, "mmsa, mult"),
        (Y + 4, P, {}, r"\[-3, 3\]"),
        (Y, P[:5], {}, "121 labels"),
        ([], [], {}, "at least one sample"),
        (Y, np.full(121, np.nan), {}, "121 NaN"),
        ([0, 7], np.eye(2), {}, "labels up to 7"),
        (Y, P, {"groups": ["a"]}, "one name for each of 121"),
    ],
)
def test_bad_input_is_refused(y, p, options, message):
    with pytest.raises(ValueError, match=message):
        m.report(y, p, **options)
