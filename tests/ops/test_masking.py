import numpy as np
import pytest

from keras_mmfusion.ops.masking import segment_membership, valid_steps
from tests.backend import numpy_of


def test_holes_are_valid_and_trailing_zeros_are_not():
    x = np.zeros((3, 5, 2), "float32")
    x[0, [0, 2], 1] = 1
    x[1] = 1
    mask = numpy_of(valid_steps(x))
    expected = [[1, 1, 1, 0, 0], [1, 1, 1, 1, 1], [0, 0, 0, 0, 0]]
    np.testing.assert_array_equal(mask, np.array(expected, bool))


def test_clips_and_vectors():
    clip = np.zeros((2, 4, 3, 3, 1), "float32")
    clip[0, 1, 2, 2] = -1e-30
    np.testing.assert_array_equal(
        numpy_of(valid_steps(clip)), [[1, 1, 0, 0], [0, 0, 0, 0]]
    )
    vectors = np.array([[0.0, 0.0], [0.0, 1.0]], "float32")
    np.testing.assert_array_equal(numpy_of(valid_steps(vectors)), [0, 1])


@pytest.mark.parametrize("segments", [1, 2, 5])
@pytest.mark.parametrize("length", [0, 1, 3, 7, 50, 53])
def test_segments_follow_the_length_of_the_sample(length, segments):
    mask = np.arange(60) < length
    member = numpy_of(segment_membership(mask[None], segments))[0]
    expected = np.zeros((60, segments), bool)
    for t in range(length):
        width = max(length // segments, 1)
        expected[t, min(t // width, segments - 1)] = True
    np.testing.assert_array_equal(member, expected)
