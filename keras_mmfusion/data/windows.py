"""Windows of long sequences with a label at every step, and back again.

data = mmf.data.load("aff-wild2", window=300, hop=200)
p = model.predict(data.valid.batches(12))        # (windows, 300, 2)
frames = average_overlaps(p, data.valid.ids)     # video: (frames, 2)
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from keras_mmfusion.data.columns import Column
from keras_mmfusion.data.padding import (
    NOT_ANNOTATED,
    Floats,
    Ints,
    ItemShape,
    label_steps,
)
from keras_mmfusion.data.split import Split

_ID = re.compile(r"(.+)/(\d{5,})-(\d{5,})")


class Window(NamedTuple):
    """Steps `start` to `stop` (exclusive, from 0) of a sequence."""

    sequence: str
    start: int
    stop: int

    @property
    def id(self) -> str:
        """The window's sample id; counts steps from 1, both ends in it."""
        return f"{self.sequence}/{self.start + 1:05d}-{self.stop:05d}"

    @classmethod
    def from_id(cls, text: str) -> "Window":
        """The window of a sample id; a `ValueError` for any other id."""
        found = _ID.fullmatch(text)
        start, stop = map(int, found.groups()[1:]) if found else (0, 0)
        if not found or not 0 < start <= stop:
            raise ValueError(
                "Expected ids of windows, <sequence>/<first>-<last> as in "
                f"'1-30/00001-00300'. Received: {text!r}"
            )
        return cls(found[1], start - 1, stop)


class Windowed:
    """A column whose items are windows of another column's sequences.

    An item is read from that column when it is asked for: nothing is kept
    twice. All-zero steps at the end of a window count as steps.

    Args:
        column: sequences. If it has a method `part(index, start, stop)`, only
            that part of a sequence is read.
        sequence: position in `column` of every window's sequence, (N,).
        start: first step of every window.
        stop: one past the last.
    """

    def __init__(
        self, column: Column, sequence: Ints, start: Ints, stop: Ints
    ) -> None:
        self._column = column
        self._sequence = sequence
        self._start = start
        self._stop = stop

    @property
    def is_sequence(self) -> bool:
        return True

    @property
    def item_shape(self) -> ItemShape:
        return self._column.item_shape

    def __len__(self) -> int:
        return len(self._sequence)

    def __getitem__(self, index: int, /) -> Floats:
        sequence, start, stop = (
            int(values[index])
            for values in (self._sequence, self._start, self._stop)
        )
        part = getattr(self._column, "part", None)
        if part is None:
            return self._column[sequence][start:stop]
        found: Floats = part(sequence, start, stop)
        return found

    def lengths(self) -> Ints:
        steps = self._column.lengths()[self._sequence]
        return np.clip(steps - self._start, 0, self._stop - self._start)


