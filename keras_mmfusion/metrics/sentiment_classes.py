"""Many-class accuracies of a sentiment score, and the SIMS forms.

All take labels `y` and predictions `p` as real numbers, shape (N,) or (N, 1),
and raise a `ValueError` for empty input, NaN, unequal lengths or several
numbers per sample.
"""

import numpy as np
from numpy.typing import ArrayLike

from keras_mmfusion.metrics.additive import additive, f1_by_truth, ratio
from keras_mmfusion.metrics.arrays import Floats, as_pair
from keras_mmfusion.metrics.correlation import moments, pearson_of
from keras_mmfusion.metrics.sentiment_binary import rule_counts, rule_hits


@additive(ratio)
def acc7(y: ArrayLike, p: ArrayLike) -> Floats:
    """Share of samples with round(clip(p, -3, 3)) = round(clip(y, -3, 3)).

    Ties round to even, as in every published implementation. Labels that end
    in .5 are common in CMU-MOSI, so half-away rounding gives other numbers.

    Args:
        y: Labels, shape (N,) or (N, 1).
        p: Predictions, same shape.

    Returns:
        A fraction.

    Example:

    ```python
    from keras_mmfusion.metrics import acc7

    print(acc7([2.5, -3.0, 1.0, 0.0], [2.0, -4.2, 1.4, 0.6]))  # 0.75
    ```
    """
    return rule_hits("seven", y, p)


@additive(ratio)
def acc5(y: ArrayLike, p: ArrayLike) -> Floats:
    """Share of samples with round(clip(p, -2, 2)) = round(clip(y, -2, 2)).

    Args:
        y: Labels, shape (N,) or (N, 1).
        p: Predictions, same shape.

    Returns:
        A fraction.

    Example:

    ```python
    from keras_mmfusion.metrics import acc5

    print(acc5([3.0, -1.0, 1.0, 0.0], [2.0, -0.8, 1.4, 0.6]))  # 0.75
    ```
    """
    return rule_hits("five", y, p)


@additive(ratio)
def acc3(y: ArrayLike, p: ArrayLike) -> Floats:
    """Share of samples with round(clip(p, -1, 1)) = round(clip(y, -1, 1)).

    MMSA computes it and does not return it.

    Args:
        y: Labels, shape (N,) or (N, 1).
        p: Predictions, same shape.

    Returns:
        A fraction.

    Example:

    ```python
    from keras_mmfusion.metrics import acc3

    print(acc3([3.0, -1.0, 1.0, 0.0], [2.0, -0.8, 1.4, 0.6]))  # 0.75
    ```
    """
    return rule_hits("three", y, p)


@additive(ratio)
def sims_acc2(y: ArrayLike, p: ArrayLike) -> Floats:
    """Share of samples with [p > 0] = [y > 0] on CH-SIMS: zero is negative.

    Args:
        y: Labels in [-1, 1], shape (N,) or (N, 1).
        p: Predictions, same shape.

    Returns:
        A fraction.

    Example:

    ```python
    from keras_mmfusion.metrics import sims_acc2

    print(sims_acc2([0.0, 0.2, -0.4, 1.0], [-0.1, 0.1, -0.2, 0.0]))  # 0.75
    ```
    """
    return rule_hits("sims_two", y, p)


@additive(f1_by_truth)
def sims_f1(y: ArrayLike, p: ArrayLike) -> Floats:
    """F1 of both classes of `sims_acc2`, averaged by true class size.

    Args:
        y: Labels in [-1, 1], shape (N,) or (N, 1).
        p: Predictions, same shape.

    Returns:
        A fraction.

    Example:

    ```python
    from keras_mmfusion.metrics import sims_f1

    print(sims_f1([0.0, 0.2, -0.4, 1.0], [-0.1, 0.1, -0.2, 0.5]))  # 1.0
    ```
    """
    return rule_counts("sims_two", y, p)


@additive(ratio)
def sims_acc3(y: ArrayLike, p: ArrayLike) -> Floats:
    """Accuracy over [-1, -0.1], (-0.1, 0.1], (0.1, 1] after clipping to ±1.

    float32 input is compared in float32, as the published code does.

    Args:
        y: Labels in [-1, 1], shape (N,) or (N, 1).
        p: Predictions, same shape.

    Returns:
        A fraction.

    Example:

    ```python
    from keras_mmfusion.metrics import sims_acc3

    print(sims_acc3([0.0, 0.2, -0.4, 1.0], [0.1, 0.3, -0.2, 0.0]))  # 0.75
    ```
    """
    return rule_hits("sims_three", y, p)


@additive(ratio)
def sims_acc5(y: ArrayLike, p: ArrayLike) -> Floats:
    """Accuracy over five intervals cut at ±0.7 and ±0.1 after clipping to ±1.

    Each interval is open on the left and closed on the right.

    Args:
        y: Labels in [-1, 1], shape (N,) or (N, 1).
        p: Predictions, same shape.

    Returns:
        A fraction.

    Example:

    ```python
    from keras_mmfusion.metrics import sims_acc5

    print(sims_acc5([0.0, 0.2, -0.4, 1.0], [0.1, 0.3, -0.2, 0.6]))  # 0.75
    ```
    """
    return rule_hits("sims_five", y, p)


@additive(ratio)
def sims_mae(y: ArrayLike, p: ArrayLike) -> Floats:
    """Mean of |clip(p, -1, 1) - clip(y, -1, 1)|, as MMSA scores CH-SIMS.

    Args:
        y: Labels in [-1, 1], shape (N,) or (N, 1).
        p: Predictions, same shape.

    Returns:
        A non-negative number in label units.

    Example:

    ```python
    from keras_mmfusion.metrics import sims_mae

    print(sims_mae([0.0, 1.0], [0.5, 3.0]))  # 0.25
    ```
    """
    truth, predicted = as_pair(y, p)
    truth, predicted = np.clip(truth, -1, 1), np.clip(predicted, -1, 1)
    error = np.abs(truth.astype(np.float64) - predicted)
    return np.stack([error, np.ones_like(error)], axis=1)


@additive(pearson_of)
def sims_pearson(y: ArrayLike, p: ArrayLike) -> Floats:
    """Pearson correlation after clipping both to ±1, as MMSA scores CH-SIMS.

    Args:
        y: Labels in [-1, 1], shape (N,) or (N, 1).
        p: Predictions, same shape.

    Returns:
        A number in [-1, 1]; NaN with a warning if one side is constant.

    Example:

    ```python
    from keras_mmfusion.metrics import sims_pearson

    print(round(sims_pearson([-1.0, 0.0, 1.0], [-3.0, 0.0, 2.0]), 6))  # 1.0
    ```
    """
    truth, predicted = as_pair(y, p)
    return moments(np.clip(truth, -1, 1), np.clip(predicted, -1, 1))
