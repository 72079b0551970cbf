"""Padded arrays of several modalities and splits to right-padded columns."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from keras_mmfusion.data.columns import Column, Padded
from keras_mmfusion.data.formats._arrays import (
    Array,
    Side,
    longest,
    padded,
    padding_of,
)
from keras_mmfusion.data.padding import Ints, nonzero_spans

BySplit = Mapping[str, Mapping[str, Array]]


def sequence_columns(
    source: object,
    arrays: BySplit,
    lengths: Mapping[str, Mapping[str, Ints]] | None = None,
) -> dict[str, dict[str, Column]]:
    """Columns of padded arrays, padded on whichever side.

    The side is found for each modality over all splits together, because a
    small split may hold no padding. Modalities that are padded on the left,
    have the same number of steps and in most samples the same first step that
    is not zero are aligned step by step; they keep a common first step, the
    first at which any of them is not zero.

    Args:
        source: the file, for messages.
        arrays: split to modality to array of shape (N, T, ...).
        lengths: split to modality to valid steps, where the file gives them.

    Returns:
        Split to modality to column.
    """
    for split, given in arrays.items():
        counts = {name: len(array) for name, array in given.items()}
        if len(set(counts.values())) != 1:
            raise ValueError(
                f"{source}: {split!r} must have as many samples in every "
                f"modality. Received: {counts}. The file mixes parts of "
                "different data sets or is damaged."
            )
    spans = {
        split: {name: nonzero_spans(array) for name, array in given.items()}
        for split, given in arrays.items()
    }
    names = list(next(iter(arrays.values())))
    known = lengths or {}
    sides: dict[str, Side] = {
        name: _side(
            source,
            name,
            {split: given[name].shape[1] for split, given in arrays.items()},
            {split: found[name] for split, found in spans.items()},
            {s: given[name] for s, given in known.items() if name in given},
        )
        for name in names
    }
    columns: dict[str, dict[str, Column]] = {}
    for split, given in arrays.items():
        start = _common_start(given, sides, spans[split])
        columns[split] = {}
        for name, array in given.items():
            steps = known.get(split, {}).get(name)
            if start is not None:
                steps = array.shape[1] - start
            columns[split][name] = Padded(array, steps, padding=sides[name])
    return columns


def _side(
    source: object,
    name: str,
    totals: Mapping[str, int],
    spans: Mapping[str, tuple[Ints, Ints]],
    lengths: Mapping[str, Ints],
) -> Side:
    if lengths:
        # What lies past the given length is dropped, so only a file that
        # fits from the left and not from the right is padded on the left.
        from_right = all(
            np.all(spans[split][1] <= steps) for split, steps in lengths.items()
        )
        from_left = all(
            np.all(
                (spans[split][1] == 0)
                | (spans[split][0] >= totals[split] - steps)
            )
            for split, steps in lengths.items()
        )
        return "left" if from_left and not from_right else "right"
    leading, trailing = [], []
    for split, (first, last) in spans.items():
        seen = last > 0
        leading.append(first[seen])
        trailing.append(totals[split] - last[seen])
    return padding_of(
        np.concatenate(leading), np.concatenate(trailing), source, name
    )


def _common_start(
    arrays: Mapping[str, Array],
    sides: Mapping[str, Side],
    spans: Mapping[str, tuple[Ints, Ints]],
) -> Ints | None:
    steps = {array.shape[1] for array in arrays.values()}
    if len(steps) > 1 or set(sides.values()) != {"left"}:
        return None
    total = steps.pop()
    starts = np.stack(
        [np.where(last > 0, first, total) for first, last in spans.values()]
    )
    start: Ints = starts.min(axis=0)
    return start if _in_most((starts == start) | (starts == total)) else None


def left_padded(columns: Mapping[str, Column]) -> dict[str, Array]:
    """Arrays that `sequence_columns` reads as these columns.

    Modalities that have as many steps as each other in most samples are
    aligned: they keep their first step together, also where the last steps of
    one are zeros.
    """
    lengths = np.stack([column.lengths() for column in columns.values()])
    most = lengths.max(axis=0)
    aligned = _in_most((lengths == most) | (lengths == 0))
    arrays = {}
    for name, column in columns.items():
        total = longest([*columns.values()] if aligned else [column])
        starts = total - (most if aligned else column.lengths())
        array = padded(column, total)
        for sample, start in zip(array, starts, strict=True):
            sample[:] = np.roll(sample, start, axis=0)
        arrays[name] = array
    return arrays


def _in_most(agree: NDArray[np.bool_]) -> bool:
    """Whether all modalities agree in half of the samples or more."""
    return bool(agree.all(axis=0).mean() >= 0.5) if agree.size else False
