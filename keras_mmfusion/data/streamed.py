"""Columns that read a sample when it is asked for, from files of any size."""

import ast
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from keras_mmfusion.data._numpy_pickle import PickleError, plain_type
from keras_mmfusion.data.padding import Floats, Ints, ItemShape

_MAGIC = b"\x93NUMPY"
# NumPy itself writes headers of 128 bytes; 10,000 is what it accepts.
_LONGEST_HEADER = 10_000


class Streamed:
    """A column whose samples are read from disk when they are asked for.

    Nothing is kept, so the memory needed is that of the samples in use.

    Args:
        read: sample index to array. Must be picklable, so that worker
            processes can use the column. Integers are converted to float32.
        count: number of samples.
        item_shape: shape of one item, `(None, 40)` for sequences of 40
            numbers, `(4,)` for vectors.
        lengths: valid steps per sample, shape (N,), where they are known
            without reading. Without them, all-zero steps at the end of a
            sample count as padding, and `lengths()` reads all samples once.
        source: sample index to the file it is in, for messages.

    Example:

    ```python
    import numpy as np
    from keras_mmfusion.data.streamed import Streamed

    column = Streamed(
        lambda index: np.ones((index + 1, 3)), count=2, item_shape=(None, 3)
    )
    assert column[1].shape == (2, 3)
    assert column.lengths().tolist() == [1, 2]
    ```
    """

    def __init__(
        self,
        read: Callable[[int], NDArray[Any]],
        count: int,
        item_shape: ItemShape,
        lengths: Ints | None = None,
        source: Callable[[int], object] | None = None,
    ) -> None:
        self._read = read
        self._count = count
        self._item_shape = item_shape
        self._trusted = lengths is not None
        self._lengths = lengths
        self._source = source
        if lengths is not None and len(lengths) != count:
            raise ValueError(
                f"`lengths` must have one entry for each of the {count} "
                f"samples. Received: {len(lengths)} lengths"
            )

    @property
    def is_sequence(self) -> bool:
        return bool(self._item_shape) and self._item_shape[0] is None

    @property
    def item_shape(self) -> ItemShape:
        return self._item_shape

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: int, /) -> Floats:
        index = int(index)
        if not -self._count <= index < self._count:
            raise IndexError(
                f"Sample {index} of a column with {self._count} samples."
            )
        item = self._checked(np.asarray(self._read(index % self._count)), index)
        if not self.is_sequence or self._trusted:
            return item
        steps = item.any(axis=tuple(range(1, item.ndim)))
        valid = np.flatnonzero(steps)
        return item[: int(valid[-1]) + 1 if len(valid) else 0]

    def lengths(self) -> Ints:
        if self._lengths is None:
            found = np.zeros(self._count, np.int64)
            for index in range(self._count):
                item = self[index]
                found[index] = (
                    len(item) if self.is_sequence else int(item.any())
                )
            self._lengths = found
        return self._lengths

    def _checked(self, item: NDArray[Any], index: int) -> Floats:
        where = f"{self._source(index)}: " if self._source else ""
        start = 1 if self.is_sequence else 0
        if item.shape[start:] != self._item_shape[start:] or (
            item.ndim != len(self._item_shape)
        ):
            raise ValueError(
                f"{where}expected sample {index} to have the shape "
                f"{self._item_shape}. Received: {item.shape}."
            )
        with np.errstate(over="ignore"):
            values = item.astype(np.float32, copy=False)
        if item.dtype.kind == "f" and not np.isfinite(values).all():
            raise ValueError(
                f"{where}sample {index} holds NaN or infinity. Expected: "
                "finite numbers in float32."
            )
        return values


