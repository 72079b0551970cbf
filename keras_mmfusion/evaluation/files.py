"""Files of a run: written whole or not at all, read with clear errors."""

import hashlib
import io
import json
import math
import os
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from keras_mmfusion.presets import json_file

Arrays = dict[str, NDArray[Any]]


def sha256(data: bytes) -> str:
    """SHA-256 of bytes as 64 hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


def write(path: Path, data: bytes) -> None:
    """Writes a file so that a killed process leaves the old one or the new.

    Args:
        path: Where to; folders are created.
        data: The content.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.draft")
    with draft.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    os.replace(draft, path)


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Writes plain JSON; numbers that are not finite become null."""
    write(path, json_file.encode(json_object(value)))


def read_json(path: Path) -> dict[str, Any]:
    """The JSON object in a file.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it does not hold a JSON object.
    """
    try:
        value = json.loads(path.read_bytes())
    except FileNotFoundError as error:
        raise FileNotFoundError(
            f"{path} is missing. Expected the folder of a finished run."
        ) from error
    except ValueError as error:
        raise ValueError(f"{path} is not valid JSON: {error}") from error
    if not isinstance(value, dict):
        raise ValueError(
            f"{path} must hold a JSON object. Received: {type(value).__name__}"
        )
    return value


def encode_arrays(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """Arrays as the bytes of an .npz file without pickles."""
    buffer = io.BytesIO()
    plain: dict[str, Any] = dict(arrays)
    np.savez(buffer, allow_pickle=False, **plain)
    return buffer.getvalue()


def decode_arrays(data: bytes, path: Path) -> Arrays:
    """Arrays from the bytes of an .npz file; pickles are refused.

    Raises:
        ValueError: If it is no .npz file, or holds pickled objects.
    """
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except (ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError(
            f"{path} is not an .npz file of plain arrays: {error}"
        ) from error


def json_object(value: Mapping[str, Any]) -> dict[str, Any]:
    """A dict of plain JSON, as `json_ready` makes it."""
    return {str(key): json_ready(item) for key, item in value.items()}


def json_ready(value: Any) -> Any:
    """Plain JSON: NumPy numbers as numbers, NaN and infinity as None."""
    if isinstance(value, Mapping):
        return json_object(value)
    if isinstance(value, list | tuple):
        return [json_ready(item) for item in value]
    if isinstance(value, np.ndarray):
        return json_ready(value.tolist())
    if isinstance(value, np.generic):
        return json_ready(value.item())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def number(value: Any) -> float:
    """A number from JSON, where null stands for NaN."""
    return math.nan if value is None else float(value)
