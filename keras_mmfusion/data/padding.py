"""Padding: where valid steps begin and end, and padded arrays."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]
ItemShape = tuple[int | None, ...]

# Label of a step that has none, where there is a label at every step. The
# losses and metrics of concordance leave it out by default.
NOT_ANNOTATED = -5.0

# Lengths are derived block by block, so that a memory-mapped array of any
# size needs only this much at a time.
_BLOCK_BYTES = 16 * 2**20


def nonzero_steps(array: NDArray[np.generic]) -> NDArray[np.bool_]:
    """Rows that are not all zeros, found block by block: (rows,)."""
    rows = len(array)
    width = max(int(np.prod(array.shape[1:])), 1)
    block = max(_BLOCK_BYTES // (width * array.dtype.itemsize), 1)
    found = np.zeros(rows, bool)
    for start in range(0, rows, block):
        part = np.asarray(array[start : start + block]).astype(bool)
        found[start : start + block] = part.reshape(len(part), -1).any(axis=1)
    return found


def last_nonzero(steps: NDArray[np.bool_]) -> int:
    """One past the last true step; 0 if there is none."""
    found = np.flatnonzero(steps)
    return int(found[-1]) + 1 if len(found) else 0


def nonzero_spans(array: NDArray[np.generic]) -> tuple[Ints, Ints]:
    """First non-zero step and one past the last, per sample: (N,), (N,)."""
    count, total = array.shape[:2]
    first = np.zeros(count, np.int64)
    last = np.zeros(count, np.int64)
    width = max(int(np.prod(array.shape[1:])), 1)
    block = max(_BLOCK_BYTES // (width * array.dtype.itemsize), 1)
    for start in range(0, count if total else 0, block):
        part = np.asarray(array[start : start + block]).astype(bool)
        steps: NDArray[np.bool_] = np.asarray(
            part.reshape(len(part), total, -1).any(axis=2)
        )
        seen = steps.any(axis=1)
        rows = slice(start, start + len(part))
        first[rows] = np.where(seen, steps.argmax(axis=1), 0)
        last[rows] = np.where(seen, total - steps[:, ::-1].argmax(axis=1), 0)
    return first, last


def ragged_lengths(values: NDArray[np.generic], offsets: Ints) -> Ints:
    nonzero = np.flatnonzero(nonzero_steps(values))
    # The last non-zero step before the end of every sample, if it is its own.
    position = np.searchsorted(nonzero, offsets[1:]) - 1
    last = np.full(len(offsets) - 1, -1, np.int64)
    found = position >= 0
    last[found] = nonzero[position[found]]
    return np.maximum(last + 1 - offsets[:-1], 0)


def label_steps(labels: NDArray[np.generic]) -> Ints:
    """One past the last annotated step of labels (N, T, K): (N,)."""
    _, last = nonzero_spans(np.any(labels != NOT_ANNOTATED, axis=2)[..., None])
    return last


def check_on_grid(name: str, lengths: Ints, steps: int) -> None:
    """Raise unless sequences are no longer than the labels of their steps."""
    if len(lengths) and lengths.max() > steps:
        sample = int(lengths.argmax())
        raise ValueError(
            "With a label at every step, all sequences run at the labels' "
            f"rate and have at most their {steps} steps. Received: {name!r} "
            f"with {lengths[sample]} steps in sample {sample}. Resample it "
            "first."
        )


def clipped_ends(array: NDArray[np.generic], ends: Ints, lengths: Ints) -> Ints:
    """Ends within the given lengths, on the last non-zero step there: (N,)."""
    clipped = np.minimum(ends, lengths)
    for index in np.flatnonzero(ends > lengths):
        steps = nonzero_steps(array[index, : lengths[index]])
        clipped[index] = last_nonzero(steps)
    return clipped


def stacked(
    items: Sequence[Floats], item_shape: ItemShape, length: int | None = None
) -> Floats:
    """Items of a column in one array, zero-padded on the right.

    Args:
        items: B items of one column.
        item_shape: the column's `item_shape`.
        length: padded length of sequences; longer items are cut. Default:
            the longest item, and a step of zeros if all are empty: networks
            take no sequence without steps.

    Returns:
        float32 array of shape (B, T, ...) for sequences, (B, ...) else.
    """
    fixed = tuple(size for size in item_shape if size is not None)
    if len(fixed) == len(item_shape):
        return np.asarray(items, np.float32).reshape(len(items), *fixed)
    if length is None:
        length = max((len(item) or 1 for item in items), default=0)
    padded = np.zeros((len(items), length, *fixed), np.float32)
    for row, item in zip(padded, items, strict=True):
        kept = item[:length]
        row[: len(kept)] = kept
    return padded