@dataclass(frozen=True)
class NpyFile:
    """A `.npy` file that is read row by row.

    Rows are read from the file, not memory-mapped: memory limits then count
    only the rows in use, and a file that shrinks is an error, not a crash.

    Attributes:
        path: the file.
        dtype: type of the numbers.
        shape: shape of the array.
        offset: byte at which the array begins.
    """

    path: Path
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    offset: int

    @classmethod
    def open(cls, path: str | Path) -> "NpyFile":
        """Read the header of a file and check that the array is whole.

        Raises:
            ValueError: if it is not an array of numbers in C order, or
                truncated.
            OSError: if the file cannot be read.
        """
        path = Path(path)
        with path.open("rb") as file:
            dtype, fortran, shape, offset = read_npy_header(file, str(path))
        if dtype.kind not in "biuf":
            raise ValueError(
                f"{path}: expected an array of real numbers. Received: dtype "
                f"{dtype}. Arrays of Python objects are pickles; convert the "
                "file with NumPy where you trust it."
            )
        if fortran and len(shape) > 1:
            raise ValueError(
                f"{path}: the array is stored in Fortran order, so samples "
                "cannot be read one by one. Save it again with "
                "`numpy.save(path, numpy.ascontiguousarray(array))`."
            )
        expected = offset + prod(shape) * dtype.itemsize
        found = path.stat().st_size
        if found != expected:
            state = "truncated" if found < expected else "longer than declared"
            raise ValueError(
                f"{path}: {state}. The header declares {dtype} of shape "
                f"{shape}, {expected} bytes; the file has {found}. Copy or "
                "download it again."
            )
        return cls(path, dtype, shape, offset)

    def rows(self, start: int, stop: int) -> NDArray[Any]:
        """Rows `start` to `stop` (exclusive) of the array."""
        width = prod(self.shape[1:])
        values = np.fromfile(
            self.path,
            self.dtype,
            count=(stop - start) * width,
            offset=self.offset + start * width * self.dtype.itemsize,
        )
        if len(values) != (stop - start) * width:
            raise OSError(f"{self.path}: the file became shorter while in use.")
        return values.reshape(stop - start, *self.shape[1:])

    def array(self) -> NDArray[Any]:
        """The whole array."""
        values = np.fromfile(
            self.path, self.dtype, count=prod(self.shape), offset=self.offset
        )
        return values.reshape(self.shape)


@dataclass(frozen=True)
class PaddedRows:
    """Reader of padded sequences in a `.npy` file of shape (N, T, ...).

    Attributes:
        file: the file.
        starts: first valid step of every sample.
        ends: one past the last valid step of every sample.
    """

    file: NpyFile
    starts: Ints
    ends: Ints

    def source(self, index: int) -> Path:
        return self.file.path

    def __call__(self, index: int) -> NDArray[Any]:
        row = self.file.rows(index, index + 1)[0]
        return row[self.starts[index] : self.ends[index]]


@dataclass(frozen=True)
class Items:
    """Reader of samples that are already in memory, as separate arrays."""

    arrays: Sequence[NDArray[Any]]

    def __call__(self, index: int) -> NDArray[Any]:
        return self.arrays[index]


def read_npy_header(
    file: IO[bytes], name: str
) -> tuple[np.dtype[Any], bool, tuple[int, ...], int]:
    """Header of a `.npy` stream, without running or allocating anything.

    Args:
        file: open for reading, at its start.
        name: what to call it in messages.

    Returns:
        dtype, whether it is in Fortran order, shape, and where data begins.
    """
    start = file.read(12)
    if len(start) < 12 or start[:6] != _MAGIC or start[6] not in (1, 2, 3):
        raise ValueError(
            f"{name}: expected a NumPy array file (.npy). Received: a file "
            f"that begins with {start[:8]!r}."
        )
    size, lead = int.from_bytes(start[8:10], "little"), 10
    if start[6] > 1:
        size, lead = int.from_bytes(start[8:12], "little"), 12
    if size > _LONGEST_HEADER:
        raise ValueError(
            f"{name}: the header declares {size} bytes of itself; NumPy "
            f"writes no more than {_LONGEST_HEADER}. The file is damaged."
        )
    file.seek(lead)
    text = file.read(size).decode("latin-1")
    if len(text) != size:
        raise ValueError(f"{name}: truncated within its header.")
    try:
        dtype, fortran, shape = _parsed_header(text)
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
        raise ValueError(
            f"{name}: the header is not one that NumPy writes. "
            f"Received: {text[:80].strip()!r}"
        ) from None
    except PickleError as error:
        raise ValueError(
            f"{name}: expected an array of numbers. Received: {error}"
        ) from None
    return dtype, fortran, shape, lead + size


def _parsed_header(text: str) -> tuple[np.dtype[Any], bool, tuple[int, ...]]:
    # Python 2 wrote sizes as 3L.
    fields = ast.literal_eval(re.sub(r"(\d)L\b", r"\1", text.strip()))
    if set(fields) != {"descr", "fortran_order", "shape"}:
        raise ValueError
    shape, fortran = fields["shape"], fields["fortran_order"]
    if not (
        isinstance(fortran, bool)
        and isinstance(shape, tuple)
        and len(shape) <= 32
        and all(type(size) is int and 0 <= size < 2**62 for size in shape)
    ):
        raise ValueError
    return plain_type(fields["descr"]), fortran, shape
