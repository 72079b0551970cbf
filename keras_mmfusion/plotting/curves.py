"""Training curves of several seeds."""

from collections.abc import Mapping, Sequence
from typing import Any

from keras_mmfusion.plotting.figures import new_figure

_PANELS = 4


def plot_training_curves(
    histories: Sequence[Mapping[str, Sequence[float]]],
    selected: Sequence[int] | None = None,
    title: str = "",
) -> Any:
    """Draws every quantity over the epochs, training and validation together.

    Args:
        histories: One per seed: quantity to its value after every epoch, as
            Keras' `History.history`; `val_` marks those of validation.
        selected: The epoch that each seed kept, from 1.
        title: Text above the panels.

    Returns:
        A `matplotlib.figure.Figure` with a panel for each of the first four
        quantities; the training values are thin, dots mark the epochs kept.

    Raises:
        ValueError: If there is no history.

    Example:

    ```python
    from keras_mmfusion.plotting.curves import plot_training_curves

    history = {"loss": [2.0, 1.0], "val_loss": [2.1, 1.5]}
    plot_training_curves([history], selected=[2]).savefig("curves.png")
    ```
    """
    names = [
        name
        for name in (histories[0] if histories else {})
        if not name.startswith("val_")
    ]
    # The loss first, however the logs are ordered.
    names = sorted(names, key=lambda name: name != "loss")[:_PANELS]
    if not names:
        raise ValueError(
            "Expected at least one history with values. Received: "
            f"{len(histories)} histories"
        )
    figure = new_figure(width=4.0 * len(names), height=3.0)
    panels = figure.subplots(1, len(names), squeeze=False)[0]
    for axes, name in zip(panels, names, strict=True):
        for number, history in enumerate(histories):
            epoch = selected[number] if selected else None
            _draw(axes, history, name, f"C{number % 10}", epoch)
        axes.set(title=name, xlabel="epoch")
        axes.spines[["top", "right"]].set_visible(False)
        axes.xaxis.get_major_locator().set_params(integer=True)
    _legend(panels[0])
    if title:
        figure.suptitle(title)
    return figure


def _draw(
    axes: Any,
    history: Mapping[str, Sequence[float]],
    name: str,
    color: str,
    selected: int | None,
) -> None:
    values = history.get(name, [])
    epochs = range(1, len(values) + 1)
    axes.plot(epochs, values, color=color, linewidth=0.8, alpha=0.6)
    checked = history.get(f"val_{name}")
    if checked is None:
        return
    axes.plot(epochs, checked, color=color, linewidth=1.8)
    if selected is not None:
        axes.plot(selected, checked[selected - 1], "o", color=color)


def _legend(axes: Any) -> None:
    from matplotlib.lines import Line2D

    kinds: dict[str, dict[str, Any]] = {
        "training": {"linewidth": 0.8},
        "validation": {"linewidth": 1.8},
        "epoch kept": {"linewidth": 0, "marker": "o"},
    }
    lines = [
        Line2D([], [], color="0.3", label=label, **style)
        for label, style in kinds.items()
    ]
    axes.legend(handles=lines, frameon=False, fontsize="small")
