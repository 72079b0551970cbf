"""New figures, without touching pyplot's global state."""

from typing import Any


def new_figure(width: float, height: float) -> Any:
    """An empty `matplotlib.figure.Figure` of this size in inches."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError(
            "Plots need matplotlib. Run: pip install 'keras_mmfusion[plot]'"
        ) from error
    return Figure(figsize=(width, height), layout="constrained")
