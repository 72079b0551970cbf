"""How sure a score is: bootstrap intervals, and spread over seeds.

Nothing here assumes a distribution. Samples that share a recording or a
speaker are not independent; name them in `groups`, else intervals come out
too narrow. An interval covers the choice of test samples, the spread over
seeds covers training: neither contains the other.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from keras_mmfusion.metrics.additive import additive_form
from keras_mmfusion.metrics.arrays import Floats, one_json_number
from keras_mmfusion.metrics.resampling import (
    check_resampling,
    resampled_indices,
    resampled_sums,
)


@dataclass(frozen=True)
class Interval:
    """A metric's value with its bootstrap interval.

    Attributes:
        value: The metric on all samples.
        low: Lower end; NaN if the metric is undefined on every resample.
        high: Upper end.
        level: Share of resamples inside, such as 0.95.
        resamples: Number of resamples drawn.
        undefined: Resamples left out because the metric is undefined there.
    """

    value: float
    low: float
    high: float
    level: float
    resamples: int
    undefined: int = 0

    def __str__(self) -> str:
        """Value and ends, as `0.871 [0.803, 0.927]`."""
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON; numbers that are not finite become None."""
        ends = ("value", "low", "high")
        numbers = {end: one_json_number(getattr(self, end)) for end in ends}
        return asdict(self) | numbers


def percentile_interval(value: float, draws: Floats, level: float) -> Interval:
    """Interval from the metric's values on the resamples."""
    defined = draws[np.isfinite(draws)]
    tails = [(1 - level) / 2, (1 + level) / 2]
    low, high = np.nan, np.nan
    if len(defined):
        low, high = (float(q) for q in np.quantile(defined, tails))
    missing = len(draws) - len(defined)
    return Interval(value, low, high, level, len(draws), missing)


def metric_draws(
    metric: Callable[..., float],
    arrays: Sequence[NDArray[Any]],
    resamples: int,
    seed: int,
    groups: ArrayLike | None,
) -> Floats:
    """Values of a metric on bootstrap resamples, shape (resamples,)."""
    form = additive_form(metric)
    if form is not None:
        statistics = form.statistics(*arrays)
        return form.finish(resampled_sums(statistics, resamples, seed, groups))
    samples = len(arrays[0])
    indices = resampled_indices(samples, resamples, seed, groups)
    return np.array([float(metric(*(a[i] for a in arrays))) for i in indices])


def bootstrap_interval(
    metric: Callable[..., float],
    *arrays: ArrayLike,
    resamples: int = 1000,
    level: float = 0.95,
    seed: int = 0,
    groups: ArrayLike | None = None,
) -> Interval:
    """Percentile bootstrap interval of any metric.

    The samples (or whole groups) are drawn with replacement `resamples`
    times; the interval holds the middle `level` of the metric's values. The
    metrics of this package are drawn all at once as reweighted sums; any
    other callable is called once per resample.

    Args:
        metric: `metric(*arrays) -> float`.
        *arrays: Arrays with the samples along the first axis.
        resamples: Number of resamples.
        level: Share of resamples inside the interval.
        seed: Seed of the draw. Equal seeds give equal intervals.
        groups: Name of each sample's cluster, shape (N,).

    Returns:
        An `Interval`.

    Raises:
        ValueError: If arrays differ in length or are empty, there is a single
            group, or `resamples` or `level` is out of range.

    Example:

    ```python
    from keras_mmfusion.metrics import acc2_pos, bootstrap_interval

    y = [-1.0, 2.0, 1.0, -2.0] * 25
    p = [-0.5, 1.0, -1.0, -1.0] * 25
    interval = bootstrap_interval(acc2_pos, y, p)
    assert interval.low < interval.value == 0.75 < interval.high
    ```

    Source: Efron and Tibshirani, "An Introduction to the Bootstrap" (1993),
    chapter 13.
    """
    check_resampling(resamples, level)
    given = [np.asarray(array) for array in arrays]
    lengths = {a.shape[0] if a.ndim else 0 for a in given}
    if len(lengths) != 1 or lengths == {0}:
        raise ValueError(
            "Expected arrays of equal length with at least one sample. "
            f"Received: shapes {[a.shape for a in given]}."
        )
    value = float(metric(*given))
    draws = metric_draws(metric, given, resamples, seed, groups)
    return percentile_interval(value, draws, level)


@dataclass(frozen=True)
class SeedSummary:
    """A metric over training runs that differ in their seed only.

    Attributes:
        mean: Mean over runs.
        std: Standard deviation over runs with runs - 1 below; NaN for one.
        runs: Number of runs.
        values: Every run's value, in the order given.
    """

    mean: float
    std: float
    runs: int
    values: tuple[float, ...]

    def __str__(self) -> str:
        """Mean and deviation, as `0.871 ± 0.012 (5 runs)`."""
        return f"{self.mean:.3f} ± {self.std:.3f} ({self.runs} runs)"

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON; numbers that are not finite become None."""
        return {
            "mean": one_json_number(self.mean),
            "std": one_json_number(self.std),
            "runs": self.runs,
            "values": [one_json_number(value) for value in self.values],
        }


def over_seeds(
    results: Sequence[Mapping[str, float]],
) -> dict[str, SeedSummary]:
    """Mean and standard deviation of every metric over runs.

    Args:
        results: One mapping from metric name to value for each run, such as
            `evaluate` returns.

    Returns:
        A dict from metric name to `SeedSummary`.

    Raises:
        ValueError: If there is no run, or runs hold different metrics.

    Example:

    ```python
    from keras_mmfusion.metrics import over_seeds

    print(over_seeds([{"acc7": 0.4}, {"acc7": 0.5}])["acc7"])
    # 0.450 ± 0.071 (2 runs)
    ```
    """
    if not results:
        raise ValueError(
            "Expected at least one run in `results`. Received: []."
        )
    names = list(results[0])
    for number, result in enumerate(results):
        if set(result) != set(names):
            raise ValueError(
                f"Expected run {number} to hold the metrics {sorted(names)} of "
                f"run 0. Received: {sorted(result)}."
            )
    summary = {}
    for name in names:
        values = tuple(float(result[name]) for result in results)
        std = float(np.std(values, ddof=1)) if len(values) > 1 else np.nan
        mean = float(np.mean(values))
        summary[name] = SeedSummary(mean, std, len(values), values)
    return summary
