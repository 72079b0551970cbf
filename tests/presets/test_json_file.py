"""JSON from files that nobody vouches for."""

import json

import pytest

from keras_mmfusion.presets import PresetFileError, json_file

# No part of this depends on the backend.
pytestmark = pytest.mark.once

BAD = {
    "empty": (b"", "is empty"),
    "spaces": (b"   ", "not valid JSON"),
    "not JSON": (b"{a: 1}", "not valid JSON"),
    "cut off": (b'{"a": [1, 2', "not valid JSON"),
    "two values": (b"{} {}", "not valid JSON"),
    "not UTF-8": (b'{"a": "\xff"}', "not UTF-8"),
    "UTF-16": ('{"a": 1}'.encode("utf-16"), "not UTF-8"),
    "a list": (b"[1]", "Received: list"),
    "a number": (b"3", "Received: int"),
    "twice a key": (b'{"a": {"b": 1, "b": 2}}', "'b' twice"),
    "NaN": (b'{"a": NaN}', "number NaN"),
    "infinity": (b'{"a": [-Infinity]}', "number -Infinity"),
    "too deep": (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "too deeply"),
    "endless number": (b'{"a": ' + b"9" * 5000 + b"}", "not valid JSON"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_json_is_refused_by_name(name):
    data, message = BAD[name]
    with pytest.raises(PresetFileError, match=message) as caught:
        json_file.decode(data, "some.json")
    assert str(caught.value).startswith("some.json")


def test_too_large_files_are_not_parsed(monkeypatch):
    monkeypatch.setattr(json_file, "MAX_JSON_BYTES", 10)
    with pytest.raises(PresetFileError, match="at most 10"):
        json_file.decode(b'{"a": "0123456789"}', "some.json")


@pytest.mark.parametrize(
    "value",
    [
        {},
        {"a": [1, 2.5, None, True, "x"], "b": {"c": [[1, 2], [3, 4]]}},
        {"text": "[\n  kept, \n  as it is\n]", "é": ["[", "]", "{\n}"]},
        {"rows": [{"a": [1]}, {"b": []}]},
    ],
)
def test_round_trip(value):
    data = json_file.encode(value)
    assert json_file.decode(data, "x") == value
    assert json.loads(data) == value


def test_lists_of_numbers_stand_on_one_line():
    assert json_file.encode({"a": [1, 2, 3]}) == b'{\n  "a": [1, 2, 3]\n}\n'


def test_nan_is_not_written():
    with pytest.raises(ValueError, match="not JSON compliant"):
        json_file.encode({"a": float("nan")})
