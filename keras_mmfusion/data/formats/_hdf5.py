"""HDF5 files that may not lead out of themselves."""

from collections.abc import Iterator
from contextlib import contextmanager
from math import prod
from pathlib import Path
from types import ModuleType
from typing import Any

# Deflate cannot pack more than about 1032 : 1. A data set that declares more
# than that holds no data for most of what it declares.
_PACKING = 1100
_FILTERS = {"gzip", "lzf", "szip", "shuffle", "fletcher32", "scaleoffset"}


def h5py_module() -> ModuleType:
    """The `h5py` package."""
    try:
        import h5py
    except ImportError as error:
        raise ImportError(
            "Reading and writing .csd files needs h5py. Install it with "
            "`pip install 'keras_mmfusion[hdf5]'`."
        ) from error
    module: ModuleType = h5py
    return module


def open_hdf5(path: Path) -> Any:
    """The file, open for reading.

    Raises:
        OSError: if it is truncated or damaged.
    """
    h5py = h5py_module()
    try:
        return h5py.File(path, "r")
    except OSError as error:
        raise OSError(
            f"{path}: cannot be opened as HDF5: {error}. It is probably "
            "truncated; download it again and compare its size."
        ) from None


@contextmanager
def opened(path: Path) -> Iterator[Any]:
    """The file, open for reading; damage in it becomes an `OSError`."""
    with errors_named(path), open_hdf5(path) as file:
        yield file


@contextmanager
def errors_named(path: Path) -> Iterator[None]:
    """Errors of the HDF5 library as an `OSError` that names the file."""
    try:
        yield
    except Exception as error:
        # The library raises RuntimeError, KeyError, TypeError and more for
        # damage, none of which names the file. Ours do.
        named = isinstance(error, (ValueError, OSError))
        if isinstance(error, ImportError) or (
            named and str(path) in str(error)
        ):
            raise
        raise OSError(
            f"{path}: the HDF5 file is damaged: {error}. Download it again."
        ) from error


def has(group: Any, name: str) -> bool:
    """Whether a group has a member of this name, be it only a link."""
    # `name in group` would follow links, and so open other files.
    return bool(group.id.links.exists(name.encode("utf-8")))


def child(group: Any, name: str, path: Path) -> Any:
    """A member of a group, if it is stored in this file at this place.

    Raises:
        ValueError: if it is missing, or a link.
    """
    h5py = h5py_module()
    where = f"{group.name.rstrip('/')}/{name}"
    if not has(group, name):
        found = ", ".join(list(group)[:8]) or "nothing"
        raise ValueError(
            f"{path}: expected {where!r}. Received: a group with {found}."
        )
    encoded = name.encode("utf-8")
    if group.id.links.get_info(encoded).type != h5py.h5l.TYPE_HARD:
        target = group.id.links.get_val(encoded)
        raise ValueError(
            f"{path}: refused {where!r}, a link to {target!r}. Expected: the "
            "data itself, stored in this file. Copy what it points to into "
            "the file if it belongs to the data."
        )
    return group[name]


def subgroup(group: Any, name: str, path: Path) -> Any:
    """A member of a group that is a group."""
    found = child(group, name, path)
    if not hasattr(found, "keys"):
        raise ValueError(
            f"{path}: expected {found.name!r} to be a group. Received: a "
            "data set."
        )
    return found


def numbers(group: Any, name: str, path: Path, kinds: str = "biuf") -> Any:
    """A member of a group that is a data set of numbers, whole and its own.

    Args:
        group: an open group.
        name: the member.
        path: the file, for messages.
        kinds: kinds of dtype that are allowed.

    Raises:
        ValueError: if it lies in other files, or holds less than it declares.
    """
    found = child(group, name, path)
    if not hasattr(found, "shape") or found.shape is None:
        raise ValueError(
            f"{path}: expected {found.name!r} to be a data set. Received: a "
            f"{type(found).__name__.lower()}."
        )
    if found.external or found.is_virtual:
        raise ValueError(
            f"{path}: refused {found.name!r}, whose numbers lie in other "
            "files. Expected: data stored in this file."
        )
    if found.dtype.kind not in kinds:
        raise ValueError(
            f"{path}: {found.name!r} must hold numbers. Received: "
            f"{found.dtype}."
        )
    _check_stored(found, path)
    return found


def _check_stored(dataset: Any, path: Path) -> None:
    unknown = {name for name, _ in _filters(dataset)} - _FILTERS
    if unknown:
        raise ValueError(
            f"{path}: {dataset.name!r} is packed by a filter that needs a "
            f"plug-in, {', '.join(sorted(unknown))}. Expected: gzip, lzf or "
            "none. Write the file again without it."
        )
    declared = prod(dataset.shape) * dataset.dtype.itemsize
    stored = dataset.id.get_storage_size()
    allowed = stored * (_PACKING if dataset.compression else 1)
    if declared > allowed:
        raise ValueError(
            f"{path}: {dataset.name!r} declares {declared} bytes, shape "
            f"{dataset.shape}, and stores {stored}. The file is truncated, or "
            "made to fill memory."
        )


def _filters(dataset: Any) -> list[tuple[str, Any]]:
    properties = dataset.id.get_create_plist()
    names = {
        1: "gzip",
        2: "shuffle",
        3: "fletcher32",
        4: "szip",
        6: "scaleoffset",
        32000: "lzf",
    }
    found = []
    for index in range(properties.get_nfilters()):
        code, _, values, _ = properties.get_filter(index)
        found.append((names.get(code, f"filter {code}"), values))
    return found
