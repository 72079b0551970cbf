"""JSON from files that nobody vouches for."""

import json
import re
from typing import Any

from keras_mmfusion.presets.errors import PresetFileError

# Far above any real preset; a guard against reading a wrong file whole.
MAX_JSON_BYTES = 64 * 2**20

_FLAT_LIST = re.compile(r"\[\n *([^\[\]{}]*?)\n *\]")
_LINE_BREAK = re.compile(r"\n *")


def decode(data: bytes, label: str) -> dict[str, Any]:
    """Returns the JSON object in `data`.

    Args:
        data: The file's bytes.
        label: The file's name for messages.

    Raises:
        PresetFileError: If it is empty, too large, not UTF-8, not JSON, not
            an object, or has duplicate keys, NaN or infinity.
    """
    if not data:
        raise PresetFileError(f"{label} is empty (0 bytes); expected JSON.")
    if len(data) > MAX_JSON_BYTES:
        raise PresetFileError(
            f"{label} has {len(data)} bytes; at most {MAX_JSON_BYTES} are read."
        )
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise PresetFileError(
            f"{label} is not UTF-8 text (byte {error.start} is invalid)."
        ) from error
    try:
        value = json.loads(
            text,
            object_pairs_hook=_unique_keys,
            parse_constant=_refuse_constant,
        )
    except _DamagedJSONError as error:
        raise PresetFileError(f"{label} {error}") from error
    except RecursionError as error:
        raise PresetFileError(f"{label} is nested too deeply.") from error
    except ValueError as error:
        raise PresetFileError(f"{label} is not valid JSON: {error}") from error
    if not isinstance(value, dict):
        raise PresetFileError(
            f"{label} must hold a JSON object. Received: {type(value).__name__}"
        )
    return value


def encode(value: Any) -> bytes:
    """Returns `value` as indented UTF-8 JSON with a final newline."""
    text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False)
    # Lists of numbers on one line. A line break never stands in a string.
    text = _FLAT_LIST.sub(
        lambda match: f"[{_LINE_BREAK.sub(' ', match[1])}]", text
    )
    return (text + "\n").encode("utf-8")


class _DamagedJSONError(Exception):
    """Carries a message through the JSON decoder's hooks."""


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for key, value in pairs:
        if key in result:
            raise _DamagedJSONError(f"has the key {key!r} twice in one object.")
        result[key] = value
    return result


def _refuse_constant(name: str) -> None:
    raise _DamagedJSONError(f"holds the number {name}, which is not JSON.")
