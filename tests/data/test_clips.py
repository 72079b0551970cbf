"""Clips before and during training."""

import numpy as np
import pytest

from keras_mmfusion.data.clips import (
    AugmentClips,
    CenterSkeletons,
    CropTime,
    FixedSteps,
    InTurn,
    NormalizeClip,
)

pytestmark = pytest.mark.once


def ramp(frames=3, size=8):
    """Brightness is the column, and a hundred times the row."""
    rows, columns = np.meshgrid(np.arange(size), np.arange(size), indexing="ij")
    image = (100 * rows + columns)[None, ..., None]
    return np.broadcast_to(image, (frames, size, size, 3)).astype("float32")


def test_normalised_values_are_those_of_imagenet():
    frames = np.zeros((2, 4, 6, 3), np.float32)
    frames[..., 0] = 255  # red
    clip = NormalizeClip(4)(frames)
    assert clip.shape == (2, 4, 4, 3)
    # Blue, green, red against the mean of red, green, blue.
    expected = [-0.485 / 0.229, -0.456 / 0.224, (1 - 0.406) / 0.225]
    np.testing.assert_allclose(clip[1, 2, 3], expected, rtol=1e-6)
    clip = NormalizeClip(4, bgr=False)(frames)
    np.testing.assert_allclose(clip[0, 0, 0, 0], (1 - 0.485) / 0.229, rtol=1e-6)


def test_the_crop_is_the_middle():
    clip = NormalizeClip(2)(ramp())
    full = NormalizeClip(8)(ramp())
    np.testing.assert_array_equal(clip, full[:, 3:5, 3:5])


@pytest.mark.parametrize("shape", [(2, 7, 9, 3), (2, 9, 7, 3), (2, 9, 9, 1)])
def test_frames_of_the_wrong_size(shape):
    with pytest.raises(ValueError, match="at least 8 x 8 with 3 channels"):
        NormalizeClip(8)(np.ones(shape, np.float32))


def test_a_crop_is_a_part_of_the_image_at_full_size():
    before = {"video": np.stack([ramp()] * 20), "audio": np.ones((20, 2))}
    after = AugmentClips("video", smallest_area=0.5)(before, 1)
    assert after["audio"] is before["audio"]
    clips = after["video"]
    assert clips.shape == (20, 3, 8, 8, 3)
    columns = clips[:, 0, 0, :, 0] % 100
    spans = columns[:, -1] - columns[:, 0]
    assert spans.min() > 7 * np.sqrt(0.5) - 1e-3
    assert spans.max() < 7
    assert spans.std() > 0.1
    # All frames of a clip are cropped alike, and the input is untouched.
    np.testing.assert_array_equal(clips[:, 0], clips[:, 2])
    np.testing.assert_array_equal(before["video"][0], ramp())


def test_per_frame_draws_every_frame_anew():
    before = {"video": np.stack([ramp()] * 4)}
    clips = AugmentClips("video", 0.5, flip=True, per_frame=True)(before, 2)
    first, second = clips["video"][:, 0], clips["video"][:, 1]
    assert (first != second).any(axis=(1, 2, 3)).all()


def test_half_of_the_clips_are_mirrored():
    before = {"video": np.stack([ramp()] * 200)}
    clips = AugmentClips("video", 1, flip=True)(before, 3)["video"]
    mirrored = clips[:, 0, 0, 0, 0] > clips[:, 0, 0, 7, 0]
    assert 70 < mirrored.sum() < 130
    np.testing.assert_array_equal(clips[mirrored][0], ramp()[:, :, ::-1])


def test_padding_and_a_missing_clip_stay_zero():
    video = np.stack([ramp(), ramp(), ramp()]) + 1
    video[0, 2:] = 0
    video[1] = 0
    for transform in (AugmentClips("video", 0.5), CropTime(["video"], 0.5)):
        after = transform({"video": video}, 4)["video"]
        assert not after[0, 2:].any()
        assert after[0, :2].any(axis=(1, 2, 3)).all()
        assert not after[1].any()


def test_a_time_crop_takes_the_same_span_of_all_modalities():
    time = np.arange(1, 101, dtype=np.float32)
    inputs = {
        "video": np.tile(time[:50, None], (30, 1, 1)),
        "skeleton": np.tile(time[:, None], (30, 1, 1)),
        "audio": np.ones((30, 4), np.float32),
    }
    after = CropTime(["video", "skeleton"], 0.3)(inputs, 5)
    video, skeleton = after["video"][..., 0], after["skeleton"][..., 0]
    assert (np.diff(skeleton, axis=1) >= 0).all()
    spans = (skeleton[:, -1] - skeleton[:, 0]) / 99
    assert spans.min() > 0.28
    assert spans.min() < 0.5
    np.testing.assert_allclose(
        video[:, 0] / 50, skeleton[:, 0] / 100, atol=0.03
    )
    np.testing.assert_allclose(
        video[:, -1] / 50, skeleton[:, -1] / 100, atol=0.03
    )


def test_a_network_of_another_modality_does_not_get_it():
    audio = {"audio": np.ones((2, 4), np.float32)}
    both = InTurn([CropTime(["video"]), AugmentClips("video")])
    assert both(audio)["audio"] is audio["audio"]


def test_fixed_steps():
    x = np.arange(6, dtype=np.float32).reshape(3, 2)
    np.testing.assert_array_equal(FixedSteps(2)(x), x[:2])
    longer = FixedSteps(5)(x)
    np.testing.assert_array_equal(longer[:3], x)
    assert longer.shape == (5, 2)
    assert not longer[3:].any()


def test_skeletons_are_centered_on_the_first_person():
    random = np.random.default_rng(0)
    bodies = random.normal(size=(4, 2, 25, 3)).astype("float32")
    bodies[1, 1] = 0  # only the first person
    bodies[2, 0] = 0  # only the second
    after = CenterSkeletons(1)(bodies)
    assert not after[:, 0, 1].any()
    np.testing.assert_allclose(
        after[0, 1, 7], bodies[0, 1, 7] - bodies[0, 0, 1], rtol=1e-6
    )
    assert not after[1, 1].any()
    assert not after[2, 0].any()
    np.testing.assert_array_equal(after[2, 1], bodies[2, 1])


def test_bad_arguments():
    with pytest.raises(ValueError, match="smallest_area"):
        AugmentClips("video", 0)
    with pytest.raises(ValueError, match="shortest"):
        CropTime(["video"], 1.5)


def test_in_turn_is_reproducible():
    inputs = {"video": np.stack([ramp()] * 3)}
    both = InTurn([CropTime(["video"]), AugmentClips("video")])
    np.testing.assert_array_equal(
        both(inputs, 1)["video"], both(inputs, 1)["video"]
    )
