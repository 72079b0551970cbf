"""Metrics as functions of sums over samples.

Every metric here is `finish(sum over samples of statistics(y, p))`. Accuracy
has two statistics (right, counted); correlation has six moments. A bootstrap
resample then only reweights the sum, so a thousand resamples of all metrics
cost one matrix product.
"""

import functools
import inspect
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, cast

import numpy as np
from numpy.typing import ArrayLike

from keras_mmfusion.metrics.arrays import Booleans, Floats

Finish = Callable[[Floats], Floats]


class UndefinedMetricWarning(UserWarning):
    """A metric has no value on these samples and was returned as NaN."""


@dataclass(frozen=True)
class Additive:
    """A metric's two halves.

    Attributes:
        statistics: `(y, p) -> (N, K)`, the per-sample statistics.
        finish: `(..., K) -> (...)`, the metric from their sums; NaN where it
            is undefined.
    """

    statistics: Callable[..., Floats]
    finish: Finish


class MetricFunction(Protocol):
    """A function `(y, p) -> float` that carries its additive form."""

    __name__: str
    additive: Additive

    def __call__(self, y: ArrayLike, p: ArrayLike, **options: Any) -> float:
        """Value of the metric."""
        ...


def additive(
    finish: Finish,
) -> Callable[[Callable[..., Floats]], MetricFunction]:
    """Turns a function that returns statistics (N, K) into the metric."""

    def decorate(statistics: Callable[..., Floats]) -> MetricFunction:
        @functools.wraps(statistics)
        def metric(y: ArrayLike, p: ArrayLike, **options: Any) -> float:
            value = float(finish(statistics(y, p, **options).sum(axis=0)))
            if np.isnan(value):
                warnings.warn(
                    f"{statistics.__name__} is undefined on these samples and "
                    "is returned as NaN: no sample is counted, or the labels "
                    "or the predictions are constant.",
                    UndefinedMetricWarning,
                    stacklevel=2,
                )
            return value

        # The body returns statistics; what the user calls returns a number.
        signature = inspect.signature(statistics)
        metric.__dict__.pop("__wrapped__")
        metric.__dict__["__signature__"] = signature.replace(
            return_annotation=float
        )
        metric.__annotations__ = {**statistics.__annotations__, "return": float}
        metric.__dict__["additive"] = Additive(statistics, finish)
        return cast(MetricFunction, metric)

    return decorate


def additive_form(metric: Callable[..., float]) -> Additive | None:
    """Additive form of a metric or of a `functools.partial` of one."""
    if isinstance(metric, functools.partial):
        inner = additive_form(metric.func)
        if inner is None or metric.args:
            return None
        return Additive(
            functools.partial(inner.statistics, **metric.keywords),
            inner.finish,
        )
    return getattr(metric, "additive", None)


def divide(numerator: Floats, denominator: Floats) -> Floats:
    """Quotient, NaN where the denominator is zero."""
    out = np.full(np.shape(denominator), np.nan)
    return np.divide(numerator, denominator, out=out, where=denominator != 0)


def ratio(sums: Floats) -> Floats:
    """First sum over the second."""
    return divide(sums[..., 0], sums[..., 1])


def hits(truth: Any, predicted: Any, kept: Booleans) -> Floats:
    """Statistics (N, 2) of an accuracy: right and counted."""
    right = (truth == predicted) & kept
    return np.stack([right, kept], axis=1).astype(np.float64)


def class_counts(
    truth: Any, predicted: Any, kept: Booleans, classes: int
) -> Floats:
    """Statistics (N, 3 C): hits, true members, predicted members per class."""
    numbers = np.arange(classes)
    is_true = (truth[:, None] == numbers) & kept[:, None]
    is_predicted = (predicted[:, None] == numbers) & kept[:, None]
    counts = [is_true & is_predicted, is_true, is_predicted]
    return np.concatenate(counts, axis=1).astype(np.float64)


def _class_f1(sums: Floats) -> tuple[Floats, Floats, Floats]:
    hit, members, predicted = np.split(sums, 3, axis=-1)
    total = members + predicted
    f1 = np.divide(2 * hit, total, out=np.zeros_like(hit), where=total != 0)
    return f1, members, predicted


def f1_by_truth(sums: Floats) -> Floats:
    """F1 per class, averaged with the true class sizes as weights."""
    f1, members, _ = _class_f1(sums)
    return divide((f1 * members).sum(-1), members.sum(-1))


def f1_by_prediction(sums: Floats) -> Floats:
    """F1 per class, averaged with the predicted class sizes as weights."""
    f1, _, predicted = _class_f1(sums)
    return divide((f1 * predicted).sum(-1), predicted.sum(-1))


def f1_unweighted(sums: Floats) -> Floats:
    """F1 per class, averaged over classes that occur in y or p."""
    f1, members, predicted = _class_f1(sums)
    occurs = (members + predicted) > 0
    return divide((f1 * occurs).sum(-1), occurs.sum(-1).astype(np.float64))


def mean_recall(sums: Floats) -> Floats:
    """Recall per class, averaged over classes that occur in y."""
    hit, members, _ = np.split(sums, 3, axis=-1)
    recall = np.divide(hit, members, out=np.zeros_like(hit), where=members != 0)
    occurs = members > 0
    return divide((recall * occurs).sum(-1), occurs.sum(-1).astype(np.float64))
