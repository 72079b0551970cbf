"""Pickles of arrays and containers that every NumPy version can read.

`pickle.dump` under NumPy 2 names `numpy._core`, which NumPy before 1.26 does
not have, and most of the code that reads these files is older. Here arrays
are written under the name that all versions know.
"""

import struct
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

_RECONSTRUCT = b"cnumpy.core.multiarray\n_reconstruct\n"
_MARK, _TUPLE, _REDUCE, _BUILD = b"(", b"t", b"R", b"b"


def dump_pickle(value: Any, path: Path) -> None:
    """Write None, numbers, text, bytes, containers and arrays as a pickle.

    Args:
        value: the object. Tuples, lists and dicts may be nested; arrays hold
            numbers, text or such values.
        path: the file, protocol 4.

    Raises:
        ValueError: if it holds anything else.
    """
    with path.open("wb") as file:
        file.write(b"\x80\x04")
        _write(file, value)
        file.write(b".")


def _write(file: IO[bytes], value: Any) -> None:
    if value is None:
        file.write(b"N")
    elif isinstance(value, (bool, np.bool_)):
        file.write(b"\x88" if value else b"\x89")
    elif isinstance(value, (int, np.integer)):
        _write_integer(file, int(value))
    elif isinstance(value, (float, np.floating)):
        file.write(b"G" + struct.pack(">d", float(value)))
    elif isinstance(value, str):
        data = value.encode("utf-8", "surrogatepass")
        file.write(b"X" + struct.pack("<I", len(data)) + data)
    elif isinstance(value, bytes):
        file.write(b"\x8e" + struct.pack("<Q", len(value)) + value)
    elif isinstance(value, np.ndarray):
        _write_array(file, value)
    elif isinstance(value, (list, tuple, dict)):
        _write_container(file, value)
    else:
        raise ValueError(f"Cannot write a {type(value).__name__}.")


def _write_integer(file: IO[bytes], value: int) -> None:
    size = value.bit_length() // 8 + 1
    data = value.to_bytes(size, "little", signed=True)
    file.write(b"\x8a" + bytes([size]) + data)


def _write_container(file: IO[bytes], value: Any) -> None:
    if isinstance(value, tuple):
        file.write(_MARK)
        for item in value:
            _write(file, item)
        file.write(_TUPLE)
    elif isinstance(value, list):
        file.write(b"]" + _MARK)
        for item in value:
            _write(file, item)
        file.write(b"e")
    else:
        file.write(b"}" + _MARK)
        for key, item in value.items():
            _write(file, key)
            _write(file, item)
        file.write(b"u")


def _write_array(file: IO[bytes], array: NDArray[Any]) -> None:
    if array.dtype.kind not in "biufSUO":
        raise ValueError(f"Cannot write an array of {array.dtype}.")
    array = np.ascontiguousarray(array).reshape(array.shape)
    order = "<" if array.dtype.byteorder in "=<" else array.dtype.byteorder
    if array.dtype.itemsize == 1 or array.dtype.kind in "SO":
        order = "|"
    file.write(_RECONSTRUCT + _MARK + b"cnumpy\nndarray\n")
    _write(file, (0,))
    _write(file, b"b")
    file.write(_TUPLE + _REDUCE + _MARK)
    _write(file, 1)
    _write(file, tuple(array.shape))
    _write_dtype(file, array.dtype, order)
    _write(file, False)
    if array.dtype.kind == "O":
        _write(file, list(array.reshape(-1)))
    else:
        file.write(b"\x8e" + struct.pack("<Q", array.nbytes))
        # Written from the array itself: `tobytes` would double the memory.
        array.reshape(-1).view(np.uint8).tofile(file)
    file.write(_TUPLE + _BUILD)


def _write_dtype(file: IO[bytes], dtype: np.dtype[Any], order: str) -> None:
    file.write(b"cnumpy\ndtype\n" + _MARK)
    _write(file, "O8" if dtype.kind == "O" else dtype.str[1:])
    _write(file, False)
    _write(file, True)
    file.write(_TUPLE + _REDUCE)
    size, alignment, flags = -1, -1, 0
    if dtype.kind in "SU":
        size, alignment = dtype.itemsize, dtype.alignment
    if dtype.kind == "O":
        flags = 63  # The items are objects and are pickled as a list.
    _write(file, (3, order, None, None, None, size, alignment, flags))
    file.write(_BUILD)
