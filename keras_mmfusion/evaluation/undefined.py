"""Scores of predictions that are not finite: undefined, and not an error.

Once the test split is open, an error would take along what the other seeds
and models scored.
"""

import math
from collections.abc import Callable
from typing import TypeVar

import numpy as np

from keras_mmfusion.types import Array, Metric

T = TypeVar("T")


def all_finite(*predictions: Array) -> bool:
    """Whether no prediction is NaN or infinite."""
    return all(bool(np.isfinite(p).all()) for p in predictions)


def finite_samples(predictions: Array) -> Array:
    """Of predictions (S, N, ...), which samples have finite ones (S, N)."""
    count = predictions.shape[:2]
    finite: Array = np.isfinite(predictions)
    return np.asarray(finite.reshape(*count, -1).all(axis=2))


def or_undefined(
    compute: Callable[[], T], undefined: T, *predictions: Array
) -> T:
    """What is computed, or `undefined` of predictions that are not finite.

    Own metrics may take such predictions; what they say stands.

    Args:
        compute: Gives a score or test, or refuses with a `ValueError`.
        undefined: What to return then.
        *predictions: What it is computed from.

    Raises:
        ValueError: If finite predictions are refused.
    """
    try:
        return compute()
    except ValueError:
        if all_finite(*predictions):
            raise
        return undefined


def value_or_nan(metric: Metric, y: Array, p: Array) -> float:
    """The metric, or NaN if it refuses predictions that are not finite."""
    return or_undefined(lambda: float(metric(y, p)), math.nan, p)


def failed_seeds(name: str, seeds: list[int], p: Array) -> list[str]:
    """A sentence for every seed whose predictions are not all finite.

    Args:
        name: Name of the model.
        seeds: Its seeds.
        p: Predictions of every seed, (S, N, ...).
    """
    notes = []
    for seed, finite in zip(seeds, finite_samples(p), strict=True):
        bad = ~finite
        if bad.any():
            notes.append(
                f"{name}: seed {seed} predicts NaN or infinity for "
                f"{int(bad.sum())} of {len(bad)} test samples, the first at "
                f"index {int(bad.argmax())}. Metrics that need finite "
                "numbers, their means over seeds and tests of them are "
                "undefined; the values of other seeds stand."
            )
    return notes
