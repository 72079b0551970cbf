"""Metrics of a run: values, spread over seeds, intervals, floors, tests."""

import functools
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from keras_mmfusion.evaluation.clusters import clusters
from keras_mmfusion.evaluation.combined_metrics import (
    MeanOfColumns,
    OfColumn,
    OverSeeds,
)
from keras_mmfusion.evaluation.directions import lower_is_better
from keras_mmfusion.evaluation.files import number
from keras_mmfusion.evaluation.undefined import or_undefined, value_or_nan
from keras_mmfusion.metrics import (
    PROTOCOLS,
    PairedResult,
    UndefinedMetricWarning,
    accuracy,
    bootstrap_interval,
    concordance_lin,
    mae,
    over_seeds,
    paired_bootstrap,
    paired_test,
    pearson,
    report,
)
from keras_mmfusion.metrics.arrays import check_finite
from keras_mmfusion.metrics.protocols import protocol_metrics
from keras_mmfusion.types import Array, Metric

RESAMPLES = 2000
LEVEL = 0.95


@dataclass(frozen=True)
class Score:
    """One metric of one model over all seeds.

    The standard deviation is over seeds (training), the interval is over
    test samples, or groups of them; neither contains the other.

    Attributes:
        mean: Mean over seeds.
        std: Standard deviation over seeds; NaN for one seed.
        values: Value of every seed.
        low: Lower end of the mean's 95 % bootstrap interval.
        high: Upper end.
    """

    mean: float
    std: float
    values: tuple[float, ...]
    low: float
    high: float

    def __str__(self) -> str:
        """As `0.871 ± 0.012 [0.803, 0.927]`."""
        if not np.isfinite(self.mean):
            return "undefined"
        text = f"{self.mean:.3f}"
        if np.isfinite(self.std):
            text += f" ± {self.std:.3f}"
        return f"{text} [{self.low:.3f}, {self.high:.3f}]"

    def to_dict(self) -> dict[str, Any]:
        """As the card of a preset wants it: mean, std, interval, values."""
        return {
            "mean": self.mean,
            "std": self.std,
            "interval": [self.low, self.high],
            "values": list(self.values),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "Score":
        """The score that `to_dict` wrote."""
        low, high = (number(end) for end in data["interval"])
        values = tuple(number(value) for value in data["values"])
        return cls(number(data["mean"]), number(data["std"]), values, low, high)


@dataclass(frozen=True)
class Scoring:
    """The metrics of a run, fixed before the test split is opened.

    Attributes:
        protocol: Name of a published protocol, "plain" or "own".
        metrics: Metric by name, `(y, p) -> float`.
        main: Name of the metric that tests compare.
    """

    protocol: str
    metrics: Mapping[str, Metric]
    main: str

    def evaluate(self, y: Array, p: Array) -> dict[str, float]:
        """Value of every metric; NaN where one is undefined.

        It is, where a metric refuses predictions that are not finite.
        """
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UndefinedMetricWarning)
            return {k: value_or_nan(m, y, p) for k, m in self.metrics.items()}

    def score(
        self, y: Array, p: Array, groups: Array | None
    ) -> dict[str, Score]:
        """Every metric over seeds.

        Args:
            y: Labels (N,) or (N, K).
            p: Predictions of all seeds (S, N, ...).
            groups: Name of each sample's cluster (N,), or None.
        """
        by_seed = over_seeds([self.evaluate(y, one) for one in p])
        stacked = np.moveaxis(p, 0, 1)
        scores = {}
        for name, metric in self.metrics.items():
            ends = functools.partial(_ends, metric, y, stacked, groups)
            low, high = or_undefined(ends, (np.nan, np.nan), p)
            found = by_seed[name]
            scores[name] = Score(found.mean, found.std, found.values, low, high)
        return scores

    def compare(
        self, y: Array, p_a: Array, p_b: Array, groups: Array | None
    ) -> PairedResult:
        """Paired test of the main metric between two models' predictions.

        Accuracy and MAE: each sample's score is averaged over seeds, then
        `paired_test`. Other metrics: `paired_bootstrap` of the mean over
        seeds. All is NaN if a metric refuses predictions that are not finite.

        Args:
            y: Labels.
            p_a: Predictions of model a (S, N, ...).
            p_b: Predictions of model b (S', N, ...).
            groups: Name of each sample's cluster (N,), or None.
        """
        test = functools.partial(
            _paired, self.metrics[self.main], y, p_a, p_b, groups
        )
        return or_undefined(test, _no_test(y), p_a, p_b)

    def warnings(self, name: str, y: Array, p: Array) -> list[str]:
        """What `metrics.report` says against a published protocol here."""
        if self.protocol not in PROTOCOLS:
            return []
        notes = report(y, p, self.protocol, bootstrap=0).warnings
        return [f"{name}: {note}" for note in notes]


def _ends(
    metric: Metric, y: Array, p: Array, groups: Array | None
) -> tuple[float, float]:
    """Ends of the interval of the mean over seeds; predictions (N, S, ...)."""
    found = bootstrap_interval(
        OverSeeds(metric),
        y,
        p,
        resamples=RESAMPLES,
        level=LEVEL,
        groups=clusters(groups),
    )
    return found.low, found.high


def _paired(
    metric: Metric, y: Array, p_a: Array, p_b: Array, groups: Array | None
) -> PairedResult:
    per_sample = _PER_SAMPLE.get(metric)
    if per_sample is not None:
        a, b = (
            np.mean([per_sample(y, p) for p in many], axis=0)
            for many in (p_a, p_b)
        )
        return paired_test(a, b, groups=clusters(groups))
    return paired_bootstrap(
        OverSeeds(metric),
        y,
        np.moveaxis(p_a, 0, 1),
        np.moveaxis(p_b, 0, 1),
        resamples=RESAMPLES,
        groups=clusters(groups),
    )


