import numpy as np
import pytest

from keras_mmfusion.data import MotionAugmentation, motion
from keras_mmfusion.data.motion_augmentation import rotations

RNG = np.random.default_rng(0)
# A person who stands, arms at the side, and then moves at random.
BODY = np.zeros((20, 3))
BODY[[0, 1, 2], 1] = [0.7, 0.5, 0.2]
BODY[4:8] = [[-0.2, 0.4, 0], [-0.2, 0.1, 0], [-0.2, -0.1, 0], [-0.2, -0.2, 0]]
BODY[12:16] = [[-0.1, -0.1, 0], [-0.1, -0.5, 0], [-0.1, -0.9, 0], [-0.1, -1, 0]]
BODY[8:12] = BODY[4:8] * [-1, 1, 1]
BODY[16:20] = BODY[12:16] * [-1, 1, 1]
SKELETON = BODY + 0.05 * np.cumsum(RNG.normal(size=(50, 20, 3)), axis=0)
INERTIAL = RNG.normal(size=(150, 6)) * [1, 1, 1, 90, 90, 90]
DEPTH = np.zeros((30, 60, 40))
DEPTH[:, 10:58, 12:24] = RNG.uniform(100, 140, size=(30, 48, 12))


def inputs() -> dict[str, np.ndarray]:
    return {
        "skeleton": motion.skeleton_input(SKELETON)[None],
        "inertial": motion.inertial_input(INERTIAL)[None],
        "depth": motion.depth_input(DEPTH)[None],
    }


def test_resampling_interpolates_between_the_ends():
    x = np.array([[0.0], [1.0], [3.0]], "float32")
    y = motion.resample(x, 5)
    assert y[:, 0].tolist() == [0.0, 0.5, 1.0, 2.0, 3.0]
    assert motion.resample(x[:1], 3)[:, 0].tolist() == [0.0, 0.0, 0.0]


def test_a_skeleton_is_the_same_wherever_and_however_large_it_is():
    x = motion.skeleton_input(SKELETON)
    turn = rotations(np.array([[0.0, 1.0, 0.0]]), np.array([40.0]))[0]
    other = (SKELETON @ turn) * 1.2 + [0.3, -0.1, 2.5]
    np.testing.assert_allclose(motion.skeleton_input(other), x, atol=1e-3)
    start = motion.skeleton_positions(x)[0]
    assert not start[3].any()
    assert start[8, 0] > start[4, 0]  # The right shoulder is on the right.


def test_a_clip_played_at_half_the_speed_is_the_same():
    slow = motion.resample(INERTIAL, 299)
    np.testing.assert_allclose(
        motion.inertial_input(slow), motion.inertial_input(INERTIAL), atol=1e-4
    )


def test_what_a_depth_cell_holds():
    still = np.repeat(DEPTH[:1], 5, axis=0)
    assert not motion.depth_input(still).any()
    grown = still.copy()
    grown[2:, 20:24, 24:28] = 120
    cells = motion.depth_cells(motion.depth_input(grown, steps=5))
    assert cells.shape == (5, 13, 8, 2)
    # Cell 5 is half full before, and full from the third frame on; half of
    # what is added lies in the next.
    assert cells[:, 3, 5, 1].tolist() == [0, 0.25, 0.25, 0, 0]
    assert np.flatnonzero(cells[:, 3, 5, 0]).tolist() == [2]
    _, rows, columns = np.nonzero(cells[..., 1])
    assert {*rows} == {3}
    assert {*columns} == {5, 6}


def test_a_person_is_centred_on_the_depth_grid():
    aside = np.roll(DEPTH, 6, axis=2)
    np.testing.assert_allclose(
        motion.depth_input(aside), motion.depth_input(DEPTH), atol=1e-5
    )


def test_depth_in_millimetres_is_shrunk():
    frames = np.zeros((3, 240, 320))
    frames[:, 40:80, 120:160] = 1900
    frames[:, 80:84, 120:121] = 3700  # A quarter of a cell.
    frames[:, 200:202, 120:121] = 3700  # Less.
    small = motion.shrink_depth(frames)
    assert small.shape == (2, 60, 40)
    assert small[0, 10, 10] == 1
    assert small[0, 20, 10] == 255
    assert not small[0, 50].any()


@pytest.mark.parametrize(
    ("function", "shape"),
    [
        (motion.skeleton_input, (9, 25, 3)),
        (motion.skeleton_input, (0, 20, 3)),
        (motion.inertial_input, (9, 3)),
        (motion.depth_input, (9, 240, 320)),
        (motion.shrink_depth, (9, 60, 40)),
    ],
)
def test_other_shapes_are_refused(function, shape):
    with pytest.raises(ValueError, match="must have the shape"):
        function(np.ones(shape))


def test_what_has_no_size_or_nobody_in_it_is_refused():
    with pytest.raises(ValueError, match="must differ"):
        motion.skeleton_input(np.ones((9, 20, 3)))
    with pytest.raises(ValueError, match="Nobody"):
        motion.depth_input(np.zeros((9, 60, 40)))
    with pytest.raises(ValueError, match="finite"):
        motion.inertial_input(np.full((9, 6), np.nan))


def test_augmentation_that_changes_nothing_changes_nothing():
    names = vars(MotionAugmentation())
    nothing = MotionAugmentation(**dict.fromkeys(names, 0.0))
    for name, x in nothing(inputs(), seed=0).items():
        np.testing.assert_allclose(x, inputs()[name], atol=1e-4)


def test_augmentation_is_repeatable_and_keeps_what_is_missing():
    x = {k: np.repeat(v, 2, axis=0) for k, v in inputs().items()}
    for values in x.values():
        values[1] = 0
    first = MotionAugmentation()(x, seed=3)
    again = MotionAugmentation()(x, seed=3)
    for name, values in first.items():
        np.testing.assert_array_equal(values, again[name])
        assert values.shape == x[name].shape
        assert values.dtype == np.float32
        assert np.abs(values[0] - x[name][0]).max() > 0.01
        assert not values[1].any()


def test_augmented_velocities_are_those_of_the_augmented_positions():
    x = MotionAugmentation()(inputs(), seed=1)["skeleton"]
    again = motion.skeleton_channels(motion.skeleton_positions(x))
    np.testing.assert_allclose(again, x, atol=1e-4)


def test_other_limbs_keep_the_hip_and_the_symmetry():
    bare = dict.fromkeys(vars(MotionAugmentation()), 0.0)
    augment = MotionAugmentation(**{**bare, "limbs": 0.3})
    still = np.repeat(BODY[None], 9, axis=0)
    x = motion.skeleton_input(still)[None]
    before = motion.skeleton_positions(x)[0, 0]
    after = motion.skeleton_positions(augment({"skeleton": x}, 2)["skeleton"])
    after = after[0, 0]
    assert np.abs(after - before).max() > 0.02
    np.testing.assert_allclose(after[3], before[3], atol=1e-6)
    for right, left in zip(range(8, 12), range(4, 8), strict=True):
        np.testing.assert_allclose(
            after[right], after[left] * [-1, 1, 1], atol=1e-5
        )
