"""Columns give the valid steps, however they are stored."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keras_mmfusion.data import (
    Column,
    Padded,
    Ragged,
    Split,
    Vectors,
    padding_side,
)
from keras_mmfusion.data.columns import Selected, as_column
from keras_mmfusion.data.padding import stacked

pytestmark = pytest.mark.once

# A hole inside (third step of the first), zeros at the end of the second, a
# missing third, a full fourth.
ITEMS = [
    [[1, 2], [0, 0], [0, 3]],
    [[0, 1], [0, 0]],
    [],
    [[1, 1], [1, 1], [1, 1], [1, 1]],
]
VALID = [3, 1, 0, 4]


def as_arrays():
    return [np.array(item, np.float32).reshape(-1, 2) for item in ITEMS]


def ragged():
    items = as_arrays()
    offsets = np.append(0, np.cumsum([len(item) for item in items]))
    return Ragged(np.concatenate(items), offsets)


def right_padded(**arguments):
    array = np.zeros((4, 4, 2))
    for row, item in zip(array, as_arrays(), strict=True):
        row[: len(item)] = item
    return Padded(array, **arguments)


def left_padded(padding="left"):
    array = np.zeros((4, 4, 2))
    for row, item in zip(array, as_arrays(), strict=True):
        # Left-padded sources have no zeros at the end.
        kept = item[:1] if len(item) == 2 else item
        row[len(row) - len(kept) :] = kept
    return Padded(array, padding=padding)


@pytest.mark.parametrize(
    "column",
    [
        ragged(),
        right_padded(),
        right_padded(lengths=[3, 2, 0, 4]),
        right_padded(padding="auto"),
        left_padded(),
        left_padded("auto"),
        Selected(ragged(), [0, 1, 2, 3]),
    ],
    ids=["ragged", "right", "lengths", "auto right", "left", "auto", "view"],
)
def test_every_storage_gives_the_same_valid_steps(column):
    assert isinstance(column, Column)
    assert column.is_sequence
    assert column.item_shape == (None, 2)
    assert len(column) == 4
    assert column.lengths().tolist() == VALID
    for index, item in enumerate(as_arrays()):
        received = column[index]
        assert received.dtype == np.float32
        np.testing.assert_array_equal(received, item[: VALID[index]])
    np.testing.assert_array_equal(column[-1], as_arrays()[3])
    with pytest.raises(IndexError, match="Sample 4 of a column with 4"):
        column[4]


@given(
    st.lists(
        st.lists(st.integers(0, 2), min_size=0, max_size=6), max_size=8
    ).filter(bool)
)
def test_valid_length_is_one_past_the_last_non_zero_step(rows):
    """The definition, step by step, against both vectorised ones."""
    expected = [
        max((i + 1 for i, value in enumerate(row) if value), default=0)
        for row in rows
    ]
    flat = np.array([v for row in rows for v in row], np.int8).reshape(-1, 1)
    offsets = np.append(0, np.cumsum([len(row) for row in rows]))
    assert Ragged(flat, offsets).lengths().tolist() == expected
    array = np.zeros((len(rows), 6, 1))
    for target, row in zip(array, rows, strict=True):
        target[: len(row), 0] = row
    assert Padded(array).lengths().tolist() == expected
    # NaN is not zero: a broken step must not be taken for padding.
    array[:, 5] = np.nan
    assert Padded(array).lengths().tolist() == [6] * len(rows)


def test_steps_past_the_given_length_are_dropped():
    array = np.ones((2, 5, 1))
    array[1, 2] = 0.0
    column = Padded(array, lengths=[2, 3])
    assert column.lengths().tolist() == [2, 2]
    assert column[0].shape == (2, 1)
    left = Padded(array, lengths=[2, 3], padding="left")
    assert left.lengths().tolist() == [2, 3]


def test_left_padding_is_found_and_moved():
    array = np.zeros((3, 4, 1))
    array[0, 2:] = [[5], [6]]
    array[1, 1:] = [[1], [0], [2]]
    array[2] = 1.0
    assert padding_side(array) == "left"
    assert padding_side(array[:, ::-1]) == "right"
    assert padding_side(np.ones((2, 3, 1))) == "right"
    inputs, _ = Split({"x": Padded(array, padding="auto")}, [0, 1, 2]).arrays()
    assert inputs["x"][..., 0].tolist() == [
        [5, 6, 0, 0],
        [1, 0, 2, 0],
        [1, 1, 1, 1],
    ]


def test_vectors():
    column = Vectors(np.array([[1, 0], [0, 0]], np.int16))
    assert not column.is_sequence
    assert column.item_shape == (2,)
    assert column.lengths().tolist() == [1, 0]
    assert column[0].dtype == np.float32
    images = Vectors(np.ones((3, 8, 8, 1), np.uint8))
    assert images.item_shape == (8, 8, 1)
    assert images.lengths().tolist() == [1, 1, 1]


def test_as_column_reads_the_rank():
    assert isinstance(as_column(np.ones((2, 3, 4))), Padded)
    assert isinstance(as_column(np.ones((2, 3))), Vectors)
    column = ragged()
    assert as_column(column) is column


def test_memory_mapped_arrays_are_read_sample_by_sample(tmp_path):
    path = tmp_path / "x.npy"
    np.save(path, right_padded()._array.astype(np.float16))
    mapped = np.load(path, mmap_mode="r")
    column = Padded(mapped)
    assert isinstance(column._array, np.memmap)
    assert column.lengths().tolist() == VALID
    np.testing.assert_array_equal(column[0], as_arrays()[0])


def test_stacked_pads_on_the_right_and_cuts():
    items = [np.ones((2, 3), np.float32), np.full((4, 3), 2, np.float32)]
    array = stacked(items, (None, 3))
    assert array.shape == (2, 4, 3)
    assert not array[0, 2:].any()
    assert stacked(items, (None, 3), length=3).shape == (2, 3, 3)
    assert stacked(items, (None, 3), length=9).shape == (2, 9, 3)
    assert stacked([], (None, 3)).shape == (0, 0, 3)
    assert stacked([], (5,)).shape == (0, 5)


BAD = {
    "offsets start": (lambda: Ragged(np.ones((4, 1)), [1, 4]), "rise from 0"),
    "offsets end": (lambda: Ragged(np.ones((4, 1)), [0, 3]), "last .3."),
    "offsets fall": (lambda: Ragged(np.ones((4, 1)), [0, 3, 2, 4]), "rise"),
    "no offsets": (lambda: Ragged(np.ones((4, 1)), []), "0 offsets"),
    "float offsets": (
        lambda: Ragged(np.ones((4, 1)), [0.0, 4.0]),
        "list of integers.*float64",
    ),
    "ragged rank": (lambda: Ragged(np.ones(4), [0, 4]), "at least 2 axes"),
    "padded rank": (lambda: Padded(np.ones((4, 2))), r"3 axes.*\(4, 2\)"),
    "vector rank": (lambda: Vectors(np.ones(4)), "at least 2 axes"),
    "objects": (
        lambda: Padded(np.array([[1], [1, 2]], object)),
        "real numbers.*object.*Ragged",
    ),
    "text": (lambda: Vectors([["a"]]), "real numbers"),
    "complex": (lambda: Vectors([[1j]]), "real numbers"),
    "length count": (
        lambda: Padded(np.ones((2, 3, 1)), lengths=[1]),
        "2 samples. Received: 1 lengths",
    ),
    "length range": (
        lambda: Padded(np.ones((2, 3, 1)), lengths=[1, 4]),
        "0 and the padded length 3. Received: 4 for sample 1",
    ),
    "side": (
        lambda: Padded(np.ones((2, 3, 1)), padding="top"),
        "'right', 'left' or 'auto'.*'top'",
    ),
    "indices": (lambda: Selected(ragged(), [0, 4]), r"0\.\.3. Received: 4"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_columns(case):
    make, message = BAD[case]
    with pytest.raises(ValueError, match=message):
        make()
