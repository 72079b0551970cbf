"""Which modality split attention turns to, by sample and by class."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from keras_mmfusion.plotting.figures import new_figure


def modality_shares(
    attention: Mapping[str, NDArray[Any]],
) -> dict[str, NDArray[Any]]:
    """Share of the attention that each modality gets in each sample.

    For a channel the attention of all blocks sums to one (attention floor 0),
    so the sum over a modality's blocks, averaged over segments and channels,
    is its share.

    Args:
        attention: Modality to array (B, S, n, C), one fusion of
            `model.explain(x)`.

    Returns:
        Modality to array (B,). The shares of a sample sum to one; they are
        NaN for a sample without any modality.

    Raises:
        ValueError: If it is not the attention of one fusion.

    Example:

    ```python
    import numpy as np
    from keras_mmfusion.plotting import modality_shares

    a = np.full((2, 1, 1, 4), 0.25)
    attention = {"a": a, "b": np.repeat(a, 3, axis=2)}
    print(modality_shares(attention)["b"])  # [0.75 0.75]
    ```
    """
    check_attention(attention)
    shares = {m: a.sum(axis=2).mean(axis=(1, 2)) for m, a in attention.items()}
    total = np.asarray(sum(shares.values()))
    # 0 / 0 of a sample without any modality is NaN, here without a warning.
    total = np.where(total > 0, total, np.nan)
    return {m: share / total for m, share in shares.items()}


def check_attention(attention: Mapping[str, NDArray[Any]]) -> None:
    """Raises unless it is the attention of one fusion."""
    shapes = {m: np.shape(a) for m, a in attention.items()}
    if not shapes or any(len(shape) != 4 for shape in shapes.values()):
        raise ValueError(
            "Expected the attention of one fusion, modality to array "
            '(B, S, n, C), such as model.explain(x)["fusion1"]. Received: '
            f"{shapes}"
        )


@dataclass(frozen=True)
class ClassShares:
    """Share of the attention by class and modality. `print` shows a table.

    Attributes:
        classes: Names of the classes that occur, one per row.
        modalities: Names of the modalities, one per column.
        shares: Mean share of the samples of a class, (classes, modalities);
            a row sums to one.
        counts: Samples behind each row. A sample without any modality has
            no share and is not counted.
    """

    classes: list[str]
    modalities: list[str]
    shares: NDArray[np.float64]
    counts: NDArray[np.int64]

    def __str__(self) -> str:
        width = max(len(name) for name in [*self.classes, "class"])
        head = [f"{m:>9}" for m in self.modalities]
        rows = [f"{'class':<{width}}  {' '.join(head)}  samples"]
        for name, row, count in zip(
            self.classes, self.shares, self.counts, strict=True
        ):
            cells = [f"{share:9.1%}" for share in row]
            rows.append(f"{name:<{width}}  {' '.join(cells)}  {count:7d}")
        return "\n".join(rows)


def class_shares(
    attention: Mapping[str, NDArray[Any]],
    labels: ArrayLike,
    class_names: Sequence[str] | None = None,
) -> ClassShares:
    """Share of the attention that each modality gets, per class.

        share_m = Σ a over the blocks of m / Σ a over all blocks

    averaged over segments, channels, and the samples of the class.

    Args:
        attention: Modality to array (B, S, n, C), one fusion of
            `model.explain(x)`.
        labels: Integer class of every sample, (B,).
        class_names: Names of the classes.

    Returns:
        A table with a row per class that occurs and a column per modality.

    Raises:
        ValueError: If there are not as many labels as samples, a label is no
            class number, or has no name.

    Example:

    ```python
    import numpy as np
    from keras_mmfusion.plotting import class_shares

    a = np.full((2, 1, 1, 4), 0.25)
    attention = {"a": a, "b": np.repeat(a, 3, axis=2)}
    print(class_shares(attention, [0, 1], ["no", "yes"]))
    ```
    """
    shares = modality_shares(attention)
    table = np.stack(list(shares.values()), axis=1)
    groups = np.asarray(labels).reshape(-1)
    if len(groups) != len(table):
        raise ValueError(
            f"Expected a label for each of {len(table)} samples. Received: "
            f"{len(groups)} labels"
        )
    if not np.issubdtype(groups.dtype, np.integer) or groups.min() < 0:
        raise ValueError(
            "Labels must be class numbers 0, 1, ... Received: dtype "
            f"{groups.dtype}, least {groups.min()}. Round or group real "
            "numbers first."
        )
    names = class_names or [str(c) for c in range(groups.max() + 1)]
    if groups.max() >= len(names):
        raise ValueError(
            f"Expected a name for class {groups.max()}. Received: "
            f"{len(names)} names"
        )
    known = np.isfinite(table).all(axis=1)
    classes = np.unique(groups[known])
    rows = [known & (groups == c) for c in classes]
    return ClassShares(
        [str(names[c]) for c in classes],
        list(shares),
        np.array([table[row].mean(axis=0) for row in rows], np.float64),
        np.array([row.sum() for row in rows], np.int64),
    )


def draw_class_shares(axes: Any, table: ClassShares) -> None:
    """Draws a bar for each class, cut into the modalities' shares."""
    bottom = np.zeros(len(table.classes))
    for modality, share in zip(table.modalities, table.shares.T, strict=True):
        axes.bar(table.classes, share, bottom=bottom, label=modality)
        bottom += share
    axes.set_ylim(0, 1)
    axes.set_title("Share of each modality")
    below = {"loc": "upper center", "bbox_to_anchor": (0.5, -0.15)}
    axes.legend(**below, ncols=len(table.modalities), frameon=False)


def plot_class_shares(table: ClassShares) -> Any:
    """Draws the share of the attention that each modality gets, per class.

    Args:
        table: What `class_shares` returns.

    Returns:
        A `matplotlib.figure.Figure`.

    Example:

    ```python
    import numpy as np
    from keras_mmfusion.plotting import class_shares, plot_class_shares

    a = np.full((2, 1, 1, 4), 0.25)
    attention = {"a": a, "b": np.repeat(a, 3, axis=2)}
    table = class_shares(attention, [0, 1], ["no", "yes"])
    plot_class_shares(table).savefig("shares.png")
    ```
    """
    width = min(max(4.0, 0.5 * len(table.classes) + 2.0), 12.0)
    figure = new_figure(width=width, height=4)
    axes = figure.subplots()
    draw_class_shares(axes, table)
    axes.set_xlabel("class")
    return figure
