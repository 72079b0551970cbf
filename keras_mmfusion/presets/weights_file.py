"""Named arrays in the safetensors format, read with suspicion.

Floats are always stored as float32, whatever the precision they were trained
in, and whole numbers as int32, because the dtype of a Keras counter depends
on the backend. So every file means the same on every backend.
"""

import math
import struct
from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np
import safetensors.numpy

from keras_mmfusion.presets import json_file
from keras_mmfusion.presets.errors import PresetFileError

Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]

MAX_HEADER_BYTES = 32 * 2**20

_DTYPES: dict[str, np.dtype[Any]] = {
    "F32": np.dtype("<f4"),
    "I32": np.dtype("<i4"),
    "BOOL": np.dtype("?"),
}
_FOREIGN = {
    b"\x89HDF": "an HDF5 file (Keras .h5 weights)",
    b"PK\x03\x04": "a zip archive (.keras, .npz or PyTorch)",
    b"\x80\x02": "a Python pickle",
    b"\x80\x03": "a Python pickle",
    b"\x80\x04": "a Python pickle",
    b"\x80\x05": "a Python pickle",
}


def stored(value: Any, name: str) -> Array:
    """Returns the array as it is stored: float32, int32 or bool.

    Raises:
        ValueError: If it has NaN or infinite values, whole numbers beyond
            int32, or another dtype.
    """
    array = np.asarray(value)
    # bfloat16 is no NumPy dtype; its kind is "V", so ask for the cast.
    if array.dtype.kind in "fV":
        array = array.astype("<f4")
    if array.dtype.kind in "iu":
        if array.size and np.abs(array.astype("f8")).max() >= 2**31:
            raise ValueError(
                f"Weight '{name}' holds whole numbers beyond int32."
            )
        array = array.astype("<i4")
    if array.dtype not in _DTYPES.values():
        raise ValueError(
            f"Weight '{name}' has dtype {array.dtype}, which presets do not "
            f"store. Expected floats, whole numbers or bools."
        )
    bad = _non_finite(array)
    if bad:
        raise ValueError(
            f"Weight '{name}' has {bad} NaN or infinite value(s) of "
            f"{array.size}; such a model is not saved."
        )
    return np.asarray(array, order="C")


def encode(arrays: Mapping[str, Any]) -> bytes:
    """Returns the bytes of a safetensors file with these arrays."""
    plain = {name: stored(arrays[name], name) for name in sorted(arrays)}
    return safetensors.numpy.save(plain)


def decode(data: bytes, label: str) -> dict[str, Array]:
    """Returns the named arrays in the bytes of a safetensors file.

    Args:
        data: The whole file.
        label: The file's name for messages.

    Raises:
        PresetFileError: If the header, a dtype, a shape or an offset is
            wrong, or a value is NaN or infinite.
    """
    header, start = _header(data, label)
    arrays: dict[str, Array] = {}
    position = 0
    for name, entry in sorted(header.items(), key=_offset_of(label)):
        dtype, shape, begin, end = _entry(name, entry, label)
        if begin != position:
            raise PresetFileError(
                f"{label}: tensor '{name}' starts at byte {begin}, but the "
                f"tensor before it ends at {position}."
            )
        position = end
        if start + end > len(data):
            raise PresetFileError(
                f"{label} is truncated: tensor '{name}' ends at byte "
                f"{start + end}, the file at {len(data)}."
            )
        raw = memoryview(data)[start + begin : start + end]
        array = np.frombuffer(raw, dtype).reshape(shape)
        bad = _non_finite(array)
        if bad:
            raise PresetFileError(
                f"{label}: tensor '{name}' has {bad} NaN or infinite "
                f"value(s) of {array.size}."
            )
        arrays[name] = array
    if start + position != len(data):
        raise PresetFileError(
            f"{label} has {len(data) - start - position} byte(s) after its "
            "last tensor."
        )
    return arrays


def _header(data: bytes, label: str) -> tuple[dict[str, Any], int]:
    if not data:
        raise PresetFileError(f"{label} is empty (0 bytes).")
    for magic, what in _FOREIGN.items():
        if data.startswith(magic):
            raise PresetFileError(
                f"{label} is {what}, not safetensors. It was not opened."
            )
    if len(data) < 8:
        raise PresetFileError(
            f"{label} is truncated: {len(data)} byte(s), and a safetensors "
            "file starts with a header length of 8 bytes."
        )
    (length,) = struct.unpack("<Q", data[:8])
    if length > min(len(data) - 8, MAX_HEADER_BYTES):
        raise PresetFileError(
            f"{label} declares a header of {length} bytes, but the file has "
            f"{len(data)} bytes (and at most {MAX_HEADER_BYTES} are read)."
        )
    header = json_file.decode(data[8 : 8 + length], f"{label} (header)")
    notes = header.pop("__metadata__", {})
    if not isinstance(notes, dict):
        raise PresetFileError(
            f"{label}: '__metadata__' in the header must be an object. "
            f"Received: {type(notes).__name__}"
        )
    return header, 8 + length


def _offset_of(label: str) -> Any:
    def offset(item: tuple[str, Any]) -> tuple[int, int, str]:
        _, _, begin, end = _entry(item[0], item[1], label)
        return begin, end, item[0]

    return offset


def _entry(
    name: str, entry: Any, label: str
) -> tuple[np.dtype[Any], tuple[int, ...], int, int]:
    where = f"{label}: tensor '{name}'"
    keys = {"dtype", "shape", "data_offsets"}
    if not isinstance(entry, dict) or set(entry) != keys:
        raise PresetFileError(
            f"{where} must have exactly the header keys {sorted(keys)}. "
            f"Received: {entry!r}"
        )
    if entry["dtype"] not in list(_DTYPES):
        raise PresetFileError(
            f"{where} has dtype {entry['dtype']!r}; presets store "
            f"{_names()} (floats always as F32)."
        )
    dtype = _DTYPES[entry["dtype"]]
    shape, offsets = entry["shape"], entry["data_offsets"]
    if not _whole_numbers(shape):
        raise PresetFileError(f"{where} has the invalid shape {shape!r}.")
    if not _whole_numbers(offsets) or len(offsets) != 2:
        raise PresetFileError(f"{where} has invalid offsets {offsets!r}.")
    begin, end = offsets
    expected = math.prod(shape) * dtype.itemsize
    if end - begin != expected:
        raise PresetFileError(
            f"{where} of shape {tuple(shape)} needs {expected} bytes, but "
            f"its offsets {offsets} span {end - begin}."
        )
    return dtype, tuple(shape), begin, end


def _whole_numbers(value: Any) -> bool:
    return isinstance(value, list) and all(
        type(n) is int and 0 <= n < 2**62 for n in value
    )


def _non_finite(array: Array) -> int:
    if array.dtype.kind != "f":
        return 0
    return int(array.size - np.isfinite(array).sum())


def _names() -> str:
    return ", ".join(_DTYPES)
