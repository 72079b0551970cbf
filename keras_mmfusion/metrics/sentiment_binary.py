"""Two-class accuracy and F1 of a sentiment score, one name per published form.

They differ in three choices: whether samples with y = 0 count, on which side
an exact zero falls, and by which class sizes F1 is averaged. On data with
many zero labels (CMU-MOSEI: 22 %) the same predictions score seven points
apart, so a number without its form cannot be compared.

All take labels `y` and predictions `p` as real numbers, shape (N,) or (N, 1),
and return a fraction. All raise a `ValueError` for empty input, NaN, unequal
lengths or one row of several numbers per sample. If no sample is counted they
return NaN and warn with `UndefinedMetricWarning`.
"""

import numpy as np
from numpy.typing import ArrayLike

from keras_mmfusion.metrics.additive import (
    additive,
    class_counts,
    f1_by_prediction,
    f1_by_truth,
    hits,
    ratio,
)
from keras_mmfusion.metrics.arrays import Floats, as_pair
from keras_mmfusion.metrics.rules import RULES


def rule_hits(rule: str, y: ArrayLike, p: ArrayLike) -> Floats:
    """Statistics of the accuracy under a rule."""
    truth, predicted, kept = RULES[rule].decide(np, *as_pair(y, p))
    return hits(truth, predicted, kept & (predicted >= 0))


def rule_counts(rule: str, y: ArrayLike, p: ArrayLike) -> Floats:
    """Statistics of the F1 under a rule."""
    truth, predicted, kept = RULES[rule].decide(np, *as_pair(y, p))
    return class_counts(truth, predicted, kept, RULES[rule].classes)


@additive(ratio)
def acc2_nonneg(y: ArrayLike, p: ArrayLike) -> Floats:
    """Share of all samples with [p >= 0] = [y >= 0]: non-negative or negative.

    Called Has0 accuracy by MMSA, also MISA's second accuracy.

    Args:
        y: Labels, shape (N,) or (N, 1).
        p: Predictions, same shape.

    Returns:
        A fraction.

    Example:

    ```python
    from keras_mmfusion.metrics import acc2_nonneg

    print(acc2_nonneg([-1.0, 0.0, 2.0, 1.0], [-0.5, 0.1, 1.0, -1.0]))  # 0.75
    ```
    """
    return rule_hits("nonneg", y, p)


@additive(ratio)
def acc2_pos(y: ArrayLike, p: ArrayLike) -> Floats:
    """Share of samples with y != 0 that have [p > 0] = [y > 0].

    Called Non0 accuracy by MMSA; the accuracy of MulT, MISA and MultiBench.

    Args:
        y: Labels, shape (N,) or (N, 1).
        p: Predictions, same shape.

    Returns:
        A fraction.

    Example:

    ```python
    from keras_mmfusion.metrics import acc2_pos

    print(acc2_pos([-1.0, 0.0, 2.0, 1.0, -2.0], [-0.5, 0.1, 1.0, -1.0, -1.0]))
    # 0.75
    ```
    """
    return rule_hits("pos", y, p)


@additive(ratio)
def acc2_pos_nonpos(y: ArrayLike, p: ArrayLike) -> Floats:
    """Share of all samples with [p > 0] = [y > 0]: positive or not.

    MulT's and MultiBench's accuracy when zeros are kept. It is not
    `acc2_nonneg`: a zero label falls on the other side.

    Args:
        y: Labels, shape (N,) or (N, 1).
        p: Predictions, same shape.

    Returns:
        A fraction.

    Example:

    ```python
    from keras_mmfusion.metrics import acc2_pos_nonpos

    print(acc2_pos_nonpos([-1.0, 0.0, 2.0, 1.0], [-0.5, 0.1, 1.0, 1.0]))  # 0.75
    ```
    """
    return rule_hits("pos_nonpos", y, p)


@additive(ratio)
def acc2_mag(y: ArrayLike, p: ArrayLike) -> Floats:
    """Share of samples with y != 0 that have [p >= 0] = [y >= 0].

    MAG's accuracy: as `acc2_pos`, but an exactly zero prediction is positive.

    Args:
        y: Labels, shape (N,) or (N, 1).
        p: Predictions, same shape.

    Returns:
        A fraction.

    Example:

    ```python
    from keras_mmfusion.metrics import acc2_mag

    print(acc2_mag([-1.0, 0.0, 2.0, 1.0], [-0.5, 0.1, 1.0, 0.0]))  # 1.0
    ```
    """
    return rule_hits("mag", y, p)


@additive(ratio)
def acc2_msaf(y: ArrayLike, p: ArrayLike) -> Floats:
    """Share with sign(p) = sign(y) among samples with y != 0 and p != 0.

    MSAF's accuracy. An exactly zero prediction leaves the denominator, so a
    model that abstains on hard samples scores higher. `counted_msaf` tells
    how many samples are left.

    Args:
        y: Labels, shape (N,) or (N, 1).
        p: Predictions, same shape.

    Returns:
        A fraction.

    Example:

    ```python
    from keras_mmfusion.metrics import acc2_msaf

    print(acc2_msaf([-1.0, 0.0, 2.0, 1.0], [-0.5, 0.1, 1.0, 0.0]))  # 1.0
    ```
    """
    return rule_hits("msaf", y, p)