def _no_test(y: Array) -> PairedResult:
    nothing = (np.nan,) * 4
    return PairedResult("undefined, for lack of numbers", *nothing, len(y))


def choose_metrics(
    task: str,
    protocol: str | Mapping[str, Metric] | None,
    metric: str | None,
    p: Array,
    columns: Sequence[str] | None = None,
) -> Scoring:
    """The metrics of a run from what the user asked for.

    Args:
        task: Task of the data set.
        protocol: Name of a published protocol, own metrics, or None.
        metric: Name of the main metric; the first if None.
        p: Predictions of a few samples, for their shape.
        columns: Names of the columns of labels (N, K).

    Raises:
        ValueError: If there are no metrics for the task, or no metric of
            the name.
    """
    if isinstance(protocol, str):
        name, table = protocol, _published(protocol, p)
    elif protocol is not None:
        name, table = "own", dict(protocol)
    elif task == "classification":
        name, table = "classes", _published("classes", p)
    elif task == "regression":
        name, table = "plain", _regression(p, columns)
    else:
        raise ValueError(
            f"There are no default metrics for the task {task!r}. Give "
            "`protocol`: a name from metrics.PROTOCOLS, or a dict from name "
            "to a function (y, p) -> float."
        )
    if not table:
        raise ValueError("`protocol` must hold at least one metric.")
    main = metric or next(iter(table))
    if main not in table:
        raise ValueError(
            f"Expected `metric` among {list(table)}. Received: {metric!r}"
        )
    return Scoring(name, table, main)


def floor_scores(
    scoring: Scoring, task: str, train_labels: Array, y: Array, p: Array
) -> dict[str, dict[str, float]]:
    """What constants learnt from the training labels score.

    Args:
        scoring: The metrics.
        task: Task of the data set.
        train_labels: Labels of the training split.
        y: Labels to score on.
        p: Predictions (N, ...); only the shape is used.

    Returns:
        Floor to metric to value; metrics that take no constant are left
        out. Empty for tasks without a floor.
    """
    result = {}
    for name, row in _constants(task, train_labels, p.shape).items():
        try:
            guess = np.broadcast_to(row, p.shape)
            result[name] = scoring.evaluate(y, guess)
        except ValueError:
            continue  # An own metric may refuse constants.
    return result


def is_worse(name: str, value: float, floor: float) -> bool | None:
    """Whether a value is no better than a floor; None if undecidable."""
    try:
        lower = lower_is_better(name)
    except ValueError:
        return None
    if not np.isfinite([value, floor]).all():
        return None
    return value >= floor if lower else value <= floor


def _published(protocol: str, p: Array) -> dict[str, Metric]:
    if protocol not in PROTOCOLS:
        raise ValueError(
            f"Expected `protocol` among {list(PROTOCOLS)}, or a dict of "
            f"metrics. Received: {protocol!r}"
        )
    return protocol_metrics(PROTOCOLS[protocol], p)


def _regression(p: Array, columns: Sequence[str] | None) -> dict[str, Metric]:
    base: dict[str, Metric] = {
        "mae": mae,
        "pearson": pearson,
        "concordance": concordance_lin,
    }
    width = p.shape[1] if p.ndim == 2 else 1
    if width == 1:
        return base
    names = columns or [str(k) for k in range(width)]
    table: dict[str, Metric] = {
        "mae": mean_absolute_error,
        "pearson": MeanOfColumns(pearson, width),
        "concordance": MeanOfColumns(concordance_lin, width),
    }
    for k, column in enumerate(names):
        for key, metric in base.items():
            table[f"{key} {column}"] = OfColumn(metric, k)
    return table


def mean_absolute_error(y: Array, p: Array) -> float:
    """Mean absolute error over samples and columns."""
    return float(_absolute_errors(y, p).mean())


def _constants(
    task: str, labels: Array, shape: tuple[int, ...]
) -> dict[str, Array]:
    if task == "classification" and len(shape) == 2 and shape[1] > 1:
        counts = np.bincount(labels.ravel().astype(int), minlength=shape[1])
        # Distinct scores by class size, so that top-k has an order.
        row = np.empty(shape[1], np.float32)
        order = np.argsort(-counts[: shape[1]], kind="stable")
        row[order] = -np.arange(shape[1])
        return {"majority class of train": row}
    if task == "regression":
        table = labels.reshape(len(labels), -1).astype(np.float32)
        wanted = shape[1:] if len(shape) > 1 else ()
        return {
            "mean of train": table.mean(axis=0).reshape(wanted),
            "median of train": np.median(table, axis=0).reshape(wanted),
        }
    return {}


def _hits(y: Array, p: Array) -> Array:
    check_finite(p, "p")
    return np.asarray(p.argmax(axis=1) == np.ravel(y), np.float64)


def _absolute_errors(y: Array, p: Array) -> Array:
    check_finite(p, "p")
    gap = p.reshape(len(p), -1) - y.reshape(len(y), -1)
    return np.abs(gap).astype(np.float64).mean(axis=1)


# Metrics that are the mean of a score per sample.
_PER_SAMPLE: dict[Metric, Callable[[Array, Array], Array]] = {
    accuracy: _hits,
    mae: _absolute_errors,
    mean_absolute_error: _absolute_errors,
}
