"""`metadata.json`: what a preset is, and what its files must contain."""

import re
from collections.abc import Mapping
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any

import keras

from keras_mmfusion.presets import storage, weights_file
from keras_mmfusion.presets.building import WeightSpec
from keras_mmfusion.presets.errors import PresetFileError

FORMAT_VERSION = 1

# Written by the library; what a caller passes under these keys is dropped.
OWN_KEYS = (
    "format_version",
    "library_version",
    "keras_version",
    "class_name",
    "trained",
    "files",
    "variables",
    "golden",
)
_HASH = re.compile(r"[0-9a-f]{64}")


def describe(
    class_name: str,
    files: Mapping[str, bytes],
    arrays: Mapping[str, weights_file.Array],
    golden: Mapping[str, Any] | None,
    trained: bool,
    extra: Mapping[str, Any],
) -> dict[str, Any]:
    """Returns the metadata of a preset with these files and stored arrays."""
    import keras_mmfusion

    variables = []
    for name, array in arrays.items():
        entry = {
            "name": name,
            "shape": list(array.shape),
            "dtype": array.dtype.name,
        }
        if trained:
            entry["sha256"] = tensor_hash(array)
        variables.append(entry)
    own = {
        "format_version": FORMAT_VERSION,
        "library_version": keras_mmfusion.__version__,
        "keras_version": keras.__version__,
        "class_name": class_name,
        "trained": trained,
        "files": {
            name: {"sha256": storage.sha256(data), "size": len(data)}
            for name, data in files.items()
        },
    }
    kept = {key: extra[key] for key in extra if key not in OWN_KEYS}
    rest: dict[str, Any] = {"golden": golden} if golden else {}
    return {**own, **kept, **rest, "variables": variables}


def tensor_hash(array: weights_file.Array) -> str:
    """Returns the sha256 of an array's little-endian bytes."""
    return storage.sha256(array.tobytes())


def check(data: dict[str, Any], label: str) -> None:
    """Raises `PresetFileError` unless the metadata has the form we read."""
    version = data.get("format_version")
    if type(version) is not int or version < 1:
        raise PresetFileError(
            f"{label}: 'format_version' must be a positive whole number. "
            f"Received: {version!r}"
        )
    if version > FORMAT_VERSION:
        raise PresetFileError(
            f"{label} has format version {version}, newer than the "
            f"{FORMAT_VERSION} that this version of keras_mmfusion reads. "
            "Upgrade keras_mmfusion."
        )
    for key, kind in (
        ("class_name", str),
        ("trained", bool),
        ("files", dict),
        ("variables", list),
    ):
        if not isinstance(data.get(key), kind):
            raise PresetFileError(
                f"{label}: '{key}' must be of type {kind.__name__}. "
                f"Received: {data.get(key)!r}"
            )
    _check_files(data["files"], data["trained"], label)
    manifest(data, label)
    if data["trained"] and not isinstance(data.get("golden"), dict):
        raise PresetFileError(
            f"{label}: a trained preset needs the entry 'golden'."
        )


def manifest(data: Mapping[str, Any], label: str) -> dict[str, WeightSpec]:
    """Returns shape and dtype of every weight that the metadata lists."""
    specs: dict[str, WeightSpec] = {}
    for entry in data["variables"]:
        if not _is_variable(entry, data["trained"]):
            raise PresetFileError(
                f"{label}: malformed entry in 'variables': {entry!r}"
            )
        if entry["name"] in specs:
            raise PresetFileError(
                f"{label}: 'variables' lists '{entry['name']}' twice."
            )
        specs[entry["name"]] = WeightSpec(tuple(entry["shape"]), entry["dtype"])
    return specs


def _is_variable(entry: Any, trained: bool) -> bool:
    return (
        isinstance(entry, dict)
        and isinstance(entry.get("name"), str)
        and isinstance(entry.get("dtype"), str)
        and isinstance(entry.get("shape"), list)
        and all(type(n) is int and n >= 0 for n in entry["shape"])
        and (not trained or _is_hash(entry.get("sha256")))
    )


def _is_hash(value: Any) -> bool:
    return isinstance(value, str) and _HASH.fullmatch(value) is not None


def _check_files(files: dict[str, Any], trained: bool, label: str) -> None:
    for name, entry in files.items():
        if _leads_elsewhere(name):
            raise PresetFileError(
                f"{label}: the file name {name!r} leads out of the preset "
                "directory; it was not read."
            )
        if name not in storage.LISTED_FILES:
            raise PresetFileError(
                f"{label}: unknown file name {name!r} in 'files'. Expected "
                f"only {', '.join(storage.LISTED_FILES)}."
            )
        if (
            not isinstance(entry, dict)
            or not _is_hash(entry.get("sha256"))
            or type(entry.get("size")) is not int
        ):
            raise PresetFileError(
                f"{label}: 'files' needs sha256 (64 hexadecimal digits) and "
                f"size for {name!r}. Received: {entry!r}"
            )
    if storage.CONFIG not in files:
        raise PresetFileError(
            f"{label}: 'files' does not list {storage.CONFIG}."
        )
    if trained != (storage.WEIGHTS in files):
        raise PresetFileError(
            f"{label}: 'trained' is {trained}, but 'files' "
            f"{'lacks' if trained else 'lists'} {storage.WEIGHTS}."
        )


def _leads_elsewhere(name: str) -> bool:
    """Tells whether a name is not a plain file name on any system."""
    return any(
        path.is_absolute() or path.drive or len(path.parts) != 1
        for path in (PurePosixPath(name), PureWindowsPath(name))
    ) or name in ("", ".", "..")
