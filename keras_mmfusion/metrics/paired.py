"""Tests between two runs that predicted the same samples.

Comparing two intervals wastes what the runs share: a sample that is hard for
both. These tests look at each sample's difference instead.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from keras_mmfusion.metrics.arrays import Floats, as_column, one_json_number
from keras_mmfusion.metrics.resampling import (
    check_resampling,
    group_numbers,
    resampled_sums,
)
from keras_mmfusion.metrics.statistics import metric_draws, percentile_interval

_LEVEL = 0.95
# Up to this many units all sign patterns are tried (4096).
_EXACT_UNITS = 12
# Signs held at once.
_BLOCK = 1 << 22


@dataclass(frozen=True)
class PairedResult:
    """Outcome of a test between two runs on the same samples.

    Attributes:
        test: What was computed.
        difference: Score of run a minus score of run b.
        low: Lower end of the difference's 95 % bootstrap interval.
        high: Upper end.
        p_value: Two-sided probability, under equal runs, of a difference at
            least this large.
        units: Number of independent units: samples, or groups.
    """

    test: str
    difference: float
    low: float
    high: float
    p_value: float
    units: int

    def __str__(self) -> str:
        """One line with difference, interval and p-value."""
        return (
            f"{self.test}: difference {self.difference:+.4f} "
            f"[{self.low:+.4f}, {self.high:+.4f}], p = {self.p_value:.3g}, "
            f"{self.units} units"
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON; numbers that are not finite become None."""
        return {
            name: one_json_number(value) if isinstance(value, float) else value
            for name, value in asdict(self).items()
        }


def same_length(a: ArrayLike, b: ArrayLike) -> tuple[Floats, Floats]:
    """Both runs' per-sample scores; a `ValueError` unless they pair up."""
    first, second = as_column(a, "scores_a"), as_column(b, "scores_b")
    if len(first) != len(second):
        raise ValueError(
            "Expected both runs to score the same samples. Received: "
            f"{len(first)} scores in run a and {len(second)} in run b."
        )
    return first.astype(np.float64), second.astype(np.float64)


def _difference(
    test: str,
    scores: Floats,
    p_value: float,
    resamples: int,
    seed: int,
    groups: ArrayLike | None,
) -> PairedResult:
    """Result with the bootstrap interval of the mean difference."""
    statistics = np.stack([scores, np.ones_like(scores)], axis=1)
    sums = resampled_sums(statistics, resamples, seed, groups)
    value = float(scores.mean())
    interval = percentile_interval(value, sums[:, 0] / sums[:, 1], _LEVEL)
    units = int(group_numbers(groups, len(scores)).max()) + 1
    return PairedResult(
        test, value, interval.low, interval.high, p_value, units
    )


def mcnemar_exact(
    correct_a: ArrayLike,
    correct_b: ArrayLike,
    resamples: int = 1000,
    seed: int = 0,
) -> PairedResult:
    """Exact McNemar test of two runs' accuracy.

    With b samples right in run a only and c right in run b only, b follows
    Binomial(b + c, 1/2) if the runs are equally good; the p-value is
    2 P(X <= min(b, c)), at most 1. Samples are taken as independent; for
    clusters use `sign_flip_test` with groups.

    Args:
        correct_a: Whether run a got each sample right, shape (N,).
        correct_b: The same of run b.
        resamples: Bootstrap resamples for the interval of the difference.
        seed: Seed of the bootstrap.

    Returns:
        A `PairedResult`; `difference` is accuracy a minus accuracy b.

    Raises:
        ValueError: If lengths differ or values are not 0 and 1.

    Example:

    ```python
    from keras_mmfusion.metrics import mcnemar_exact

    result = mcnemar_exact([1] * 8 + [0] * 2, [1] * 2 + [0] * 8)
    print(round(result.p_value, 5))  # 0.03125
    ```

    Source: McNemar, Psychometrika 12 (1947).
    """
    check_resampling(resamples)
    a, b = same_length(correct_a, correct_b)
    if not (np.isin(a, (0, 1)).all() and np.isin(b, (0, 1)).all()):
        raise ValueError(
            "Expected right (1) or wrong (0) for each sample. Received other "
            "values; for errors of real predictions use `sign_flip_test`."
        )
    only_a, only_b = int((a > b).sum()), int((b > a).sum())
    total, least = only_a + only_b, min(only_a, only_b)
    # Binomial coefficients overflow; their logarithms do not.
    steps = np.arange(1, least + 1)
    logs = np.cumsum(np.log((total - steps + 1) / steps))
    chances = np.exp(np.concatenate([[0.0], logs]) - total * np.log(2.0))
    p_value = min(1.0, 2.0 * float(chances.sum()))
    return _difference(
        "exact McNemar test", a - b, p_value, resamples, seed, None
    )


