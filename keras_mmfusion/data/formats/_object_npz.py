"""`.npz` files of Python objects, as MERBench keeps its labels in them."""

import io
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from keras_mmfusion.data.formats._pickle_writer import dump_pickle
from keras_mmfusion.data.restricted_unpickler import read_pickle
from keras_mmfusion.data.streamed import read_npy_header

# MERBench's largest label file unpacks to some megabytes, tenfold.
_LARGEST = 256 * 2**20
_PACKING = 100
_DAMAGED = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    OSError,
    RuntimeError,  # Includes what zipfile raises for encrypted members.
)


def read_object(path: Path) -> dict[str, Any]:
    """Members of an `.npz` that hold one Python object each.

    The pickles inside go through the restricted reader.

    Raises:
        ValueError: if a member is no such object, is packed implausibly
            tightly, or names anything but arrays and containers.
    """
    members: dict[str, Any] = {}
    try:
        with zipfile.ZipFile(path) as archive:
            _check_sizes(archive, path)
            for info in archive.infolist():
                name = info.filename.removesuffix(".npy")
                with archive.open(info) as file:
                    data = file.read()
                members[name] = _object(data, f"{path}: {name}")
    except _DAMAGED as error:
        raise ValueError(
            f"{path}: the .npz archive is truncated or damaged: {error}. "
            "Download it again."
        ) from None
    return members


def _check_sizes(archive: zipfile.ZipFile, path: Path) -> None:
    declared = sum(info.file_size for info in archive.infolist())
    names = archive.namelist()
    if len(set(names)) != len(names):
        raise ValueError(f"{path}: refused, it holds members of one name.")
    if declared > _LARGEST or declared > _PACKING * path.stat().st_size:
        raise ValueError(
            f"{path}: refused, {path.stat().st_size} bytes that unpack to "
            f"{declared}. Expected: a file of labels, at most {_LARGEST} bytes "
            f"and {_PACKING} times its size."
        )


def _object(data: bytes, name: str) -> Any:
    # NumPy stores an object as an array without axes, pickled.
    stream = io.BytesIO(data)
    dtype, _, shape, start = read_npy_header(stream, name)
    if dtype.kind != "O" or shape != ():
        raise ValueError(
            f"{name} must be one Python object. Received: an array of shape "
            f"{shape}, {dtype}."
        )
    stream.seek(start)
    value = read_pickle(stream, len(data) - start, name)
    if not isinstance(value, np.ndarray) or value.shape != ():
        raise ValueError(f"{name} must be one Python object.")
    return value.item()


def write_object(path: Path, members: dict[str, Any]) -> None:
    """Write objects as `numpy.savez_compressed` does, one per member.

    Args:
        path: the file.
        members: name to a dict of plain values.
    """
    header = "{'descr': '|O', 'fortran_order': False, 'shape': (), }"
    header = header.ljust(117) + "\n"
    lead = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little")
    scratch = path.with_suffix(".object")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, value in members.items():
            wrapped = np.empty((), object)
            wrapped[()] = value
            dump_pickle(wrapped, scratch)
            archive.writestr(
                f"{name}.npy", lead + header.encode() + scratch.read_bytes()
            )
    scratch.unlink()
