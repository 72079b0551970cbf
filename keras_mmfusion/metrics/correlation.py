"""Absolute errors and Pearson correlation, each published form.

All take labels `y` and predictions `p` as real numbers, shape (N,) or (N, 1),
and raise a `ValueError` for empty input, NaN, unequal lengths or several
numbers per sample. Moments are taken in float64 about the mean. Where a form
is undefined (one sample, constant labels or predictions) it returns NaN and
warns with `UndefinedMetricWarning`.
"""

import numpy as np
from numpy.typing import ArrayLike

from keras_mmfusion.metrics.additive import (
    additive,
    divide,
    ratio,
)
from keras_mmfusion.metrics.arrays import Booleans, Floats, as_pair

# Below this share of the second moment a variance is rounding noise.
_NOISE = 1e-12


def moments(y: Floats, p: Floats, kept: Booleans | None = None) -> Floats:
    """Statistics (N, 7): 1, y, p, y^2, p^2, y p about the means; the bias."""
    kept = np.ones(len(y), dtype=bool) if kept is None else kept
    columns = np.zeros((len(y), 7))
    if not kept.any():
        return columns
    truth, predicted = y[kept].astype(np.float64), p[kept].astype(np.float64)
    # A mean of equal numbers may miss them by rounding; a member does not.
    center_y = truth[0] if np.ptp(truth) == 0 else truth.mean()
    center_p = predicted[0] if np.ptp(predicted) == 0 else predicted.mean()
    dy, dp = truth - center_y, predicted - center_p
    ones = np.ones_like(dy)
    bias = ones * (center_y - center_p)
    columns[kept] = np.stack(
        [ones, dy, dp, dy**2, dp**2, dy * dp, bias], axis=1
    )
    return columns


def central(sums: Floats) -> tuple[Floats, Floats, Floats, Floats, Floats]:
    """Count, covariance, both variances (noise set to 0), squared bias."""
    count = sums[..., 0]
    means = [divide(sums[..., i], count) for i in range(1, 7)]
    my, mp, yy, pp, yp, bias = means
    vy, vp = yy - my**2, pp - mp**2
    vy = np.where(vy <= _NOISE * yy, 0.0, vy)
    vp = np.where(vp <= _NOISE * pp, 0.0, vp)
    return count, yp - my * mp, vy, vp, (my - mp + bias) ** 2


def pearson_of(sums: Floats) -> Floats:
    """Pearson correlation from the sums of `moments`."""
    _, cov, vy, vp, _ = central(sums)
    return np.clip(divide(cov, np.sqrt(vy * vp)), -1.0, 1.0)


def _absolute_errors(y: Floats, p: Floats, kept: Booleans) -> Floats:
    error = np.abs(y.astype(np.float64) - p) * kept
    return np.stack([error, kept.astype(np.float64)], axis=1)


@additive(ratio)
def mae(y: ArrayLike, p: ArrayLike) -> Floats:
    """Mean absolute error |p - y| over all samples, nothing clipped.

    MMSA's tables print a hundred times this value.

    Args:
        y: Labels, shape (N,) or (N, 1).
        p: Predictions, same shape.

    Returns:
        A non-negative number in label units.

    Example:

    ```python
    from keras_mmfusion.metrics import mae

    print(mae([1.0, -2.0], [1.5, -1.0]))  # 0.75
    ```
    """
    truth, predicted = as_pair(y, p)
    return _absolute_errors(truth, predicted, np.ones(len(truth), bool))


@additive(ratio)
def mae_nonzero(y: ArrayLike, p: ArrayLike) -> Floats:
    """Mean absolute error over samples with y != 0 only: MAG's form.

    Args:
        y: Labels, shape (N,) or (N, 1).
        p: Predictions, same shape.

    Returns:
        A non-negative number in label units.

    Example:

    ```python
    from keras_mmfusion.metrics import mae_nonzero

    print(mae_nonzero([1.0, -2.0, 0.0], [1.5, -1.0, 9.0]))  # 0.75
    ```
    """
    truth, predicted = as_pair(y, p)
    return _absolute_errors(truth, predicted, truth != 0)


@additive(pearson_of)
def pearson(y: ArrayLike, p: ArrayLike) -> Floats:
    """Pearson correlation cov / (sy sp) over all samples.

    Args:
        y: Labels, shape (N,) or (N, 1).
        p: Predictions, same shape.

    Returns:
        A number in [-1, 1]; NaN with a warning if one side is constant.

    Example:

    ```python
    from keras_mmfusion.metrics import pearson

    print(round(pearson([-1.0, 0.0, 1.0], [-3.0, 0.0, 3.0]), 6))  # 1.0
    ```
    """
    return moments(*as_pair(y, p))


@additive(pearson_of)
def pearson_nonzero(y: ArrayLike, p: ArrayLike) -> Floats:
    """Pearson correlation over samples with y != 0 only: MAG's form.

    Leaving out the middle of the scale raises it.

    Args:
        y: Labels, shape (N,) or (N, 1).
        p: Predictions, same shape.

    Returns:
        A number in [-1, 1]; NaN with a warning if one side is constant.

    Example:

    ```python
    from keras_mmfusion.metrics import pearson_nonzero

    print(round(pearson_nonzero([-1.0, 0.0, 1.0], [-3.0, 9.0, 3.0]), 6))  # 1.0
    ```
    """
    truth, predicted = as_pair(y, p)
    return moments(truth, predicted, truth != 0)
