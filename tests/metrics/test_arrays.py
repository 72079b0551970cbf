"""What metrics accept and refuse, before any formula."""

import numpy as np
import pytest

from keras_mmfusion.metrics import arrays
from keras_mmfusion.metrics.arrays import as_classes, as_column, as_labels

pytestmark = pytest.mark.once


@pytest.mark.parametrize(
    "values", [[1.0, 2.0], [[1.0], [2.0]], [[[1.0]], [[2.0]]], (1, 2)]
)
def test_a_column_may_carry_axes_of_length_one(values):
    np.testing.assert_array_equal(as_column(values, "y"), [1.0, 2.0])


def test_float32_is_kept_and_everything_else_becomes_float64():
    for given, kept in [("float32", "float32"), ("float16", "float64")]:
        assert as_column(np.ones(2, given), "y").dtype == kept
    assert as_column([True, False], "y").dtype == "float64"


def test_bfloat16_is_read():
    ml_dtypes = pytest.importorskip("ml_dtypes")
    values = np.array([1.5, -2.0]).astype(ml_dtypes.bfloat16)
    np.testing.assert_array_equal(as_column(values, "p"), [1.5, -2.0])


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([], "at least one sample"),
        (np.zeros((0, 1)), r"empty array of shape \(0, 1\)"),
        (3.0, r"shape \(\)"),
        (np.ones((1, 5)), r"shape \(1, 5\)"),
        (np.ones((4, 2)), "classification metrics"),
        ([1.0, np.nan, np.inf], r"2 NaN or infinite of 3.*index \(1,\)"),
        (["a", "b"], "dtype <U1"),
        ([1j, 2j], "dtype complex"),
        ([None, 1.0], "dtype object"),
        ([[1.0], [1.0, 2.0]], "rows of equal length"),
    ],
)
def test_bad_columns_are_refused_by_name(values, message):
    with pytest.raises(ValueError, match=message):
        as_column(values, "y")
    with pytest.raises(ValueError, match="`p`"):
        as_column(values, "p")


def test_a_pair_must_be_of_equal_length():
    with pytest.raises(ValueError, match=r"3 labels `y` and 2 predictions"):
        arrays.as_pair([1.0, 2.0, 3.0], [1.0, 2.0])


def test_labels_out_of_range_are_refused_and_rounding_at_the_end_is_not():
    arrays.check_range(np.array([-3.0004, 3.0]), -3, 3, "mmsa")
    with pytest.raises(ValueError, match=r"\[-3, 3\] for mmsa.*1 to 7"):
        arrays.check_range(np.array([1.0, 7.0]), -3, 3, "mmsa")


@pytest.mark.parametrize(
    "values",
    [[0, 2, 1], [[0], [2], [1]], [0.0, 2.0, 1.0], np.eye(3)[[0, 2, 1]]],
)
def test_labels_are_numbers_or_one_hot(values):
    np.testing.assert_array_equal(as_labels(values, "y"), [0, 2, 1])


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([0.3, 0.7], "your threshold first"),
        ([-1, 0], "negative or not whole"),
        ([[0.2, 0.8], [1.0, 0.0]], "not one-hot"),
        (np.ones((2, 2, 2)), r"shape \(2, 2, 2\)"),
        ([0, np.nan], "NaN"),
    ],
)
def test_bad_labels_are_refused(values, message):
    with pytest.raises(ValueError, match=message):
        as_labels(values, "y")


def test_classes_come_from_scores_or_numbers():
    truth, predicted, classes = as_classes([0, 1], [[1.0, 3.0, 3.0]] * 2)
    assert (truth.tolist(), predicted.tolist(), classes) == ([0, 1], [1, 1], 3)
    assert as_classes([0, 4], [1, 1])[2] == 5


@pytest.mark.parametrize(
    ("y", "p", "message"),
    [
        ([1, 2, 3], np.eye(3), "labels up to 3. Labels that start at 1"),
        ([0, 1], np.eye(3), "2 labels `y` and 3 predictions"),
        ([0, 1], [[0.5, np.nan], [0.1, 0.2]], "`p`"),
        ([0, 1], [0.4, 0.6], "your threshold first"),
    ],
)
def test_classes_that_do_not_fit_are_refused(y, p, message):
    with pytest.raises(ValueError, match=message):
        as_classes(y, p)


def test_a_table_has_the_shape_asked_for():
    with pytest.raises(ValueError, match=r"shape \(N, 4, 2\).*\(3, 2\)"):
        arrays.as_table(np.zeros((3, 2)), (4, 2), "p")


def test_numbers_json_cannot_hold_become_none():
    assert arrays.one_json_number(float("nan")) is None
    assert arrays.one_json_number(0.5) == 0.5
