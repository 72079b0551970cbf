"""Metrics of columns and of seeds, made of those of one."""

import warnings

import numpy as np

from keras_mmfusion.metrics import UndefinedMetricWarning
from keras_mmfusion.metrics.additive import Additive, additive_form
from keras_mmfusion.types import Array, Metric


class OfColumn:
    """A metric of one column of labels and predictions (N, K)."""

    def __init__(self, metric: Metric, column: int) -> None:
        self.metric = metric
        self.column = column

    def __call__(self, y: Array, p: Array) -> float:
        return self.metric(y[:, self.column], p[:, self.column])

    @property
    def additive(self) -> Additive | None:
        form = additive_form(self.metric)
        if form is None:
            return None
        k, statistics = self.column, form.statistics
        return Additive(lambda y, p: statistics(y[:, k], p[:, k]), form.finish)


class MeanOfColumns:
    """Mean of a metric over the columns of labels and predictions (N, K)."""

    def __init__(self, metric: Metric, width: int) -> None:
        self.columns = [OfColumn(metric, k) for k in range(width)]

    def __call__(self, y: Array, p: Array) -> float:
        return float(np.mean([metric(y, p) for metric in self.columns]))

    @property
    def additive(self) -> Additive | None:
        found = [metric.additive for metric in self.columns]
        forms = [form for form in found if form is not None]
        if len(forms) < len(found):
            return None

        def statistics(y: Array, p: Array) -> Array:
            return np.concatenate([f.statistics(y, p) for f in forms], axis=1)

        def finish(sums: Array) -> Array:
            parts = np.split(sums, len(forms), axis=-1)
            return np.mean([forms[0].finish(part) for part in parts], axis=0)

        return Additive(statistics, finish)


class OverSeeds:
    """Mean of a metric over seeds; predictions are (N, S, ...)."""

    def __init__(self, metric: Metric) -> None:
        self.metric = metric

    def __call__(self, y: Array, p: Array) -> float:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UndefinedMetricWarning)
            values = [self.metric(y, p[:, s]) for s in range(p.shape[1])]
        return float(np.mean(values))

    @property
    def additive(self) -> Additive | None:
        form = additive_form(self.metric)
        if form is None:
            return None
        inner = form
        # How many seeds there are is known when the statistics are made.
        seeds: list[int] = []

        def statistics(y: Array, p: Array) -> Array:
            seeds[:] = [p.shape[1]]
            parts = [inner.statistics(y, p[:, s]) for s in range(p.shape[1])]
            return np.concatenate(parts, axis=1)

        def finish(sums: Array) -> Array:
            parts = np.split(sums, seeds[0], axis=-1)
            return np.mean([inner.finish(part) for part in parts], axis=0)

        return Additive(statistics, finish)
