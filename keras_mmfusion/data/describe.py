"""What a data set holds, as text and as a figure."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from keras_mmfusion.data.padding import NOT_ANNOTATED

if TYPE_CHECKING:
    from keras_mmfusion.data.dataset import MultimodalDataset
    from keras_mmfusion.data.split import Split

_BINS = 7
_LEGEND: dict[str, Any] = {"loc": "outside upper center", "ncols": 3}


def describe(dataset: "MultimodalDataset") -> str:
    """Counts, lengths, missing rates and labels of a data set.

    Args:
        dataset: the data set.

    Returns:
        Lines of text, one column per split.
    """
    splits = dataset.splits
    rows = [["", *splits], ["samples", *(str(len(v)) for v in splits.values())]]
    for name, shape in dataset.shapes.items():
        rows.append([f"{name} {shape}", *[""] * len(splits)])
        lengths = [split.features[name].lengths() for split in splits.values()]
        if shape[0] is None:
            rows.append(
                ["  steps min/median/max", *(_spread(n) for n in lengths)]
            )
        rows.append(["  missing", *(_missing(n) for n in lengths)])
    for name, counts in label_counts(dataset).items():
        rows.append([f"labels{name}", *[""] * len(splits)])
        rows += [[f"  {text}", *map(str, n)] for text, n in counts]
    lines = [f"{dataset.name} ({dataset.task})"]
    lines += [f"origin: {dataset.origin}"] if dataset.origin else []
    lines += [f"licence: {dataset.licence}"] if dataset.licence else []
    return "\n".join(lines + _table(rows))


def label_counts(
    dataset: "MultimodalDataset",
) -> dict[str, list[tuple[str, list[int]]]]:
    """Label histogram.

    Args:
        dataset: the data set.

    Returns:
        Label column (an empty name if there is one) to pairs of a class or
        interval and its number of samples, or of annotated steps, in every
        split.
    """
    labels = [split.labels for split in dataset.splits.values()]
    if dataset.task == "classification":
        return {"": _class_counts([np.ravel(y) for y in labels], dataset)}
    if dataset.task == "binary heads":
        counts = [np.atleast_2d(y.T).astype(bool).sum(axis=1) for y in labels]
        names = dataset.class_names or [str(i) for i in range(len(counts[0]))]
        return {
            " equal to 1": [
                (name, [int(n[i]) for n in counts])
                for i, name in enumerate(names)
            ]
        }
    columns = [_columns(y) for y in labels]
    names = dataset.class_names or [str(i) for i in range(len(columns[0]))]
    what = ", annotated steps" if labels[0].ndim == 3 else ""
    return {
        ("" if len(columns[0]) == 1 else f" {name}") + what: _bin_counts(
            [y[i] for y in columns]
        )
        for i, name in enumerate(names)
    }


def _columns(labels: NDArray[Any]) -> list[NDArray[np.float64]]:
    """Labels of every output; of the annotated steps if (N, T, K)."""
    if labels.ndim < 3:
        return [row.astype(np.float64) for row in np.atleast_2d(labels.T)]
    steps = labels.reshape(-1, labels.shape[2]).T.astype(np.float64)
    return [row[row != NOT_ANNOTATED] for row in steps]


def figure(dataset: "MultimodalDataset") -> Any:
    """Histograms of the labels and of every sequence's lengths.

    Args:
        dataset: the data set.

    Returns:
        A `matplotlib.figure.Figure`.

    Raises:
        ImportError: if matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError(
            "Figures need matplotlib: pip install 'keras_mmfusion[plot]'"
        ) from error
    sequences = [k for k, shape in dataset.shapes.items() if shape[0] is None]
    labels = label_counts(dataset)
    panels = len(labels) + len(sequences)
    drawn = Figure(figsize=(4 * panels, 3), layout="constrained")
    axes = drawn.subplots(1, panels, squeeze=False)[0]
    for axis, (name, counts) in zip(axes, labels.items(), strict=False):
        _draw_bars(axis, counts, list(dataset.splits))
        axis.set(title=f"labels{name}", ylabel="share of the split's samples")
    drawn.legend(*axes[0].get_legend_handles_labels(), **_LEGEND)
    for axis, name in zip(axes[len(labels) :], sequences, strict=True):
        for label, split in dataset.splits.items():
            _draw_lengths(axis, split, name, label)
        axis.set(title=f"{name}: valid steps", ylabel="share of samples up to")
    return drawn


def _draw_bars(
    axis: Any, counts: list[tuple[str, list[int]]], splits: list[str]
) -> None:
    """Label shares, one bar per split; a class may hold several heads."""
    numbers = np.array([n for _, n in counts], np.float64)
    shares = numbers / np.maximum(numbers.sum(axis=0), 1)
    width = 0.8 / len(splits)
    for position, split in enumerate(splits):
        places = np.arange(len(counts)) + (position + 0.5) * width - 0.4
        axis.bar(places, shares[:, position], width, label=split)
    axis.set_xticks(np.arange(len(counts)), [text for text, _ in counts])
    axis.tick_params(axis="x", rotation=45 if len(counts) > 4 else 0)


def _draw_lengths(axis: Any, split: "Split", name: str, label: str) -> None:
    lengths = np.sort(split.features[name].lengths())
    shares = np.arange(1, len(lengths) + 1) / max(len(lengths), 1)
    axis.step(lengths, shares, where="post", label=label)


def _class_counts(
    labels: list[NDArray[Any]], dataset: "MultimodalDataset"
) -> list[tuple[str, list[int]]]:
    whole = [y.astype(np.int64) for y in labels]
    count = 1 + max((int(y.max(initial=-1)) for y in whole), default=-1)
    names = dataset.class_names or [str(i) for i in range(count)]
    numbers = [np.bincount(y, minlength=len(names)) for y in whole]
    return [
        (name, [int(n[i]) for n in numbers]) for i, name in enumerate(names)
    ]


def _bin_counts(
    labels: list[NDArray[np.float64]],
) -> list[tuple[str, list[int]]]:
    edges = np.histogram_bin_edges(np.concatenate(labels), _BINS)
    numbers = [np.histogram(y, edges)[0] for y in labels]
    return [
        (f"{edges[i]:.3g} to {edges[i + 1]:.3g}", [int(n[i]) for n in numbers])
        for i in range(_BINS)
    ]


def _spread(lengths: NDArray[np.int64]) -> str:
    present = lengths[lengths > 0]
    if len(present) == 0:
        return "-"
    return f"{present.min()}/{np.median(present):g}/{present.max()}"


def _missing(lengths: NDArray[np.int64]) -> str:
    rate = np.mean(lengths == 0) if len(lengths) else 0.0
    return f"{100 * rate:.1f} %"


def _table(rows: list[list[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            [row[0].ljust(widths[0])]
            + [
                text.rjust(width)
                for text, width in zip(row[1:], widths[1:], strict=True)
            ]
        ).rstrip()
        for row in rows
    ]
