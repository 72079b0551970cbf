"""Concordance correlation: Lin's form and those of the Aff-Wild2 authors.

Population moments cov = mean((y - my)(p - mp)), vy, vp give Lin's form. The
repositories of the Aff-Wild2 authors hold several other estimators; they meet
as N grows, but not on short windows. With k = N / (N - 1) and e = 1e-8:

| function | formula |
| --- | --- |
| `concordance_lin` | 2 cov / (vy + vp + (my - mp)^2) |
| `concordance_rja_metric` | the same |
| `concordance_rja_numpy` | 2 k cov / (vy + vp + (my - mp)^2 + e) |
| `concordance_rja_loss` | 2 cov / (k vy + k vp + (my - mp)^2 + e) |
| `concordance_rja_rho` | 2 r k sy sp / (k vy + k vp + (my - mp)^2 + e) |
| `concordance_rjcma` | 2 cov / (k vy + k vp + (my - mp)^2) |

where r is Pearson's correlation with e added to its denominator.

All take real numbers of shape (N,) or (N, 1) and raise a `ValueError` for
empty input, NaN, unequal lengths or several numbers per sample.
"""

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
from numpy.typing import ArrayLike, NDArray

from keras_mmfusion.metrics.additive import MetricFunction, additive, divide
from keras_mmfusion.metrics.arrays import (
    Floats,
    as_array,
    as_column,
    as_pair,
    as_table,
)
from keras_mmfusion.metrics.correlation import central, moments

_EPSILON = 1e-8


def _lin_of(sums: Floats) -> Floats:
    _, cov, vy, vp, bias = central(sums)
    return divide(2 * cov, vy + vp + bias)


def _bessel(count: Floats) -> Floats:
    return divide(count, count - 1)


def _rja_numpy_of(sums: Floats) -> Floats:
    count, cov, vy, vp, bias = central(sums)
    return divide(2 * _bessel(count) * cov, vy + vp + bias + _EPSILON)


def _rja_loss_of(sums: Floats) -> Floats:
    count, cov, vy, vp, bias = central(sums)
    return divide(2 * cov, _bessel(count) * (vy + vp) + bias + _EPSILON)


def _rjcma_of(sums: Floats) -> Floats:
    count, cov, vy, vp, bias = central(sums)
    return divide(2 * cov, _bessel(count) * (vy + vp) + bias)


def _rja_rho_of(sums: Floats) -> Floats:
    count, cov, vy, vp, bias = central(sums)
    spread = np.sqrt(vy * vp)
    rho = divide(count * cov, count * spread + _EPSILON)
    below = _bessel(count) * (vy + vp) + bias + _EPSILON
    return divide(2 * rho * _bessel(count) * spread, below)


@additive(_lin_of)
def concordance_lin(y: ArrayLike, p: ArrayLike) -> Floats:
    """Lin's concordance 2 cov / (vy + vp + (my - mp)^2), population moments.

    The Aff-Wild2 metric: one value over all annotated frames of all videos
    put together, which is not the mean of the videos' values. Leave out the
    frames labelled -5 first.

    Args:
        y: Labels, shape (N,) or (N, 1).
        p: Predictions, same shape.

    Returns:
        A number in [-1, 1]; 0 for a constant prediction, NaN with a warning
        if both sides are constant and equal.

    Example:

    ```python
    from keras_mmfusion.metrics import concordance_lin

    print(round(concordance_lin([0.0, 1.0, 2.0], [0.5, 1.5, 2.5]), 4))  # 0.8421
    ```

    Source: Lin, "A concordance correlation coefficient to evaluate
    reproducibility", Biometrics 45 (1989).
    """
    return moments(*as_pair(y, p))


@additive(_lin_of)
def concordance_rja_metric(y: ArrayLike, p: ArrayLike) -> Floats:
    """Concordance as RJA's and RJCA's evaluation computes it: Lin's form.

    Theirs ends the program for a single sample; here that is NaN.

    Args:
        y: Labels, shape (N,) or (N, 1).
        p: Predictions, same shape.

    Returns:
        As `concordance_lin`.

    Example:

    ```python
    from keras_mmfusion.metrics import concordance_rja_metric

    print(round(concordance_rja_metric([0.0, 1.0], [0.0, 2.0]), 4))  # 0.6667
    ```
    """
    return moments(*as_pair(y, p))


@additive(_rja_numpy_of)
def concordance_rja_numpy(y: ArrayLike, p: ArrayLike) -> Floats:
    """Concordance with N - 1 in the covariance only; see the module's table.

    Args:
        y: Labels, shape (N,) or (N, 1).
        p: Predictions, same shape.

    Returns:
        A number that may exceed 1 for small N; NaN for one sample.

    Example:

    ```python
    from keras_mmfusion.metrics import concordance_rja_numpy

    print(round(concordance_rja_numpy([0.0, 1.0], [0.0, 2.0]), 4))  # 1.3333
    ```
    """
    return moments(*as_pair(y, p))


@additive(_rja_loss_of)
def concordance_rja_loss(y: ArrayLike, p: ArrayLike) -> Floats:
    """Concordance with N - 1 in the variances only, as in RJA's `1 - loss`.

    Args:
        y: Labels, shape (N,) or (N, 1).
        p: Predictions, same shape.

    Returns:
        A number in (-1, 1); NaN for one sample.

    Example:

    ```python
    from keras_mmfusion.metrics import concordance_rja_loss

    print(round(concordance_rja_loss([0.0, 1.0], [0.0, 2.0]), 4))  # 0.3636
    ```
    """
    return moments(*as_pair(y, p))