def _flip_share(totals: Floats, resamples: int, seed: int) -> float:
    """Share of sign patterns with a sum at least as far from zero."""
    units = len(totals)
    # Sums in another order differ by rounding; ties must still count.
    bar = abs(totals.sum()) - 1e-9 * np.abs(totals).sum()
    if units <= _EXACT_UNITS:
        patterns = np.arange(2**units)[:, None] >> np.arange(units) & 1
        return float((np.abs((2.0 * patterns - 1) @ totals) >= bar).mean())
    generator = np.random.default_rng(seed)
    rows, reached = max(1, _BLOCK // units), 0
    for start in range(0, resamples, rows):
        size = (min(rows, resamples - start), units)
        signs = 2.0 * generator.integers(2, size=size, dtype=np.int8) - 1
        reached += int((np.abs(signs @ totals) >= bar).sum())
    return (reached + 1) / (resamples + 1)


def sign_flip_test(
    scores_a: ArrayLike,
    scores_b: ArrayLike,
    resamples: int = 10_000,
    seed: int = 0,
    groups: ArrayLike | None = None,
) -> PairedResult:
    """Paired permutation test of two runs' mean score or error per sample.

    If the runs are equally good, each sample's difference is as likely with
    the other sign. The p-value is the share of sign patterns whose mean is
    at least as far from zero: all patterns up to 12 units, else random ones,
    with the observed pattern counted among them.

    Args:
        scores_a: Score or error of run a on each sample, shape (N,).
        scores_b: The same of run b.
        resamples: Random sign patterns.
        seed: Seed of the draw.
        groups: Name of each sample's cluster; whole clusters change sign.

    Returns:
        A `PairedResult`; `difference` is mean a minus mean b.

    Raises:
        ValueError: If lengths differ or values are not finite.

    Example:

    ```python
    from keras_mmfusion.metrics import sign_flip_test

    print(sign_flip_test([1.0, 1.2, 0.9, 1.1], [0.5, 0.6, 0.4, 0.7]).p_value)
    # 0.125
    ```
    """
    check_resampling(resamples)
    a, b = same_length(scores_a, scores_b)
    numbers = group_numbers(groups, len(a))
    totals = np.bincount(numbers, weights=a - b).astype(np.float64)
    p_value = _flip_share(totals, resamples, seed)
    return _difference(
        "sign-flip test", a - b, p_value, resamples, seed, groups
    )


def paired_test(
    scores_a: ArrayLike,
    scores_b: ArrayLike,
    seed: int = 0,
    groups: ArrayLike | None = None,
) -> PairedResult:
    """Test of two runs' per-sample scores that fits what they are.

    Right or wrong without groups: the exact McNemar test. Everything else,
    errors or clustered samples: the sign-flip test.

    Args:
        scores_a: Run a's score on each sample, shape (N,): booleans or 0 and
            1 for right and wrong, else a number such as the absolute error.
        scores_b: The same of run b.
        seed: Seed of random draws.
        groups: Name of each sample's cluster, shape (N,).

    Returns:
        A `PairedResult`.

    Raises:
        ValueError: If lengths differ or values are not finite.

    Example:

    ```python
    from keras_mmfusion.metrics import paired_test

    print(paired_test([True, True, False], [True, False, False]).test)
    # exact McNemar test
    ```
    """
    a, b = same_length(scores_a, scores_b)
    binary = np.isin(a, (0, 1)).all() and np.isin(b, (0, 1)).all()
    if binary and groups is None:
        return mcnemar_exact(a, b, seed=seed)
    return sign_flip_test(a, b, seed=seed, groups=groups)


def paired_bootstrap(
    metric: Callable[..., float],
    y: ArrayLike,
    p_a: ArrayLike,
    p_b: ArrayLike,
    resamples: int = 1000,
    seed: int = 0,
    groups: ArrayLike | None = None,
) -> PairedResult:
    """Difference of any metric between two runs, on the same resamples.

    For metrics that are no mean over samples: F1, correlation, concordance.
    The p-value is the share of resamples whose difference, less the observed
    one, is at least as far from zero as the observed one.

    Args:
        metric: `metric(y, p) -> float`.
        y: Labels, samples along the first axis.
        p_a: Predictions of run a.
        p_b: Predictions of run b.
        resamples: Number of resamples.
        seed: Seed of the draw.
        groups: Name of each sample's cluster, shape (N,).

    Returns:
        A `PairedResult`; `difference` is metric a minus metric b.

    Raises:
        ValueError: If lengths differ, or for what the metric refuses.

    Example:

    ```python
    import numpy as np
    from keras_mmfusion.metrics import paired_bootstrap, pearson

    random = np.random.default_rng(0)
    y = random.normal(size=200)
    close, far = y + 0.1 * random.normal(size=200), random.normal(size=200)
    assert paired_bootstrap(pearson, y, close, far).p_value < 0.01
    ```
    """
    check_resampling(resamples)
    truth, a, b = np.asarray(y), np.asarray(p_a), np.asarray(p_b)
    value = float(metric(truth, a)) - float(metric(truth, b))
    draws = metric_draws(metric, [truth, a], resamples, seed, groups)
    draws = draws - metric_draws(metric, [truth, b], resamples, seed, groups)
    draws = draws[np.isfinite(draws)]
    interval = percentile_interval(value, draws, _LEVEL)
    reached = int((np.abs(draws - value) >= abs(value)).sum())
    p_value = (reached + 1) / (len(draws) + 1)
    units = int(group_numbers(groups, len(truth)).max()) + 1
    return PairedResult(
        "paired bootstrap", value, interval.low, interval.high, p_value, units
    )