def counted_msaf(y: ArrayLike, p: ArrayLike) -> int:
    """Number of samples with y != 0 and p != 0, those `acc2_msaf` counts.

    Args:
        y: Labels, shape (N,) or (N, 1).
        p: Predictions, same shape.

    Returns:
        A count.

    Example:

    ```python
    from keras_mmfusion.metrics import counted_msaf

    print(counted_msaf([-1.0, 0.0, 2.0, 1.0], [-0.5, 0.1, 1.0, 0.0]))  # 2
    ```
    """
    return int(rule_hits("msaf", y, p)[:, 1].sum())


@additive(f1_by_truth)
def f1_nonneg(y: ArrayLike, p: ArrayLike) -> Floats:
    """F1 of both classes of `acc2_nonneg`, averaged by true class size.

    MMSA's Has0 F1.

    Args:
        y: Labels, shape (N,) or (N, 1).
        p: Predictions, same shape.

    Returns:
        A fraction.

    Example:

    ```python
    from keras_mmfusion.metrics import f1_nonneg

    print(f1_nonneg([-1.0, 0.0, 2.0], [-0.5, 0.1, 1.0]))  # 1.0
    ```
    """
    return rule_counts("nonneg", y, p)


@additive(f1_by_truth)
def f1_pos(y: ArrayLike, p: ArrayLike) -> Floats:
    """F1 of both classes of `acc2_pos`, averaged by true class size.

    MMSA's Non0 F1, and the F1 that MISA prints.

    Args:
        y: Labels, shape (N,) or (N, 1).
        p: Predictions, same shape.

    Returns:
        A fraction.

    Example:

    ```python
    from keras_mmfusion.metrics import f1_pos

    print(f1_pos([-1.0, 0.0, 2.0], [-0.5, -0.1, 1.0]))  # 1.0
    ```
    """
    return rule_counts("pos", y, p)


@additive(f1_by_prediction)
def f1_pos_swapped(y: ArrayLike, p: ArrayLike) -> Floats:
    """F1 of both classes of `acc2_pos`, averaged by predicted class size.

    MulT's F1: its arguments are exchanged, so the weights are the model's own
    class sizes. A model that always says one class gets the F1 of that class
    alone, far above `f1_pos`.

    Args:
        y: Labels, shape (N,) or (N, 1).
        p: Predictions, same shape.

    Returns:
        A fraction.

    Example:

    ```python
    from keras_mmfusion.metrics import f1_pos, f1_pos_swapped

    y, p = [-1.0, 1.0], [1.0, 1.0]
    print(round(f1_pos_swapped(y, p), 3), round(f1_pos(y, p), 3))  # 0.667 0.333
    ```
    """
    return rule_counts("pos", y, p)


@additive(f1_by_prediction)
def f1_pos_nonpos_swapped(y: ArrayLike, p: ArrayLike) -> Floats:
    """F1 of both classes of `acc2_pos_nonpos`, averaged by predicted size.

    MulT's F1 when zeros are kept.

    Args:
        y: Labels, shape (N,) or (N, 1).
        p: Predictions, same shape.

    Returns:
        A fraction.

    Example:

    ```python
    from keras_mmfusion.metrics import f1_pos_nonpos_swapped

    print(f1_pos_nonpos_swapped([-1.0, 0.0, 2.0], [-0.5, -0.1, 1.0]))  # 1.0
    ```
    """
    return rule_counts("pos_nonpos", y, p)


@additive(f1_by_truth)
def f1_mag(y: ArrayLike, p: ArrayLike) -> Floats:
    """F1 of both classes of `acc2_mag`, averaged by true class size.

    Args:
        y: Labels, shape (N,) or (N, 1).
        p: Predictions, same shape.

    Returns:
        A fraction.

    Example:

    ```python
    from keras_mmfusion.metrics import f1_mag

    print(f1_mag([-1.0, 0.0, 2.0], [-0.5, -0.1, 0.0]))  # 1.0
    ```
    """
    return rule_counts("mag", y, p)


@additive(f1_by_truth)
def f1_msaf(y: ArrayLike, p: ArrayLike) -> Floats:
    """F1 of sign(p) against sign(y) where y != 0, averaged by true class size.

    MSAF's F1. Unlike in `acc2_msaf`, an exactly zero prediction stays: it is
    a missed member of its class and a false alarm of none.

    Args:
        y: Labels, shape (N,) or (N, 1).
        p: Predictions, same shape.

    Returns:
        A fraction.

    Example:

    ```python
    from keras_mmfusion.metrics import f1_msaf

    print(round(f1_msaf([-1.0, -2.0, 2.0], [-0.5, 0.0, 1.0]), 3))  # 0.778
    ```
    """
    return rule_counts("msaf", y, p)
