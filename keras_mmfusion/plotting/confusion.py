"""Predictions against the truth: confusion matrix and scatter."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from keras_mmfusion.plotting.figures import new_figure

# Above so many classes numbers in the cells cannot be read.
_NUMBERED = 12


def plot_confusion(
    counts: ArrayLike, class_names: Sequence[str] | None = None
) -> Any:
    """Draws a confusion matrix, each row in percent of its true class.

    Args:
        counts: Array (C, C), true class by row, predicted class by column.
        class_names: Names of the classes.

    Returns:
        A `matplotlib.figure.Figure`.

    Raises:
        ValueError: If the array is not square, or the names do not fit.

    Example:

    ```python
    from keras_mmfusion.plotting.confusion import plot_confusion

    plot_confusion([[8, 2], [1, 9]], ["no", "yes"]).savefig("confusion.png")
    ```
    """
    table = np.asarray(counts, np.float64)
    if table.ndim != 2 or table.shape[0] != table.shape[1]:
        raise ValueError(
            "Expected `counts` of shape (classes, classes). Received: shape "
            f"{table.shape}"
        )
    classes = len(table)
    given = range(classes) if class_names is None else class_names
    names = [str(name) for name in given]
    if len(names) != classes:
        raise ValueError(
            f"Expected {classes} class names. Received: {len(names)}"
        )
    totals = table.sum(axis=1, keepdims=True)
    shares = 100 * table / np.maximum(totals, 1)
    size = min(max(3.2, 0.38 * classes + 1.8), 9.0)
    figure = new_figure(width=size + 0.6, height=size)
    axes = figure.subplots()
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=100)
    figure.colorbar(image, ax=axes, label="% of the true class", shrink=0.8)
    turned = 45 if max(map(len, names)) > 3 else 0
    axes.set_xticks(range(classes), names, rotation=turned)
    axes.set_yticks(range(classes), names)
    axes.set(xlabel="predicted", ylabel="true")
    if classes <= _NUMBERED:
        for row in range(classes):
            for column in range(classes):
                share = shares[row, column]
                axes.text(
                    column,
                    row,
                    f"{share:.0f}",
                    ha="center",
                    va="center",
                    fontsize="small",
                    color="white" if share > 60 else "0.2",
                )
    return figure


def plot_scatter(
    labels: ArrayLike, predictions: ArrayLike, name: str = ""
) -> Any:
    """Draws predicted values over true ones, with the line of equality.

    Args:
        labels: True values, shape (N,).
        predictions: Predicted values, shape (N,).
        name: What is predicted, for the title.

    Returns:
        A `matplotlib.figure.Figure`.

    Raises:
        ValueError: If the lengths differ or there is no sample.

    Example:

    ```python
    from keras_mmfusion.plotting.confusion import plot_scatter

    plot_scatter([0.0, 1.0, 2.0], [0.1, 0.8, 1.7]).savefig("scatter.png")
    ```
    """
    truth = np.asarray(labels, np.float64).reshape(-1)
    predicted = np.asarray(predictions, np.float64).reshape(-1)
    if len(truth) != len(predicted) or not len(truth):
        raise ValueError(
            "Expected as many predictions as labels, one or more. Received: "
            f"{len(truth)} labels and {len(predicted)} predictions"
        )
    figure = new_figure(width=4.2, height=4.0)
    axes = figure.subplots()
    # As one picture: thousands of points would be thousands of elements.
    axes.scatter(
        truth, predicted, s=8, alpha=0.35, linewidths=0, rasterized=True
    )
    low = min(truth.min(), predicted.min())
    high = max(truth.max(), predicted.max())
    axes.plot([low, high], [low, high], color="0.4", linewidth=1)
    axes.set(xlabel="true", ylabel="predicted", title=name)
    axes.set_aspect("equal", adjustable="datalim")
    axes.spines[["top", "right"]].set_visible(False)
    return figure
