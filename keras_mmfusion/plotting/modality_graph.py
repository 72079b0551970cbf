"""Who tells whom how much, as a directed graph of modalities."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from keras_mmfusion.plotting.figures import new_figure

Array = NDArray[Any]


def plot_modality_graph(
    edges: Mapping[str, Array],
    modalities: Sequence[str],
    sample: int | None = None,
) -> Any:
    """Draws the attended graph of every branch.

    An arrow runs from sender to receiver, as thick as its share ξ; the shares
    that a node receives sum to one.

    Args:
        edges: The `graph` of `MEA.explain(x)`: branch to (B, M, M), receiver
            by row.
        modalities: Their names in order, `model.modalities`.
        sample: Which sample; the mean over all if `None`.

    Returns:
        A `matplotlib.figure.Figure`.

    Raises:
        ValueError: If there is no branch, or the names do not fit the edges.

    Example:

    ```python
    import numpy as np
    from keras_mmfusion.plotting import plot_modality_graph

    edges = {"exclusive": np.array([[[0.0, 1.0], [1.0, 0.0]]])}
    plot_modality_graph(edges, ["text", "audio"]).savefig("graph.png")
    ```
    """
    count = len(modalities)
    for branch, xi in edges.items():
        if np.ndim(xi) != 3 or np.shape(xi)[1:] != (count, count):
            raise ValueError(
                f"Expected edges (B, {count}, {count}) for the modalities "
                f"{list(modalities)}. Received for {branch!r}: {np.shape(xi)}"
            )
    if not edges:
        raise ValueError(
            "Expected the `graph` of MEA.explain(x). Received: no branch"
        )
    figure = new_figure(width=3.6 * len(edges), height=3.4)
    axes = figure.subplots(1, len(edges), squeeze=False)[0]
    for axis, (branch, xi) in zip(axes, edges.items(), strict=True):
        shares = np.asarray(xi, np.float64)
        shares = shares.mean(axis=0) if sample is None else shares[sample]
        _draw(axis, shares, list(modalities))
        axis.set_title(branch)
    return figure


def _draw(axis: Any, shares: Array, names: list[str]) -> None:
    angles = np.pi / 2 + 2 * np.pi * np.arange(len(names)) / len(names)
    places = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    for receiver, sender in np.argwhere(shares > 0):
        share = shares[receiver, sender]
        start, end = places[sender], places[receiver]
        if receiver == sender:
            continue
        axis.annotate(
            "",
            xy=end,
            xytext=start,
            arrowprops={
                "arrowstyle": "-|>",
                "linewidth": 0.3 + 4 * share,
                "color": "0.4",
                "alpha": 0.8,
                "shrinkA": 24,
                "shrinkB": 24,
                # Both directions of a pair side by side.
                "connectionstyle": "arc3,rad=0.18",
            },
        )
        across = np.array([end[1] - start[1], start[0] - end[0]])
        # Nearer to the receiver, where the arrow of the pair is far.
        axis.text(
            *(0.45 * start + 0.55 * end + 0.15 * across),
            f"{share:.2f}",
            fontsize="small",
            ha="center",
            va="center",
        )
    for i, (place, name) in enumerate(zip(places, names, strict=True)):
        own = f"\n{shares[i, i]:.2f}" if shares[i, i] > 0 else ""
        axis.text(
            *place,
            name + own,
            ha="center",
            va="center",
            bbox={"boxstyle": "round", "facecolor": "white"},
        )
    axis.set(xlim=(-1.5, 1.5), ylim=(-1.2, 1.5), aspect="equal")
    axis.set_axis_off()
