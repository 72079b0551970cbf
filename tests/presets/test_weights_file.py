"""The safetensors reader and writer."""

import json
import struct
from typing import Any

import numpy as np
import pytest
import safetensors.numpy

from keras_mmfusion.presets import PresetFileError, weights_file

# No part of this depends on the backend.
pytestmark = pytest.mark.once


def example() -> dict[str, np.ndarray]:
    generator = np.random.default_rng(0)
    return {
        "b/kernel": generator.normal(size=(2, 3)).astype("float32"),
        "a/count": np.array(7, "int32"),
        "c/empty": np.zeros((0, 4), "float32"),
        "d/flag": np.array([True, False]),
    }


def with_header(header: Any, body: bytes = b"") -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + body


def test_round_trip_keeps_names_values_shapes_and_dtypes():
    found = weights_file.decode(weights_file.encode(example()), "w")
    assert found.keys() == example().keys()
    for name, array in example().items():
        np.testing.assert_array_equal(found[name], array)
        assert found[name].dtype == array.dtype
        assert found[name].shape == array.shape


def test_other_programs_read_the_file():
    found = safetensors.numpy.load(weights_file.encode(example()))
    np.testing.assert_array_equal(found["b/kernel"], example()["b/kernel"])


def test_files_of_other_programs_are_read():
    data = safetensors.numpy.save(example(), metadata={"made": "elsewhere"})
    np.testing.assert_array_equal(
        weights_file.decode(data, "w")["b/kernel"], example()["b/kernel"]
    )


def test_bytes_do_not_depend_on_the_order_of_names():
    forward = weights_file.encode(example())
    backward = weights_file.encode(dict(reversed(example().items())))
    assert forward == backward


@pytest.mark.parametrize("dtype", ["float16", "float64", "bfloat16"])
def test_every_float_is_stored_as_float32(dtype):
    ml_dtypes = pytest.importorskip("ml_dtypes")
    kind = ml_dtypes.bfloat16 if dtype == "bfloat16" else dtype
    value = np.array([0.5, -2.0]).astype(kind)
    found = weights_file.decode(weights_file.encode({"x": value}), "w")["x"]
    assert found.dtype == "float32"
    np.testing.assert_array_equal(found, [0.5, -2.0])


@pytest.mark.parametrize("dtype", ["int64", "uint8", "int32"])
def test_every_whole_number_is_stored_as_int32(dtype):
    value = np.array([[0, 100]], dtype)
    found = weights_file.decode(weights_file.encode({"x": value}), "w")["x"]
    assert found.dtype == "int32"
    np.testing.assert_array_equal(found, value)


def test_whole_numbers_beyond_int32_are_not_written():
    with pytest.raises(ValueError, match="'x' holds whole numbers beyond"):
        weights_file.encode({"x": np.array([2**31])})


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_non_finite_values_are_not_written(bad):
    with pytest.raises(ValueError, match=r"'x' has 1 NaN or infinite .* of 2"):
        weights_file.encode({"x": np.array([0.0, bad], "float32")})


@pytest.mark.parametrize("value", [np.array(["a"]), np.array([1j])])
def test_other_kinds_are_not_written(value):
    with pytest.raises(ValueError, match="do not store"):
        weights_file.encode({"x": value})


def entry(
    dtype: Any = "F32", shape: Any = (2,), offsets: Any = (0, 8), **more: Any
) -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": offsets, **more}


BAD_ENTRIES = {
    "unknown dtype": (entry("F16"), "has dtype 'F16'"),
    "dtype not text": (entry(["F32"]), "has dtype"),
    "shape not a list": (entry(shape=2), "invalid shape"),
    "shape of floats": (entry(shape=[2.0]), "invalid shape"),
    "shape of bools": (entry(shape=[True, 2]), "invalid shape"),
    "negative shape": (entry(shape=[-1, -2]), "invalid shape"),
    "giant shape": (entry(shape=[2**40, 2**40]), "needs .* bytes"),
    "three offsets": (entry(offsets=[0, 4, 8]), "invalid offsets"),
    "negative offset": (entry(offsets=[-8, 0]), "invalid offsets"),
    "offsets reversed": (entry(offsets=[8, 0]), "needs 8 bytes"),
    "offsets too wide": (entry(offsets=[0, 12]), "span 12"),
    "offsets beyond the file": (entry(shape=[4], offsets=[0, 16]), "truncated"),
    "gap": (entry(shape=[1], offsets=[4, 8]), "starts at byte 4"),
    "unused tail": (entry(shape=[1], offsets=[0, 4]), r"4 byte\(s\) after"),
    "extra key": (entry(offset=1), "exactly the header keys"),
    "not an object": ([1], "exactly the header keys"),
}


@pytest.mark.parametrize("name", BAD_ENTRIES)
def test_bad_header_entries_are_refused(name):
    bad, message = BAD_ENTRIES[name]
    data = with_header({"x": bad}, bytes(8))
    with pytest.raises(PresetFileError, match=message) as caught:
        weights_file.decode(data, "the_file")
    assert "the_file" in str(caught.value)


def test_overlapping_tensors_are_refused():
    header = {"x": entry(), "y": entry()}
    with pytest.raises(PresetFileError, match="'y' starts at byte 0"):
        weights_file.decode(with_header(header, bytes(8)), "w")


BAD_FILES = {
    "empty": (b"", "is empty"),
    "shorter than its length": (b"\x01\x00", "truncated: 2"),
    "huge header": (struct.pack("<Q", 2**63) + b"{}", "declares a header"),
    "header longer than file": (struct.pack("<Q", 9) + b"{}", "declares a"),
    "header not JSON": (with_header(b"{x}"), "not valid JSON"),
    "header not UTF-8": (with_header(b'{"\xff": 1}'), "not UTF-8"),
    "header twice a key": (with_header(b'{"x":1,"x":2}'), "'x' twice"),
    "header a list": (with_header(b"[]"), "JSON object"),
    "header empty": (with_header(b""), "empty"),
    "metadata not an object": (with_header({"__metadata__": 1}), "object"),
    "pickle": (b"\x80\x04\x95" + bytes(20), "a Python pickle"),
    "HDF5": (b"\x89HDF\r\n\x1a\n" + bytes(20), "an HDF5 file"),
    "zip": (b"PK\x03\x04" + bytes(20), "a zip archive"),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_bad_files_are_refused(name):
    data, message = BAD_FILES[name]
    with pytest.raises(PresetFileError, match=message) as caught:
        weights_file.decode(data, "the_file")
    assert "the_file" in str(caught.value)


@pytest.mark.parametrize("length", range(0, 280, 7))
def test_every_truncation_is_noticed(length):
    data = weights_file.encode(example())
    assert length < len(data)
    with pytest.raises(PresetFileError):
        weights_file.decode(data[:length], "w")
