"""Checks of what a file holds, shared by the readers."""

import warnings
from collections.abc import Iterator, Sequence
from math import prod
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from keras_mmfusion.data.columns import Column
from keras_mmfusion.data.padding import Ints

Array = NDArray[Any]
Side = Literal["left", "right"]

# Files are searched for NaN and padding in blocks of this size, so that the
# search itself needs no memory to speak of.
_BLOCK_BYTES = 16 * 2**20
# Share of the padded samples that may contradict the others. Silence at the
# start of a clip that fills its row looks like padding on the left.
_CONTRADICTING = 0.1


def in_words(value: object) -> str:
    """What a value is, in a few words, for messages."""
    if isinstance(value, np.ndarray):
        return f"an array of shape {value.shape}, {value.dtype}"
    if isinstance(value, dict):
        keys = [str(key)[:30] for key in list(value)[:8]]
        more = ", ..." if len(value) > 8 else ""
        return f"a dict with the keys {', '.join(keys) or '(none)'}{more}"
    if isinstance(value, (list, tuple, set, frozenset, str, bytes)):
        return f"a {type(value).__name__} of length {len(value)}"
    return f"a {type(value).__name__}"


def require_keys(
    value: object, keys: Sequence[str], source: object, where: str
) -> dict[str, Any]:
    """The value, if it is a dict with these keys."""
    if not isinstance(value, dict):
        raise ValueError(
            f"{source}: {where} must be a dict with the keys "
            f"{', '.join(keys)}. Received: {in_words(value)}."
        )
    missing = [key for key in keys if key not in value]
    if missing:
        raise ValueError(
            f"{source}: {where} lacks {', '.join(missing)}. Expected the keys "
            f"{', '.join(keys)}. Received: {in_words(value)}."
        )
    return value


def number_array(value: object, rank: int, source: object, what: str) -> Array:
    """The value, if it is an array of real numbers with `rank` axes."""
    if not isinstance(value, np.ndarray):
        raise ValueError(
            f"{source}: {what} must be an array. Received: {in_words(value)}."
        )
    if value.dtype.kind == "O":
        raise ValueError(
            f"{source}: {what} must be an array of numbers. Received: an "
            f"array of Python objects of shape {value.shape}, as NumPy makes "
            "it from samples of unequal shape. Pad the samples and save again."
        )
    if value.dtype.kind not in "biuf" or value.ndim != rank:
        raise ValueError(
            f"{source}: {what} must be an array of numbers with {rank} axes. "
            f"Received: {in_words(value)}."
        )
    return value


