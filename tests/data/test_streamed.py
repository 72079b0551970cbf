"""Streamed columns give what is on disk, sample by sample."""

import pickle

import numpy as np
import pytest

from keras_mmfusion.data import Column, Split
from keras_mmfusion.data.streamed import (
    Items,
    NpyFile,
    PaddedRows,
    Streamed,
    read_npy_header,
)

pytestmark = pytest.mark.once

ITEMS = [
    np.array([[1.0, 2], [0, 0], [0, 3]]),
    np.array([[1.0, 1], [0, 0]]),
    np.zeros((2, 2)),
    np.zeros((0, 2)),
]


def column(**options):
    return Streamed(Items(ITEMS), 4, (None, 2), **options)


def test_it_is_a_column():
    assert isinstance(column(), Column)
    assert column().is_sequence
    assert column().item_shape == (None, 2)
    assert len(column()) == 4


def test_valid_steps_end_with_the_last_that_is_not_zero():
    assert column().lengths().tolist() == [3, 1, 0, 0]
    assert [len(column()[i]) for i in range(4)] == [3, 1, 0, 0]
    assert column()[-4].tolist() == ITEMS[0].tolist()
    assert column()[0].dtype == np.float32


def test_known_lengths_are_taken_without_reading():
    def read(index):
        raise AssertionError("nothing must be read")

    given = np.array([3, 2])
    assert Streamed(read, 2, (None, 2), given).lengths() is given


def test_vectors():
    vectors = Streamed(Items([np.ones(3), np.zeros(3)]), 2, (3,))
    assert not vectors.is_sequence
    assert vectors.lengths().tolist() == [1, 0]
    split = Split({"a": vectors}, np.zeros(2))
    assert split.arrays()[0]["a"].shape == (2, 3)


@pytest.mark.parametrize("index", [4, -5])
def test_there_is_no_such_sample(index):
    with pytest.raises(IndexError, match="4 samples"):
        column()[index]


def test_wrong_shape_and_wrong_numbers_name_the_source():
    bad = [np.ones((2, 3)), np.ones(2), np.full((1, 2), np.nan)]
    bad.append(np.full((1, 2), 1e300))  # finite, but not in float32
    wrong = Streamed(
        Items(bad), 4, (None, 2), source=lambda index: f"file {index}"
    )
    for index in (0, 1):
        with pytest.raises(ValueError, match=rf"file {index}: .*\(None, 2\)"):
            wrong[index]
    for index in (2, 3):
        with pytest.raises(ValueError, match=f"file {index}: .*NaN or inf"):
            wrong[index]


def test_lengths_must_fit():
    with pytest.raises(ValueError, match="each of the 4 samples"):
        column(lengths=np.zeros(3, np.int64))


@pytest.mark.parametrize("dtype", ["<f4", ">f8", "i2", "?", "f2"])
def test_rows_of_a_file(dtype, tmp_path):
    array = (np.arange(60) % 2).astype(dtype).reshape(5, 4, 3)
    np.save(tmp_path / "x.npy", array)
    file = NpyFile.open(tmp_path / "x.npy")
    np.testing.assert_array_equal(file.rows(1, 3), array[1:3])
    np.testing.assert_array_equal(file.array(), array)
    assert file.rows(2, 2).shape == (0, 4, 3)


@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
def test_header_versions(version, tmp_path):
    with (tmp_path / "x.npy").open("wb") as file:
        np.lib.format.write_array(file, np.ones((2, 3)), version)
    assert NpyFile.open(tmp_path / "x.npy").shape == (2, 3)


def test_header_of_python_2(tmp_path):
    text = "{'descr': '<f4', 'fortran_order': False, 'shape': (2L, 1L), }"
    header = text.ljust(117).encode() + b"\n"
    data = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header
    (tmp_path / "x.npy").write_bytes(data + bytes(8))
    assert NpyFile.open(tmp_path / "x.npy").shape == (2, 1)


def test_a_file_that_shrinks_while_in_use(tmp_path):
    path = tmp_path / "x.npy"
    np.save(path, np.ones((5, 4, 3)))
    file = NpyFile.open(path)
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(OSError, match="became shorter"):
        file.rows(4, 5)


def test_columns_go_to_worker_processes(tmp_path):
    np.save(tmp_path / "x.npy", np.ones((2, 4, 3)))
    file = NpyFile.open(tmp_path / "x.npy")
    reader = PaddedRows(file, np.array([0, 2]), np.array([3, 4]))
    rows = Streamed(reader, 2, (None, 3), source=reader.source)
    copy = pickle.loads(pickle.dumps(rows))
    assert [len(copy[i]) for i in range(2)] == [3, 2]


BAD = {
    "nothing": (b"", "begins with"),
    "other content": (b"hello world, hello", "begins with"),
    "version 9": (b"\x93NUMPY\x09\x00\x10\x00    ", "begins with"),
    "cut header": (b"\x93NUMPY\x01\x00\x76\x00{'descr'", "within its header"),
    "code": (b"\x93NUMPY\x01\x00\x08\x00exit(1) ", "not one that NumPy"),
    "nested": (
        b"\x93NUMPY\x01\x00\x00\x20" + b"(" * 8192,
        "not one that NumPy",
    ),
    "a list": (b"\x93NUMPY\x01\x00\x04\x00[[]]", "not one that NumPy"),
    "a number": (b"\x93NUMPY\x01\x00\x04\x0012  ", "not one that NumPy"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_headers(name, tmp_path):
    data, message = BAD[name]
    path = tmp_path / "x.npy"
    path.write_bytes(data)
    with path.open("rb") as file, pytest.raises(ValueError, match=message):
        read_npy_header(file, str(path))


@pytest.mark.parametrize(
    "shape", ["(True,)", "(1.5,)", "[1]", "(-1,)", f"({2**70},)", "3"]
)
def test_bad_shapes(shape, tmp_path):
    text = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}"
    header = text.ljust(117).encode() + b"\n"
    path = tmp_path / "x.npy"
    path.write_bytes(
        b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header
    )
    with pytest.raises(ValueError, match="not one that NumPy"):
        NpyFile.open(path)
