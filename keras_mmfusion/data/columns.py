"""Columns: one modality of many samples, whatever way it is stored."""

from collections.abc import Sequence
from typing import Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from keras_mmfusion.data.padding import (
    Floats,
    Ints,
    ItemShape,
    clipped_ends,
    nonzero_spans,
    nonzero_steps,
    ragged_lengths,
)


@runtime_checkable
class Column(Protocol):
    """One modality of `len(column)` samples.

    A sequence item has shape (T_i, ...) and holds only the valid steps: the
    steps up to the last one that is not all zeros. A vector item has one
    fixed shape. An item of length 0 (a sequence without steps, an all-zero
    vector) is a missing modality.
    """

    @property
    def is_sequence(self) -> bool:
        """Whether items have a time axis of varying length."""

    @property
    def item_shape(self) -> ItemShape:
        """Shape of one item: `(None, 40)` for sequences, `(4,)` for vectors."""

    def __len__(self) -> int:
        """Number of samples."""

    def __getitem__(self, index: int, /) -> Floats:
        """Valid steps of one sample, float32."""

    def lengths(self) -> Ints:
        """Valid steps of every sample; 1 for vectors; 0 when missing."""


class Ragged:
    """Sequences stored one behind the other.

    Sample `i` is `values[offsets[i]:offsets[i + 1]]`; all-zero steps at its
    end count as padding.

    Args:
        values: array of shape (total steps, ...). May be memory-mapped; it is
            converted to float32 sample by sample.
        offsets: integers of shape (N + 1,), from 0 to `len(values)`.

    Raises:
        ValueError: if the offsets do not cut `values` into N pieces.

    Example:

    ```python
    import numpy as np
    from keras_mmfusion.data import Ragged

    column = Ragged(np.ones((5, 40)), offsets=[0, 2, 5])
    assert column[1].shape == (3, 40)
    assert column.lengths().tolist() == [2, 3]
    ```
    """

    def __init__(self, values: ArrayLike, offsets: ArrayLike) -> None:
        self._values = _numeric(values, "values", least_rank=2)
        self._offsets = _integers(offsets, "offsets")
        _check_offsets(self._offsets, len(self._values))
        self._lengths: Ints | None = None

    @property
    def is_sequence(self) -> bool:
        return True

    @property
    def item_shape(self) -> ItemShape:
        return (None, *self._values.shape[1:])

    def __len__(self) -> int:
        return len(self._offsets) - 1

    def __getitem__(self, index: int, /) -> Floats:
        index = _checked_index(index, len(self))
        start = self._offsets[index]
        steps = self.lengths()[index]
        return np.asarray(self._values[start : start + steps], np.float32)

    def lengths(self) -> Ints:
        if self._lengths is None:
            self._lengths = ragged_lengths(self._values, self._offsets)
        return self._lengths


class Padded:
    """Sequences stored in one zero-padded array.

    Args:
        array: array of shape (N, T, ...). May be memory-mapped; it is
            converted to float32 sample by sample.
        lengths: valid steps per sample, shape (N,). Without them, a sample
            ends with its last non-zero step. Steps past the given length are
            dropped; all-zero steps at the end always count as padding.
        padding: the side on which `array` is padded. Left-padded samples are
            moved to the start; `"auto"` takes the side from the data (see
            `padding_side`).

    Raises:
        ValueError: if the lengths do not fit the array.

    Example:

    ```python
    import numpy as np
    from keras_mmfusion.data import Padded

    array = np.zeros((1, 4, 2))
    array[0, 3] = 1.0  # one step, padded on the left
    column = Padded(array, padding="auto")
    assert column[0].tolist() == [[1.0, 1.0]]
    ```
    """

    def __init__(
        self,
        array: ArrayLike,
        lengths: ArrayLike | None = None,
        padding: Literal["right", "left", "auto"] = "right",
    ) -> None:
        self._array = _numeric(array, "array", least_rank=3)
        if padding not in ("right", "left", "auto"):
            raise ValueError(
                "`padding` must be 'right', 'left' or 'auto'. "
                f"Received: padding={padding!r}"
            )
        self._given: Ints | None = None
        if lengths is not None:
            self._given = _integers(lengths, "lengths")
            _check_lengths(self._given, self._array.shape)
        self._padding: str = padding
        self._span: tuple[Ints, Ints] | None = None

    @property
    def is_sequence(self) -> bool:
        return True

    @property
    def item_shape(self) -> ItemShape:
        return (None, *self._array.shape[2:])

    def __len__(self) -> int:
        return len(self._array)

    def __getitem__(self, index: int, /) -> Floats:
        index = _checked_index(index, len(self))
        starts, ends = self._spans()
        return np.asarray(
            self._array[index, starts[index] : ends[index]], np.float32
        )

    def lengths(self) -> Ints:
        starts, ends = self._spans()
        return ends - starts

    def _spans(self) -> tuple[Ints, Ints]:
        """First step and end of every sample in the stored array."""
        if self._span is None:
            self._span = self._find_spans()
        return self._span

    def _find_spans(self) -> tuple[Ints, Ints]:
        total = self._array.shape[1]
        first, last = nonzero_spans(self._array)
        side = self._padding
        if side == "auto":
            side = _side(first, last, total)
        if side == "left":
            starts = first
            if self._given is not None:
                starts = total - self._given
            # An empty sample starts where it ends.
            return np.minimum(starts, last), last
        ends = last
        if self._given is not None:
            ends = clipped_ends(self._array, ends, self._given)
        return np.zeros_like(ends), ends


