"""Metrics as sums: the number, the halves and the warning."""

import functools
import inspect

import numpy as np
import pytest

from keras_mmfusion import metrics
from keras_mmfusion.metrics.additive import additive_form, f1_unweighted
from tests.metrics.expected import noisy_sentiment

pytestmark = pytest.mark.once


def test_the_halves_give_the_metric_on_any_split_of_the_samples():
    y, p = noisy_sentiment()
    for metric in (metrics.acc7, metrics.f1_pos_swapped, metrics.pearson):
        form = additive_form(metric)
        rows = form.statistics(y, p)
        parts = rows[:100].sum(0) + rows[100:].sum(0)
        assert float(form.finish(parts)) == pytest.approx(metric(y, p))


def test_weighting_the_sums_equals_repeating_the_samples():
    y, p = noisy_sentiment(60)
    times = np.random.default_rng(1).integers(0, 4, 60)
    for metric in (
        metrics.acc2_msaf,
        metrics.f1_msaf,
        metrics.mae_nonzero,
        metrics.pearson_nonzero,
        metrics.concordance_rja_rho,
    ):
        form = additive_form(metric)
        weighted = float(form.finish(times @ form.statistics(y, p)))
        repeated = metric(np.repeat(y, times), np.repeat(p, times))
        assert weighted == pytest.approx(repeated, abs=1e-12)


def test_a_partial_keeps_its_additive_form_unless_arguments_are_positional():
    top2 = functools.partial(metrics.top_k_accuracy, k=2)
    rows = additive_form(top2).statistics([0, 1], [[3, 2, 1], [3, 2, 1]])
    assert rows[:, 0].tolist() == [1.0, 1.0]
    assert additive_form(functools.partial(metrics.acc7, [1.0])) is None
    assert additive_form(np.mean) is None


def test_the_signature_the_user_sees_returns_a_number():
    signature = inspect.signature(metrics.top_k_accuracy)
    assert list(signature.parameters) == ["y", "p", "k"]
    assert signature.return_annotation is float
    assert metrics.acc7.__doc__.startswith("Share of samples")


def test_what_is_undefined_is_nan_with_a_warning_that_names_it():
    with pytest.warns(metrics.UndefinedMetricWarning, match="acc2_pos is"):
        assert np.isnan(metrics.acc2_pos([0.0, 0.0], [1.0, -1.0]))


def test_a_class_that_never_occurs_does_not_enter_the_unweighted_mean():
    sums = np.array([2.0, 0, 0, 2, 1, 0, 3, 0, 0])  # hits, true, predicted
    assert float(f1_unweighted(sums)) == pytest.approx((0.8 + 0) / 2)
