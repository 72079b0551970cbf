import numpy as np
import pytest

from keras_mmfusion.data import load
from keras_mmfusion.data.digit_sequences import join_frames

pytestmark = pytest.mark.once


@pytest.fixture(scope="module")
def variants():
    names = ("degraded", "clean", "sequences")
    return {v: load("av_digits", variant=v).valid.arrays()[0] for v in names}


def test_frames_stand_side_by_side(variants):
    frames = variants["degraded"]["audio"][:, :96]
    steps = variants["sequences"]["audio"]
    assert steps.shape == (900, 24, 160)
    np.testing.assert_array_equal(steps.reshape(900, 96, 40), frames)


def test_what_does_not_fill_a_step_is_filled_with_zeros():
    frames = np.arange(1.0, 11.0)[:, None]  # Recordings of 3, 5 and 2 frames.
    column = join_frames(frames, np.array([0, 3, 8, 10]))
    assert column.lengths().tolist() == [1, 2, 1]
    np.testing.assert_array_equal(column[0], [[1, 2, 3, 0]])
    np.testing.assert_array_equal(column[1], [[4, 5, 6, 7], [8, 0, 0, 0]])
    np.testing.assert_array_equal(column[2], [[9, 10, 0, 0]])


def test_rows_show_what_four_numbers_stand_for_and_no_more(variants):
    rows = variants["sequences"]["image"]
    assert rows.shape == (900, 14, 56)
    flat = rows.reshape(900, -1)
    assert np.linalg.matrix_rank(flat, tol=1e-2) == 4
    # The projection of the clean image, up to the scale and the mean.
    clean = variants["clean"]["image"]
    centred = clean - clean.mean(axis=0)
    own = flat - flat.mean(axis=0)
    basis = np.linalg.svd(own, full_matrices=False)[2][:4]
    np.testing.assert_allclose(
        7 * centred @ basis.T @ basis, own, rtol=1e-3, atol=2e-3
    )