class Vectors:
    """One array of a fixed shape per sample.

    Args:
        array: array of shape (N, ...), for example (N, D). May be
            memory-mapped; it is converted to float32 sample by sample.

    Example:

    ```python
    import numpy as np
    from keras_mmfusion.data import Vectors

    column = Vectors([[1.0, 2.0], [0.0, 0.0]])
    assert column.item_shape == (2,)
    assert column.lengths().tolist() == [1, 0]  # the second is missing
    ```
    """

    def __init__(self, array: ArrayLike) -> None:
        self._array = _numeric(array, "array", least_rank=2)
        self._lengths: Ints | None = None

    @property
    def is_sequence(self) -> bool:
        return False

    @property
    def item_shape(self) -> ItemShape:
        return self._array.shape[1:]

    def __len__(self) -> int:
        return len(self._array)

    def __getitem__(self, index: int, /) -> Floats:
        index = _checked_index(index, len(self))
        return np.asarray(self._array[index], np.float32)

    def lengths(self) -> Ints:
        if self._lengths is None:
            self._lengths = nonzero_steps(self._array).astype(np.int64)
        return self._lengths


class Selected:
    """A view of some samples of another column, in a given order.

    Args:
        column: the column to look into.
        indices: positions in `column`, shape (N,).
    """

    def __init__(self, column: Column, indices: Sequence[int] | Ints) -> None:
        self._column = column
        self._indices = _integers(indices, "indices")
        bad = (self._indices < 0) | (self._indices >= len(column))
        if bad.any():
            raise ValueError(
                f"`indices` must lie in 0..{len(column) - 1}. "
                f"Received: {self._indices[bad][0]}"
            )

    @property
    def is_sequence(self) -> bool:
        return self._column.is_sequence

    @property
    def item_shape(self) -> ItemShape:
        return self._column.item_shape

    def __len__(self) -> int:
        return len(self._indices)

    def __getitem__(self, index: int, /) -> Floats:
        index = _checked_index(index, len(self))
        return self._column[int(self._indices[index])]

    def lengths(self) -> Ints:
        return self._column.lengths()[self._indices]


def as_column(values: Column | ArrayLike) -> Column:
    """Column of an array: (N, T, D) becomes `Padded`, (N, D) `Vectors`.

    Args:
        values: a column, which is returned as it is, or an array. Arrays of
            rank 3 and above are zero-padded sequences; wrap an array of
            images in `Vectors` instead.

    Returns:
        The column.
    """
    if isinstance(values, Column) and not isinstance(values, np.ndarray):
        return values
    array = np.asarray(values)
    return Padded(array) if array.ndim >= 3 else Vectors(array)


def padding_side(array: ArrayLike) -> Literal["left", "right"]:
    """Side on which a padded array is padded, by counting all-zero steps.

    Args:
        array: array of shape (N, T, ...).

    Returns:
        `"left"` if more samples begin with all-zero steps than end with
        them, else `"right"` (so also for an array without padding).

    Example:

    ```python
    import numpy as np
    from keras_mmfusion.data import padding_side

    array = np.zeros((1, 4, 2))
    array[0, 3] = 1.0
    print(padding_side(array))  # left
    ```
    """
    values = _numeric(array, "array", least_rank=3)
    first, last = nonzero_spans(values)
    return _side(first, last, values.shape[1])


def _side(first: Ints, last: Ints, total: int) -> Literal["left", "right"]:
    seen = last > 0
    leading = np.count_nonzero(seen & (first > 0))
    trailing = np.count_nonzero(seen & (last < total))
    return "left" if leading > trailing else "right"


def _numeric(
    values: ArrayLike, name: str, least_rank: int
) -> NDArray[np.generic]:
    array = np.asanyarray(values)
    if array.dtype.kind not in "fiub":
        raise ValueError(
            f"`{name}` must hold real numbers. Received: dtype {array.dtype}. "
            "Pad or concatenate ragged lists first (see Ragged)."
        )
    if array.ndim < least_rank:
        raise ValueError(
            f"`{name}` must have at least {least_rank} axes. "
            f"Received: shape {array.shape}"
        )
    return array


def _integers(values: ArrayLike, name: str) -> Ints:
    array = np.asarray(values)
    if array.size == 0:
        array = array.astype(np.int64)
    if array.ndim != 1 or array.dtype.kind not in "iu":
        raise ValueError(
            f"`{name}` must be a list of integers. "
            f"Received: shape {array.shape}, dtype {array.dtype}"
        )
    return array.astype(np.int64)


def _check_offsets(offsets: Ints, total: int) -> None:
    if (
        len(offsets) == 0
        or offsets[0] != 0
        or offsets[-1] != total
        or np.any(np.diff(offsets) < 0)
    ):
        raise ValueError(
            "`offsets` must rise from 0 to the number of steps, "
            f"{total}, with one entry more than there are samples. "
            f"Received: {len(offsets)} offsets, first "
            f"{offsets[:1].tolist()}, last {offsets[-1:].tolist()}"
        )


def _check_lengths(lengths: Ints, shape: tuple[int, ...]) -> None:
    if len(lengths) != shape[0]:
        raise ValueError(
            f"`lengths` must have one entry for each of the {shape[0]} "
            f"samples. Received: {len(lengths)} lengths"
        )
    bad = np.flatnonzero((lengths < 0) | (lengths > shape[1]))
    if len(bad):
        raise ValueError(
            f"`lengths` must lie between 0 and the padded length {shape[1]}. "
            f"Received: {lengths[bad[0]]} for sample {bad[0]}"
        )


def _checked_index(index: int, count: int) -> int:
    index = int(index)
    if not -count <= index < count:
        raise IndexError(f"Sample {index} of a column with {count} samples.")
    return index % count