@additive(_rja_rho_of)
def concordance_rja_rho(y: ArrayLike, p: ArrayLike) -> Floats:
    """Concordance 2 r sy sp / (sy^2 + sp^2 + bias^2) with N - 1 throughout.

    Args:
        y: Labels, shape (N,) or (N, 1).
        p: Predictions, same shape.

    Returns:
        A number in [-1, 1]; NaN for one sample.

    Example:

    ```python
    from keras_mmfusion.metrics import concordance_rja_rho

    print(round(concordance_rja_rho([0.0, 1.0], [0.0, 2.0]), 4))  # 0.7273
    ```
    """
    return moments(*as_pair(y, p))


@additive(_rjcma_of)
def concordance_rjcma(y: ArrayLike, p: ArrayLike) -> Floats:
    """Concordance with N - 1 in the variances only, nothing added below.

    The loss and the validation metric of RJCMA and GRJCA.

    Args:
        y: Labels, shape (N,) or (N, 1).
        p: Predictions, same shape.

    Returns:
        A number in (-1, 1); NaN for one sample.

    Example:

    ```python
    from keras_mmfusion.metrics import concordance_rjcma

    print(round(concordance_rjcma([0.0, 1.0], [0.0, 2.0]), 4))  # 0.3636
    ```
    """
    return moments(*as_pair(y, p))


def _mean_lin_of(sums: Floats) -> Floats:
    return np.mean(
        [_lin_of(part) for part in np.split(sums, sums.shape[-1] // 7, -1)],
        axis=0,
    )


def _outputs(y: ArrayLike, p: ArrayLike) -> tuple[Floats, Floats]:
    """Truth and prediction as tables (N, outputs) of equal shape."""
    shape = as_array(y, "y").shape
    if len(shape) != 2:
        raise ValueError(
            "Expected `y` of shape (frames, outputs). Received: shape "
            f"{shape}. Put all videos' frames one after another."
        )
    truth, predicted = as_table(y, shape[1:], "y"), as_table(p, shape[1:], "p")
    if len(truth) != len(predicted):
        raise ValueError(
            "Expected as many predictions as labels. Received: "
            f"{len(truth)} labels `y` and {len(predicted)} predictions `p`."
        )
    return truth, predicted


@additive(_mean_lin_of)
def concordance_annotated(
    y: ArrayLike,
    p: ArrayLike,
    column: int | None = None,
    ignore_value: float = -5.0,
) -> Floats:
    """Lin's concordance over the annotated frames, averaged over outputs.

    The Aff-Wild2 challenge ranks by the mean of valence and arousal, each
    over all frames of all videos put together.

    Args:
        y: Labels (N, outputs), `ignore_value` where not annotated.
        p: Predictions, same shape.
        column: Output to score alone; None takes the mean of all.
        ignore_value: Label of a frame that is not annotated. It is left out
            for the outputs it stands in.

    Returns:
        A number in [-1, 1]; NaN with a warning if an output is undefined.

    Raises:
        ValueError: Also if an output has no annotated frame.

    Example:

    ```python
    from keras_mmfusion.metrics import concordance_annotated

    y = [[0.0, 0.1], [0.5, 0.2], [-5.0, -5.0]]
    p = [[0.0, 0.1], [0.5, 0.2], [0.9, 0.9]]
    print(round(concordance_annotated(y, p), 6))  # 1.0
    ```
    """
    truth, predicted = _outputs(y, p)
    outputs = truth.shape[1]
    if column is not None and not 0 <= column < outputs:
        raise ValueError(
            f"Expected `column` from 0 to {outputs - 1}. Received: {column}."
        )
    parts = []
    for number in range(outputs) if column is None else [column]:
        kept = truth[:, number] != ignore_value
        if not kept.any():
            raise ValueError(
                "Expected at least one annotated frame in every output. "
                f"Received: column {number} of `y` is {ignore_value:g} in all "
                f"{len(truth)} frames."
            )
        parts.append(moments(truth[:, number], predicted[:, number], kept))
    return np.concatenate(parts, axis=1)


CONCORDANCE_FORMS: Mapping[str, MetricFunction] = MappingProxyType(
    {
        "lin": concordance_lin,
        "rja_metric": concordance_rja_metric,
        "rja_numpy": concordance_rja_numpy,
        "rja_loss": concordance_rja_loss,
        "rja_rho": concordance_rja_rho,
        "rjcma": concordance_rjcma,
    }
)


def moving_average(p: ArrayLike, frames: int) -> NDArray[np.float64]:
    """Clips to [-1, 1] and averages each frame with its neighbours.

    RJA's evaluation smooths predictions this way before it scores them, 20
    frames for valence and 50 for arousal; frames beyond the ends count as
    zero. Publish the score with and without. Apply it to one video at a time.

    Args:
        p: Predictions of one video, shape (T,).
        frames: Length of the window; an even one reaches one frame further
            back than forward.

    Returns:
        Array (T,) in float64.

    Raises:
        ValueError: If `p` is not a finite vector or `frames` is below 1.

    Example:

    ```python
    from keras_mmfusion.metrics import moving_average

    print(moving_average([0.0, 0.9, 0.0, 0.9], 3).round(1))  # [0.3 0.3 0.6 0.3]
    ```
    """
    values = as_column(p, "p")
    if frames < 1:
        raise ValueError(f"Expected `frames` of 1 or more. Received: {frames}.")
    clipped = np.clip(values.astype(np.float64), -1.0, 1.0)
    before = frames // 2
    padded = np.pad(clipped, (before, frames - 1 - before))
    return np.convolve(padded, np.full(frames, 1.0 / frames), mode="valid")
