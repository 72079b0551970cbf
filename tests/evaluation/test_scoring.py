import numpy as np
import pytest

from keras_mmfusion import metrics
from keras_mmfusion.evaluation.scoring import (
    MeanOfColumns,
    OfColumn,
    OverSeeds,
    Score,
    choose_metrics,
    floor_scores,
    is_worse,
)

pytestmark = pytest.mark.once


def guesses(y, right, classes=3):
    """Scores (N, C) that are right where `right` says so."""
    chosen = np.where(right, y, (y + 1) % classes)
    return np.eye(classes, dtype="float32")[chosen]


@pytest.fixture
def labels():
    return np.random.default_rng(0).integers(0, 3, 60)


@pytest.fixture
def scoring(labels):
    p = guesses(labels, labels >= 0)
    return choose_metrics("classification", None, None, p)


def test_mean_and_deviation_are_over_seeds(labels, scoring):
    random = np.random.default_rng(1)
    right = random.random((3, 60)) < 0.7
    p = np.stack([guesses(labels, one) for one in right])
    score = scoring.score(labels, p, None)["accuracy"]
    values = right.mean(axis=1)
    assert score.values == pytest.approx(tuple(values))
    assert score.mean == pytest.approx(values.mean())
    assert score.std == pytest.approx(values.std(ddof=1))
    assert str(score).startswith(
        f"{values.mean():.3f} ± {values.std(ddof=1):.3f} ["
    )
    assert Score.from_dict(score.to_dict()) == score


def test_the_interval_is_that_of_the_mean_over_seeds(labels, scoring):
    """For accuracy the mean over seeds is the mean of a score per sample."""
    right = np.random.default_rng(1).random((4, 60)) < 0.7
    p = np.stack([guesses(labels, one) for one in right])
    score = scoring.score(labels, p, None)["accuracy"]
    expected = metrics.bootstrap_interval(
        np.mean, right.mean(0), resamples=2000
    )
    assert (score.low, score.high) == pytest.approx(
        (expected.low, expected.high)
    )
    # 1.96 standard errors, known for a mean.
    error = right.mean(axis=0).std() / np.sqrt(60)
    assert score.high - score.low == pytest.approx(3.92 * error, rel=0.1)


def test_groups_make_the_interval_wider(labels, scoring):
    groups = np.repeat(np.arange(6), 10)
    right = groups % 2 == 0
    p = guesses(labels, right)[None]
    alone = scoring.score(labels, p, None)["accuracy"]
    grouped = scoring.score(labels, p, groups)["accuracy"]
    assert grouped.high - grouped.low > 2 * (alone.high - alone.low)


def test_one_seed_has_no_deviation(labels, scoring):
    score = scoring.score(labels, guesses(labels, labels > 0)[None], None)
    assert np.isnan(score["accuracy"].std)
    assert "±" not in str(score["accuracy"])


def test_metrics_over_seeds_agree_with_their_definition(labels):
    random = np.random.default_rng(2)
    p = random.normal(size=(60, 3, 3))
    values = [metrics.f1_macro(labels, p[:, s]) for s in range(3)]
    combined = OverSeeds(metrics.f1_macro)
    assert combined(labels, p) == pytest.approx(np.mean(values))
    form = combined.additive
    total = form.statistics(labels, p).sum(axis=0)
    assert float(form.finish(total)) == pytest.approx(np.mean(values))
    assert OverSeeds(lambda y, p: 0.0).additive is None


def test_one_seed_without_groups_is_mcnemar(labels, scoring):
    a, b = labels >= 0, labels == 0
    found = scoring.compare(
        labels, guesses(labels, a)[None], guesses(labels, b)[None], None
    )
    assert found == metrics.mcnemar_exact(a, b)


def test_seeds_are_averaged_before_the_paired_test(labels, scoring):
    random = np.random.default_rng(3)
    a, b = random.random((2, 3, 60)) < [[[0.8]], [[0.5]]]
    many = [np.stack([guesses(labels, s) for s in one]) for one in (a, b)]
    groups = np.arange(60) // 5
    found = scoring.compare(labels, *many, groups)
    expected = metrics.sign_flip_test(a.mean(0), b.mean(0), groups=groups)
    assert found == expected
    assert found.difference == pytest.approx(a.mean() - b.mean())


