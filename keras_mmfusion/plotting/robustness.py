"""Curves of a robustness suite."""

from typing import TYPE_CHECKING, Any

import numpy as np

from keras_mmfusion.plotting.figures import new_figure

if TYPE_CHECKING:
    from keras_mmfusion.evaluation import Robustness

_COLUMNS = 3
_UNITS = {
    "missing modality": "share of samples",
    "missing block": "share of the steps",
    "missing frames": "share of the steps",
    "noise": "deviations of the feature",
    "time shift": "share of the median length",
    "swapped partner": "share of samples",
}


def plot_robustness(robustness: "Robustness", title: str = "") -> Any:
    """Draws the score over the severity, a panel for each corruption.

    Args:
        robustness: What `evaluation.robustness` returned.
        title: Text above the panels.

    Returns:
        A `matplotlib.figure.Figure`: a line per modality, with a band of one
        standard deviation over the draws, and the area under it.

    Example:

    ```python
    from keras_mmfusion.evaluation import Curve, Robustness
    from keras_mmfusion.plotting.robustness import plot_robustness

    curve = Curve("noise", "audio", (0.0, 1.0), (0.9, 0.6), (0.0, 0.02))
    curves = Robustness("accuracy", 0.9, 100, 3, 0, (curve,))
    plot_robustness(curves).savefig("robustness.png")
    ```
    """
    corruptions = list(dict.fromkeys(c.corruption for c in robustness.curves))
    columns = min(_COLUMNS, len(corruptions))
    rows = -(-len(corruptions) // columns)
    figure = new_figure(width=3.6 * columns, height=2.8 * rows)
    panels = figure.subplots(rows, columns, squeeze=False, sharey=True).ravel()
    modalities = list(dict.fromkeys(c.modality for c in robustness.curves))
    for axes, corruption in zip(panels, corruptions, strict=False):
        axes.axhline(robustness.clean, color="0.6", linewidth=0.8)
        for curve in robustness.curves:
            if curve.corruption == corruption:
                color = f"C{modalities.index(curve.modality) % 10}"
                _draw(axes, curve, color)
        axes.set(title=corruption, xlabel=_UNITS[corruption])
        axes.legend(frameon=False, fontsize="small")
        axes.spines[["top", "right"]].set_visible(False)
    for axes in panels[len(corruptions) :]:
        axes.set_visible(False)
    for axes in panels[::columns]:
        axes.set_ylabel(robustness.metric)
    if title:
        figure.suptitle(title)
    return figure


def _draw(axes: Any, curve: Any, color: str) -> None:
    x, mean = np.asarray(curve.severities), np.asarray(curve.mean)
    std = np.asarray(curve.std)
    label = f"{curve.modality} (area {curve.area:.2f})"
    axes.plot(x, mean, "o-", color=color, markersize=3, label=label)
    axes.fill_between(
        x, mean - std, mean + std, color=color, alpha=0.2, linewidth=0
    )