def split_windows(
    split: Split, window: int = 300, hop: int | None = None
) -> Split:
    """Split of the windows of sequences that have a label at every step.

    Windows begin every `hop` steps; the last one ends with the sequence. A
    sequence no longer than `window` is one window.

    Args:
        split: the sequences, with labels (N, T, K).
        window: steps of a window.
        hop: steps from one window to the next, at most `window`. Default: two
            thirds of it.

    Returns:
        A split with labels (M, `window`, K), -5 beyond the end of a sequence,
        and ids `<sequence>/<first step>-<last step>`. Groups are those of the
        sequences. Features are read from `split`, not copied. A sequence
        without steps has no window.

    Raises:
        ValueError: if there is one label per sample, a modality has no steps,
            or a number is out of range.

    Example:

    ```python
    import numpy as np
    from keras_mmfusion.data import Split, average_overlaps, split_windows

    videos = Split(
        {"audio": np.ones((2, 700, 8))}, np.zeros((2, 700, 2)), ["a", "b"]
    )
    windows = split_windows(videos, window=300, hop=200)
    assert windows.ids[:2] == ["a/00001-00300", "a/00201-00500"]
    back = average_overlaps(windows.labels, windows.ids)
    assert back["b"].shape == (700, 2)
    ```
    """
    if hop is None and type(window) is int:
        hop = max(window * 2 // 3, 1)
    for name, value in (("window", window), ("hop", hop)):
        if type(value) is not int or value < 1:
            raise ValueError(
                f"`{name}` must be a positive whole number. "
                f"Received: {name}={value!r}"
            )
    if hop is None or hop > window:
        raise ValueError(
            "`hop` must be at most `window`, or steps between windows would "
            f"be left out. Received: window={window}, hop={hop}"
        )
    vectors = [k for k, c in split.features.items() if not c.is_sequence]
    if not split.per_step or vectors:
        raise ValueError(
            "Windows are cut from sequences with a label at every step, "
            f"(N, T, K). Received: labels of shape {split.labels.shape}, "
            f"modalities without steps: {vectors}"
        )
    spans = _spans(split, window, hop)
    sequence, start, stop = (
        np.array([span[i] for span in spans], np.int64) for i in range(3)
    )
    shape = (len(spans), window, split.labels.shape[2])
    labels = np.full(shape, NOT_ANNOTATED, split.labels.dtype)
    for row, (index, first, last) in zip(labels, spans, strict=True):
        found = split.labels[index, first:last]
        row[: len(found)] = found
    result = Split(
        {
            name: Windowed(column, sequence, start, stop)
            for name, column in split.features.items()
        },
        labels,
        ids=[Window(split.ids[i], a, b).id for i, a, b in spans],
        groups={k: values[sequence] for k, values in split.groups.items()},
    )
    result.has_ids = split.has_ids
    return result


def _spans(split: Split, window: int, hop: int) -> list[tuple[int, int, int]]:
    """Sequence, start and stop of every window."""
    steps = label_steps(split.labels)
    for lengths in split.lengths().values():
        steps = np.maximum(steps, lengths)
    spans = []
    for index, total in enumerate(steps.tolist()):
        last = max(total - window, 0)
        starts = [*range(0, last, hop), last] if total else []
        spans += [(index, a, min(a + window, total)) for a in starts]
    return spans


def average_overlaps(
    values: ArrayLike, ids: Sequence[str]
) -> dict[str, NDArray[np.floating]]:
    """One value per step of every sequence: the mean over its windows.

    Args:
        values: numbers at every step of every window, (N, T, ...), such as
            predictions or labels, in the order of `ids`.
        ids: ids of the windows, `split.ids`.

    Returns:
        Sequence to array (steps, ...), in the order of the first windows.
        Values that agree where windows overlap come back exactly.

    Raises:
        ValueError: if windows are missing, ids are none of windows, or
            `values` has fewer steps than a window.

    Example:

    ```python
    import numpy as np
    from keras_mmfusion.data import Split, average_overlaps, split_windows

    video = Split({"face": np.ones((1, 5, 2))}, np.zeros((1, 5, 1)), ids=["a"])
    parts = split_windows(video, window=3, hop=2)
    steps = average_overlaps(np.ones((len(parts), 3)), parts.ids)
    print(steps["a"])  # [1. 1. 1. 1. 1.]
    ```
    """
    array = np.asarray(values)
    if array.ndim < 2 or len(array) != len(ids) or array.dtype.kind != "f":
        raise ValueError(
            "`values` must be real numbers at every step of the "
            f"{len(ids)} windows, ({len(ids)}, T, ...). "
            f"Received: {array.dtype} of shape {array.shape}"
        )
    windows = [Window.from_id(text) for text in ids]
    rows: dict[str, list[int]] = {}
    for row, window in enumerate(windows):
        rows.setdefault(window.sequence, []).append(row)
        if window.stop - window.start > array.shape[1]:
            raise ValueError(
                f"`values` must have all steps of window {window.id}. "
                f"Received: {array.shape[1]} steps"
            )
    return {
        name: _joined(array, chosen, windows) for name, chosen in rows.items()
    }


def _joined(
    array: NDArray[np.floating], rows: list[int], windows: list[Window]
) -> NDArray[np.floating]:
    steps = max(windows[row].stop for row in rows)
    first = np.zeros((steps, *array.shape[2:]))
    rest, count = np.zeros_like(first), np.zeros(steps, np.int64)
    for row in rows:
        _, start, stop = windows[row]
        found = array[row, : stop - start].astype(np.float64)
        new = count[start:stop] == 0
        first[start:stop][new] = found[new]
        # Differences to the first value: a mean of equal values is exact.
        rest[start:stop] += found - first[start:stop]
        count[start:stop] += 1
    if not count.all():
        raise ValueError(
            f"No window covers step {int(np.argmin(count > 0)) + 1} of "
            f"{windows[rows[0]].sequence!r}. Give all windows of a split, not "
            "a part of them."
        )
    below = count.reshape(-1, *[1] * (first.ndim - 1))
    return (first + rest / below).astype(array.dtype)