def blocks(array: Array) -> Iterator[tuple[slice, Array]]:
    """Pieces of an array along its first axis, with their positions."""
    width = max(prod(array.shape[1:]) * array.dtype.itemsize, 1)
    step = max(_BLOCK_BYTES // width, 1)
    for start in range(0, len(array), step):
        rows = slice(start, start + step)
        yield rows, array[rows]


def finite(
    array: Array, source: object, what: str, minus_inf_is_zero: bool = False
) -> Array:
    """The array, if all its numbers are finite.

    Args:
        array: numbers.
        source: the file.
        what: what the array is, for messages.
        minus_inf_is_zero: whether the format's own code reads -inf as 0. It
            is then replaced, counted and warned about.

    Returns:
        The array, or a copy without -inf.
    """
    if array.dtype.kind != "f":
        return array
    bad = silent = rows_hit = 0
    for _, part in blocks(array):
        # Columns give float32, in which larger numbers would be infinite.
        with np.errstate(over="ignore"):
            wrong = ~np.isfinite(part.astype(np.float32, copy=False))
        if wrong.any():
            minus = int(np.isneginf(part).sum()) if minus_inf_is_zero else 0
            silent += minus
            bad += int(wrong.sum()) - minus
            rows_hit += int(wrong.reshape(len(part), -1).any(axis=1).sum())
    if bad:
        raise ValueError(
            f"{source}: {what} holds {bad} values that are NaN or infinite "
            f"in float32, in {rows_hit} of {len(array)} samples. Expected: "
            "finite numbers. Replace them, or drop these samples, and save "
            "the file again."
        )
    if silent:
        array = np.array(array)
        for _, part in blocks(array):
            part[np.isneginf(part)] = 0
        warnings.warn(
            f"{source}: {what} holds {silent} values of -inf in {rows_hit} "
            "samples; they are read as 0, as the format's own code does.",
            stacklevel=2,
        )
    return array


def array_of(value: object, source: object, what: str) -> Array:
    """An array, or a list of numbers or names as an array."""
    if isinstance(value, np.ndarray):
        return value
    try:
        array = np.asarray(value)
    except (ValueError, OverflowError):
        array = np.asarray(None)
    if isinstance(value, (list, tuple)) and array.ndim == 0:
        raise ValueError(
            f"{source}: {what} must be a list of as many numbers for every "
            f"sample. Received: {in_words(value)}, uneven inside."
        )
    return array


def labels_of(
    value: object, count: int, source: object, what: str
) -> NDArray[np.generic]:
    """Labels of shape (N,) or (N, K), without axes of length one."""
    array = array_of(value, source, what)
    if array.dtype.kind not in "biuf":
        raise ValueError(
            f"{source}: {what} must be numbers. Received: {in_words(value)}."
        )
    if array.ndim == 0 or len(array) != count:
        raise ValueError(
            f"{source}: {what} must have one entry for each of the {count} "
            f"samples. Received: shape {array.shape}. The file mixes parts of "
            "different data sets or is damaged."
        )
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        hit = ~np.isfinite(array.reshape(count, -1)).all(axis=1)
        raise ValueError(
            f"{source}: {what} are NaN or infinite for {hit.sum()} of {count} "
            f"samples, first for sample {hit.argmax()}. Drop these samples."
        )
    shape = [size for size in array.shape[1:] if size != 1]
    if len(shape) > 1:
        raise ValueError(
            f"{source}: {what} must be one row of numbers per sample. "
            f"Received: shape {array.shape}."
        )
    return array.reshape(count, *shape)


def text_of(value: object, source: object, what: str) -> str:
    """One text from str, bytes, a number, or an array holding one of them."""
    if isinstance(value, np.ndarray) and value.size == 1:
        value = value.reshape(-1)[0]
    if isinstance(value, bytes):
        try:
            return value.decode("utf-8")
        except UnicodeDecodeError:
            return value.decode("latin-1")
    if isinstance(value, (str, int, np.integer)):
        return str(value)
    raise ValueError(
        f"{source}: {what} must be text or a number. "
        f"Received: {in_words(value)}."
    )


def ids_of(value: object, count: int, source: object, what: str) -> list[str]:
    """Sample names from a list or an array of text, bytes or numbers.

    Rows of several parts, as (video, start, end) in MulT's files, are joined
    by `_`, empty parts left out.
    """
    if not isinstance(value, (list, tuple, np.ndarray)) or (
        isinstance(value, np.ndarray) and value.ndim not in (1, 2)
    ):
        raise ValueError(
            f"{source}: {what} must be a list of names. "
            f"Received: {in_words(value)}."
        )
    if len(value) != count:
        raise ValueError(
            f"{source}: {what} must name each of the {count} samples. "
            f"Received: {len(value)} names. The file mixes parts of different "
            "data sets or is damaged."
        )
    names = []
    for entry in value:
        parts = [entry]
        if isinstance(entry, (list, tuple, np.ndarray)):
            parts = list(np.ravel(np.asarray(entry, object)))
        texts = [text_of(part, source, what) for part in parts]
        names.append("_".join(text for text in texts if text))
    return names


def lengths_of(value: object, array: Array, source: object, what: str) -> Ints:
    """Valid steps per sample, if they fit the padded array."""
    lengths = array_of(value, source, what)
    if lengths.dtype.kind not in "biuf" or lengths.size != len(array):
        raise ValueError(
            f"{source}: {what} must be one number for each of the "
            f"{len(array)} samples. Received: {in_words(value)}."
        )
    lengths = lengths.reshape(len(array))
    steps = array.shape[1]
    if not np.all((lengths >= 0) & (lengths <= steps)):
        raise ValueError(
            f"{source}: {what} must lie between 0 and the padded length "
            f"{steps}. Received: {lengths.min()} to {lengths.max()}."
        )
    return lengths.astype(np.int64)


def padding_of(
    leading: Ints, trailing: Ints, source: object, what: str
) -> Side:
    """Side on which sequences are padded.

    Args:
        leading: all-zero steps before the first other step, per sample.
        trailing: all-zero steps after the last other step, per sample.
            Samples without any other step are left out of both.
        source: the file.
        what: what the sequences are, for messages.

    Returns:
        `"right"` also if there is no padding at all.

    Raises:
        ValueError: if some samples are padded on the left and some on the
            right. In a sample with zeros at both ends the longer run counts.
    """
    left, right = leading > trailing, trailing > leading
    counts = int(left.sum()), int(right.sum())
    zeros = int(leading[left].sum()), int(trailing[right].sum())
    # Short runs are silence at the start of a clip, or unknown words.
    if min(counts) > _CONTRADICTING * max(counts) and min(
        zeros
    ) > _CONTRADICTING * max(zeros):
        raise ValueError(
            f"{source}: {what} is zero-padded on the left in {counts[0]} "
            f"samples and on the right in {counts[1]}. Expected: one side for "
            "all. Parts of different files were joined; pad them alike and "
            "save again."
        )
    return "left" if zeros[0] > zeros[1] else "right"


def padded(column: Column, steps: int, side: Side = "right") -> Array:
    """All samples of a sequence column as one zero-padded float32 array."""
    shape = tuple(int(size or 0) for size in column.item_shape[1:])
    array = np.zeros((len(column), steps, *shape), np.float32)
    for index in range(len(column)):
        item = column[index][:steps]
        if side == "right":
            array[index, : len(item)] = item
        elif len(item):
            array[index, -len(item) :] = item
    return array


def longest(columns: Sequence[Column]) -> int:
    """Steps of the longest sample, at least 1."""
    found = [int(column.lengths().max(initial=0)) for column in columns]
    return max([1, *found])