def test_other_metrics_are_compared_by_bootstrap(labels):
    scoring = choose_metrics(
        "classification", None, "f1_macro", np.zeros((1, 3))
    )
    a = guesses(labels, labels >= 0)[None]
    b = guesses(labels, labels == 0)[None]
    found = scoring.compare(labels, a, b, None)
    assert found.test == "paired bootstrap"
    expected = 1 - metrics.f1_macro(labels, b[0])
    assert found.difference == pytest.approx(expected)


def test_floors_are_constants_of_the_training_labels(scoring):
    train = np.array([1, 1, 1, 0, 2])
    y = np.array([0, 0, 1, 2])
    floors = floor_scores(scoring, "classification", train, y, np.zeros((4, 3)))
    assert floors["majority class of train"]["accuracy"] == 0.25
    wide = choose_metrics("classification", None, None, np.zeros((4, 5)))
    # The guesses by size, the lower number first: 1, 0, 2, then 3 and 4.
    floors = floor_scores(wide, "classification", train, y, np.zeros((4, 5)))
    assert floors["majority class of train"]["top3"] == 1.0
    plain = choose_metrics("regression", None, None, np.zeros((4, 1)))
    floors = floor_scores(
        plain, "regression", np.array([0.0, 0, 3]), y * 1.0, np.zeros((4, 1))
    )
    assert floors["mean of train"]["mae"] == pytest.approx(0.75)
    assert floors["median of train"]["mae"] == pytest.approx(0.75)
    assert np.isnan(floors["mean of train"]["pearson"])


def test_several_targets_are_scored_by_column():
    random = np.random.default_rng(0)
    y, p = random.normal(size=(2, 30, 2))
    scoring = choose_metrics("regression", None, None, p, ["joy", "fear"])
    scores = scoring.evaluate(y, p)
    assert scores["mae"] == pytest.approx(np.abs(y - p).mean())
    assert scores["pearson fear"] == pytest.approx(
        np.corrcoef(y[:, 1], p[:, 1])[0, 1]
    )
    both = [metrics.concordance_lin(y[:, k], p[:, k]) for k in (0, 1)]
    assert scores["concordance"] == pytest.approx(np.mean(both))
    mean = MeanOfColumns(metrics.concordance_lin, 2)
    total = mean.additive.statistics(y, p).sum(axis=0)
    assert float(mean.additive.finish(total)) == pytest.approx(np.mean(both))
    assert MeanOfColumns(lambda y, p: 0.0, 2).additive is None
    column = OfColumn(metrics.pearson, 1)
    interval = metrics.bootstrap_interval(column, y, p, resamples=50)
    expected = metrics.bootstrap_interval(
        metrics.pearson, y[:, 1], p[:, 1], resamples=50
    )
    assert interval == expected
    floors = floor_scores(scoring, "regression", y, y, p)
    assert "pearson joy" in floors["mean of train"]


def test_published_protocols_and_own_metrics_can_be_chosen():
    p = np.zeros((4, 1), "float32")
    assert choose_metrics("regression", "mmsa", "acc7", p).main == "acc7"
    own = {"worst": lambda y, p: float(np.abs(y - p).max())}
    scoring = choose_metrics("binary heads", own, None, p)
    assert (scoring.protocol, scoring.main) == ("own", "worst")
    with pytest.raises(ValueError, match="no default metrics for the task"):
        choose_metrics("binary heads", None, None, p)
    with pytest.raises(ValueError, match="at least one metric"):
        choose_metrics("regression", {}, None, p)


def test_defects_of_a_protocol_are_said():
    y = np.array([-1.0, 0.0, 1.0, 2.0])
    p = np.array([-1.0, 1.0, 1.0, -2.0], "float32")
    scoring = choose_metrics("regression", "mult", None, p)
    assert "arguments exchanged" in scoring.warnings("x", y, p)[0]
    plain = choose_metrics("regression", None, None, p)
    assert plain.warnings("x", y, p) == []


def test_worse_than_a_floor():
    assert is_worse("accuracy", 0.3, 0.4)
    assert not is_worse("mae", 0.3, 0.4)
    assert is_worse("quality", 0.3, 0.4) is None
    assert is_worse("pearson", 0.3, float("nan")) is None
