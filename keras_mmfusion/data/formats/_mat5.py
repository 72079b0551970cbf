"""MATLAB 5 files (`save -v7` and before): numeric arrays only.

A strict reader of the documented layout. Nothing is allocated for a length
that the file does not hold, and compressed data may not grow beyond what the
compression can do.
"""

import zlib
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

_MATRIX, _COMPRESSED = 14, 15
# Types of stored numbers, and classes of arrays, by their codes.
_STORED = {
    1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4",
    7: "f4", 9: "f8", 12: "i8", 13: "u8",
}  # fmt: skip
_CLASSES = {
    6: "f8", 7: "f4", 8: "i1", 9: "u1", 10: "i2", 11: "u2",
    12: "i4", 13: "u4", 14: "i8", 15: "u8",
}  # fmt: skip
_NOT_NUMBERS = {
    1: "a cell array", 2: "a struct", 3: "an object", 4: "text",
    5: "a sparse array", 16: "a function handle", 17: "an object",
}  # fmt: skip
# What deflate can make of one byte is below this.
_PACKING = 1100
_HEADER = 128


def read_mat(path: Path, name: str) -> NDArray[Any]:
    """The numeric array of a given name in a MATLAB 5 file.

    Args:
        path: the file.
        name: name of the variable.

    Returns:
        The array, in MATLAB's order of axes.

    Raises:
        ValueError: if it is missing, no real numeric array, or truncated.
    """
    data = memoryview(path.read_bytes())
    if len(data) < _HEADER:
        raise ValueError(f"{path}: truncated within its header of 128 bytes.")
    if bytes(data[126:128]) not in (b"IM", b"MI"):
        raise ValueError(
            f"{path}: expected a MATLAB 5 file (`save -v7`). Received: a file "
            "with another header. Save it again with that option."
        )
    order = "<" if bytes(data[126:128]) == b"IM" else ">"
    position, found = _HEADER, []
    while position < len(data):
        kind, body, position = _element(data, position, order, path)
        if kind == _COMPRESSED:
            body = _unpacked(body, order, path)
            kind, body, _ = _element(body, 0, order, path)
        if kind != _MATRIX:
            raise ValueError(f"{path}: damaged, an element of type {kind}.")
        other = _name(body, order, path)
        if other == name:
            return _matrix(body, order, path, name)
        found.append(other)
    raise ValueError(
        f"{path}: expected the variable {name!r}. Received: "
        f"{', '.join(found) or 'no variables'}."
    )


def _element(
    data: memoryview, position: int, order: str, path: Path
) -> tuple[int, memoryview, int]:
    """Type, content and end of the element at a position."""
    if position + 8 > len(data):
        raise ValueError(f"{path}: truncated within an element.")
    tag = np.frombuffer(data[position : position + 8], order + "u4")
    kind, size, start = int(tag[0]), int(tag[1]), position + 8
    if kind >> 16:  # Small elements keep type, size and data in 8 bytes.
        kind, size, start = kind & 0xFFFF, kind >> 16, position + 4
        end = position + 8
        if size > 4:
            raise ValueError(f"{path}: damaged, a small element of {size}.")
    else:
        # Compressed elements are not padded, all others to 8 bytes.
        end = start + size + (-size % 8 if kind != _COMPRESSED else 0)
    if start + size > len(data):
        raise ValueError(
            f"{path}: truncated. An element declares {size} bytes and "
            f"{len(data) - start} are left. Copy the file again."
        )
    return kind, data[start : start + size], end


def _unpacked(body: memoryview, order: str, path: Path) -> memoryview:
    try:
        head = zlib.decompressobj().decompress(body, 8)
        if len(head) < 8:
            raise ValueError(f"{path}: truncated within a compressed element.")
        declared = int(np.frombuffer(head, order + "u4")[1])
        if declared > _PACKING * len(body):
            raise ValueError(
                f"{path}: a compressed element of {len(body)} bytes declares "
                f"{declared}, more than compression can hold. The file is "
                "damaged, or made to fill memory."
            )
        unpacked = zlib.decompressobj().decompress(body, declared + 8)
    except zlib.error as error:
        raise ValueError(f"{path}: damaged, {error}.") from None
    return memoryview(unpacked)


def _parts(
    body: memoryview, order: str, path: Path
) -> tuple[int, tuple[int, ...], str, int]:
    """Flags, dimensions, name and start of the numbers of a matrix."""
    _, flags, position = _element(body, 0, order, path)
    _, dims, position = _element(body, position, order, path)
    _, name, position = _element(body, position, order, path)
    if len(flags) < 4 or len(dims) % 4:
        raise ValueError(f"{path}: damaged, an array without a shape.")
    shape = tuple(int(size) for size in np.frombuffer(dims, order + "i4"))
    if any(size < 0 for size in shape):
        raise ValueError(f"{path}: damaged, an array of shape {shape}.")
    flag = int(np.frombuffer(flags[:4], order + "u4")[0])
    return flag, shape, bytes(name).decode("latin-1"), position


def _name(body: memoryview, order: str, path: Path) -> str:
    return _parts(body, order, path)[2]


def _matrix(
    body: memoryview, order: str, path: Path, name: str
) -> NDArray[Any]:
    flag, shape, _, position = _parts(body, order, path)
    kind = flag & 0xFF
    if kind not in _CLASSES or flag & 0x800:
        what = _NOT_NUMBERS.get(kind, "an array of complex numbers")
        raise ValueError(
            f"{path}: {name!r} must be an array of real numbers. "
            f"Received: {what}."
        )
    stored, data, _ = _element(body, position, order, path)
    if stored not in _STORED:
        raise ValueError(f"{path}: damaged, numbers of type {stored}.")
    dtype = np.dtype(order + _STORED[stored])
    if len(data) != prod(shape) * dtype.itemsize:
        raise ValueError(
            f"{path}: {name!r} of shape {shape} takes "
            f"{prod(shape) * dtype.itemsize} bytes. Received: {len(data)}."
        )
    # MATLAB stores whole numbers in fewer bytes than their class has; they
    # are read as they are stored.
    return np.frombuffer(data, dtype).reshape(shape, order="F")


def write_mat(path: Path, name: str, array: NDArray[Any]) -> None:
    """Write one array as a compressed MATLAB 5 file.

    Args:
        path: the file.
        name: name of the variable.
        array: real numbers, at least two axes.
    """
    kind = array.dtype.str[1:]
    stored = {text: code for code, text in _STORED.items()}[kind]
    code = {text: code for code, text in _CLASSES.items()}[kind]
    body = (
        _packed(6, np.array([code, 0], "<u4").tobytes())
        + _packed(5, np.array(array.shape, "<i4").tobytes())
        + _packed(1, name.encode("latin-1"))
        + _packed(stored, array.astype("<" + kind).tobytes(order="F"))
    )
    packed = zlib.compress(_packed(_MATRIX, body))
    header = b"MATLAB 5.0 MAT-file, keras_mmfusion".ljust(124)
    header += b"\x00\x01IM"
    tag = np.array([_COMPRESSED, len(packed)], "<u4").tobytes()
    path.write_bytes(header + tag + packed)


def _packed(kind: int, data: bytes) -> bytes:
    tag = np.array([kind, len(data)], "<u4").tobytes()
    return tag + data + bytes(-len(data) % 8)
