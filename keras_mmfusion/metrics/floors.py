"""What a model that ignores its input would score."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from keras_mmfusion.metrics.additive import additive_form
from keras_mmfusion.metrics.arrays import as_classes, as_column
from keras_mmfusion.metrics.protocols import Protocol

# Metrics for which less is better.
LOWER_IS_BETTER = frozenset({"mae"})


def _constants(protocol: Protocol, y: ArrayLike) -> list[float]:
    """One constant in every class of every rule, the mean and the medians."""
    truth = as_column(y, "y")
    low, high = protocol.label_range or (truth.min(), truth.max())
    grid = {*np.linspace(low, high, 7), *np.linspace(low, high, 5)}
    grid |= {truth.mean(), np.median(truth)}
    if (truth != 0).any():
        grid.add(np.median(truth[truth != 0]))
    return [float(value) for value in grid]


def _guesses(
    protocol: Protocol, y: ArrayLike, p: ArrayLike
) -> list[NDArray[Any]]:
    """Predictions that do not depend on the sample, shaped as `p`."""
    shape = np.shape(p)
    if protocol.task == "regression":
        samples = len(as_column(y, "y"))
        return [np.full(samples, value) for value in _constants(protocol, y)]
    if protocol.task == "classification":
        truth, _, classes = as_classes(y, p)
        sizes = np.bincount(truth, minlength=classes)
        if len(shape) == 2 and shape[1] > 1:
            # Distinct scores by class size, so that top-k has an order.
            row = np.empty(classes)
            row[np.argsort(-sizes, kind="stable")] = -np.arange(classes)
            return [np.tile(row, (len(truth), 1))]
        return [np.full(len(truth), sizes.argmax())]
    if protocol.task == "emotions":
        return [np.tile(row, (shape[0], 4, 1)) for row in ([1, 0], [0, 1])]
    return [np.zeros(shape)]


def floors(
    protocol: Protocol,
    metrics: Mapping[str, Callable[..., float]],
    y: ArrayLike,
    p: ArrayLike,
) -> dict[str, float]:
    """Best score of a constant prediction on each metric.

    The constant is chosen on these labels, so no constant learnt from other
    data does better: majority class for accuracy, median for the MAE.

    Args:
        protocol: The protocol.
        metrics: Its metrics by key.
        y: Labels.
        p: Predictions; only their shape is used.

    Returns:
        Value by metric; NaN where no constant has one (correlation).
    """
    guesses = _guesses(protocol, y, p)
    result = {}
    for key, metric in metrics.items():
        form = additive_form(metric)
        if form is None:
            raise ValueError(f"Metric {key!r} of {protocol.name} has no sums.")
        sums = [form.statistics(y, guess).sum(axis=0) for guess in guesses]
        values = np.array([float(form.finish(total)) for total in sums])
        values = values[np.isfinite(values)]
        if not len(values):
            result[key] = float("nan")
        elif key in LOWER_IS_BETTER:
            result[key] = float(values.min())
        else:
            result[key] = float(values.max())
    return result


def constant_errors(y: ArrayLike) -> dict[str, dict[str, float]]:
    """MAE of predicting the labels' mean and their median everywhere."""
    truth = as_column(y, "y").astype(np.float64)
    constants = {"mean": truth.mean(), "median": np.median(truth)}
    return {
        name: {
            "prediction": float(value),
            "mae": float(np.abs(truth - value).mean()),
        }
        for name, value in constants.items()
    }
