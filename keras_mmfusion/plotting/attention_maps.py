"""Attention between the steps of sequences, as pictures."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from keras_mmfusion.plotting.figures import new_figure

Array = NDArray[Any]
KINDS = ("predicted", "current", "used")
LEVELS = ("mixed", "coarse", "fine")


def plot_attention_maps(
    maps: Mapping[str, Mapping[str, Mapping[str, Array]]], sample: int = 0
) -> Any:
    """Draws every self-attention map of a sample.

    One column per layer and kind of map, one row per modality; queries go
    down, keys to the right, padding is cut off. Each map has its own scale,
    from 0 for shares and with the smallest value for a predicted map.

    Args:
        maps: The `self_attention` of `MEA.explain(x)`.
        sample: Which sample.

    Returns:
        A `matplotlib.figure.Figure`.

    Raises:
        ValueError: If there are no maps, or they are those of single heads.

    Example:

    ```python
    import numpy as np
    from keras_mmfusion.plotting import plot_attention_maps

    share = np.full((1, 4, 4), 0.25)
    maps = {"layer1": {"text": {"current": share, "used": share}}}
    plot_attention_maps(maps).savefig("maps.png")
    ```
    """
    columns = [
        (layer, kind)
        for layer, by_modality in maps.items()
        for kind in KINDS
        if kind in next(iter(by_modality.values()))
        # In a first layer the used map is the current one.
        and (kind == "used" or "predicted" in next(iter(by_modality.values())))
    ]
    rows = list(next(iter(maps.values()), {}))
    if not columns or not rows:
        raise ValueError(
            "Expected the `self_attention` of MEA.explain(x) with one layer or "
            f"more. Received: a dict of {list(maps)}"
        )
    figure = new_figure(2.2 * len(columns) + 0.6, 2.1 * len(rows) + 0.4)
    axes = figure.subplots(len(rows), len(columns), squeeze=False)
    for row, m in zip(axes, rows, strict=True):
        used = _one(maps[columns[0][0]][m]["used"], sample)
        steps = int((used.sum(axis=1) > 0).sum())
        for axis, (layer, kind) in zip(row, columns, strict=True):
            shown = _one(maps[layer][m][kind], sample)[:steps, :steps]
            _draw(axis, shown, kind)
        row[0].set_ylabel(f"step of {m}")
    for axis, (layer, kind) in zip(axes[0], columns, strict=True):
        axis.set_title(f"{layer}, {kind}", fontsize="medium")
    for axis in axes[-1]:
        axis.set_xlabel("step that is attended to", fontsize="small")
    return figure


def plot_cross_attention(maps: Mapping[str, Array], sample: int = 0) -> Any:
    """Draws the cross-modal attention maps of one layer by level.

    One row per target, one column per unit: all modalities joined over time,
    the others joined, each other one alone.

    Args:
        maps: One layer of the `cross_attention` of `MEA.explain(x)`: unit,
            "<target>_<level>" or "<target>_fine_<source>", to (B, T, S).
        sample: Which sample.

    Returns:
        A `matplotlib.figure.Figure`.

    Raises:
        ValueError: If there are no maps, or they are those of single heads.

    Example:

    ```python
    import numpy as np
    from keras_mmfusion.plotting import plot_cross_attention

    share = np.full((1, 4, 5), 0.2)
    maps = {"text_fine_audio": share, "audio_fine_text": share}
    plot_cross_attention(maps).savefig("cross.png")
    ```
    """
    units = [(unit, *_parts(unit)) for unit in maps]
    targets = list(dict.fromkeys(target for _, target, _ in units))
    by_target = {
        t: [(unit, name) for unit, target, name in units if target == t]
        for t in targets
    }
    if not targets:
        raise ValueError(
            "Expected one layer of the `cross_attention` of MEA.explain(x). "
            "Received: no maps"
        )
    width = max(map(len, by_target.values()))
    figure = new_figure(2.6 * width + 0.6, 2.1 * len(targets) + 0.4)
    axes = figure.subplots(len(targets), width, squeeze=False)
    for row, (target, drawn) in zip(axes, by_target.items(), strict=True):
        for axis in row[len(drawn) :]:
            axis.set_axis_off()
        for axis, (unit, name) in zip(row, drawn, strict=False):
            shown = _one(maps[unit], sample)
            steps = max(int((shown.sum(axis=1) > 0).sum()), 1)
            _draw(axis, shown[:steps], "used")
            axis.set_title(name, fontsize="medium")
        row[0].set_ylabel(f"step of {target}")
    for axis in axes[-1]:
        axis.set_xlabel("step that is attended to", fontsize="small")
    return figure


def _parts(unit: str) -> tuple[str, str]:
    """Target, and level with source, from the name of a unit."""
    for level in LEVELS:
        target, found, source = unit.rpartition(f"_{level}")
        if found and (level == "fine") == bool(source):
            return target, f"{level} {source[1:]}".strip()
    raise ValueError(
        'Expected names of units such as "text_mixed" or "text_fine_audio". '
        f"Received: {unit!r}"
    )


def _one(maps: Array, sample: int) -> Array:
    maps = np.asarray(maps, np.float64)
    if maps.ndim != 3:
        raise ValueError(
            "Expected maps (B, T, S): the mean over the heads, or one head. "
            f"Received: shape {maps.shape}. MEA.explain(x) averages by default."
        )
    return maps[sample]


def _draw(axis: Any, shown: Array, kind: str) -> None:
    low = None if kind == "predicted" else 0
    axis.imshow(
        shown, aspect="auto", cmap="viridis", vmin=low, interpolation="nearest"
    )
    axis.tick_params(labelsize="x-small")
