"""Samples changed when they are read."""

import numpy as np
import pytest

from keras_mmfusion.data import Padded, Split, mapped

pytestmark = pytest.mark.once


def split():
    x = np.zeros((3, 5, 2), np.float32)
    x[0, :4] = 1
    x[2, :2] = 3
    return Split({"a": Padded(x), "b": np.ones((3, 2))}, labels=[0, 1, 2])


def test_a_sequence_keeps_its_length_and_a_missing_one_stays_missing():
    changed = mapped(split(), a=(lambda x: x[:, :1] + 7, (None, 1)))
    assert changed.lengths()["a"].tolist() == [4, 0, 2]
    np.testing.assert_array_equal(changed.features["a"][2], np.full((2, 1), 10))
    inputs, labels = changed.arrays()
    assert inputs["a"].shape == (3, 4, 1)
    assert not inputs["a"][1].any()
    assert not inputs["a"][2, 2:].any()  # padding is not changed
    assert labels.tolist() == [0, 1, 2]


def test_to_a_fixed_shape():
    def first(x):
        return np.pad(x, ((0, 5 - len(x)), (0, 0)))[:3]

    changed = mapped(split(), a=(first, (3, 2)))
    inputs, _ = changed.arrays()
    assert inputs["a"].shape == (3, 3, 2)
    assert inputs["a"][2, :, 0].tolist() == [3, 3, 0]
    assert not inputs["a"][1].any()
    assert changed.lengths()["a"].tolist() == [1, 0, 1]


def test_wrong_shapes_and_names_are_refused():
    with pytest.raises(ValueError, match=r"among \['a', 'b'\]"):
        mapped(split(), c=(abs, (2,)))
    with pytest.raises(ValueError, match=r"must return the shape \(4, 1\)"):
        mapped(split(), a=(lambda x: x[1:, :1], (None, 1))).features["a"][0]
