import numpy as np
import pytest

from keras_mmfusion.data.speech_statistics import speech_statistics


def parts(frames):
    x = speech_statistics(frames)
    sizes = [100, 40, 45, 117, 96, 56, 11, 21]
    assert len(x) == sum(sizes)
    return np.split(x, np.cumsum(sizes)[:-1])


def clip():
    random = np.random.default_rng(0)
    frames = np.full((60, 40), -13.0)
    frames[20:44] = random.normal(size=(24, 40))  # 40 % of the frames
    return frames, frames[20:44]


def cosines(size):
    """Columns of the orthonormal cosine transform, from its definition."""
    n = np.arange(size)
    table = np.array(
        [[np.cos(np.pi * (i + 0.5) * k / size) for k in n] for i in n]
    )
    return table / np.linalg.norm(table, axis=0)


def test_cepstra_are_of_what_is_loud():
    frames, loud = clip()
    cepstra = (loud @ cosines(40))[:, :20]
    found = parts(frames)[0].reshape(5, 20)
    np.testing.assert_allclose(found[0], cepstra.mean(axis=0), atol=1e-4)
    np.testing.assert_allclose(found[1], cepstra.std(axis=0), rtol=1e-4)
    expected = np.percentile(cepstra, [10, 50, 90], axis=0)
    np.testing.assert_allclose(found[2:], expected, atol=1e-4)


def test_movement_and_correlations_are_of_what_is_loud():
    frames, _ = clip()
    c = frames @ cosines(40)[:, :20]
    _, movement, correlations, *_ = parts(frames)
    for found, lag in zip(movement.reshape(2, 20), (1, 3), strict=True):
        changes = c[20:44] - c[20 - lag : 44 - lag]
        np.testing.assert_allclose(found, changes.std(axis=0), rtol=1e-4)
    expected = np.corrcoef(c[20:44, :10].T)[np.triu_indices(10, 1)]
    np.testing.assert_allclose(correlations, expected, atol=2e-3)


def test_thirds_and_course_are_of_the_speech_with_a_margin():
    frames, _ = clip()
    thirds, course = parts(frames)[3:5]
    # Five frames before and after: frames 15 to 48.
    c = frames[38:49] @ cosines(40)[:, :13]
    expected = [c.std(axis=0), *np.percentile(c, [10, 90], axis=0)]
    np.testing.assert_allclose(thirds.reshape(3, 3, 13)[2], expected, atol=1e-4)
    places = np.linspace(15, 48, 32)
    stretched = np.array(
        [np.interp(places, np.arange(60), band) for band in frames.T]
    )
    both = cosines(32).T @ stretched.T @ cosines(40)
    np.testing.assert_allclose(course.reshape(8, 12), both[:8, :12], atol=1e-3)


def test_modulation_finds_the_rate_of_a_beat():
    time = np.arange(200) / 50
    beat = np.sin(2 * np.pi * 8 * time)  # 8 Hz is bin 41
    frames = np.repeat(beat[:, None], 40, axis=1)
    modulation = parts(frames)[5].reshape(7, 8)
    assert (modulation.argmax(axis=0) == 4).all()  # bins 31 to 50


def test_pitch_is_the_place_of_the_peak_of_low_bands():
    frames = np.zeros((50, 40))
    frames[:, 6] = 20.0
    pitch = parts(frames)[6]
    np.testing.assert_allclose(pitch[[0, 2, 3, 4, 5]], 6.0, atol=1e-4)
    np.testing.assert_allclose(pitch[[1, 6, 8, 9, 10]], 0.0, atol=1e-4)
    np.testing.assert_allclose(pitch[7], 18.0, atol=1e-4)


def test_rhythm_counts_frames_and_syllables():
    frames = np.full((120, 40), -10.0)
    for start in (20, 50, 80):  # three syllables with pauses between
        frames[start : start + 10] = np.hanning(12)[1:-1, None] * 10
    rhythm = parts(frames)[7]
    assert rhythm[0] == 120
    assert rhythm[3] == 3
    np.testing.assert_allclose(rhythm[9], -10.0, atol=1e-4)


@pytest.mark.parametrize("loud", [0, 5, 9])
def test_a_click_in_a_short_clip_gives_finite_numbers(loud):
    frames = np.zeros((10, 20))
    frames[loud] = 5.0
    assert np.isfinite(speech_statistics(frames)).all()


def test_silence_throughout_gives_finite_numbers():
    assert np.isfinite(speech_statistics(np.full((32, 40), -13.0))).all()


@pytest.mark.parametrize("shape", [(7, 40), (30, 19), (30,)])
def test_clips_of_a_few_frames_or_bands_are_refused(shape):
    with pytest.raises(ValueError, match="8 frames or more and 20 bands"):
        speech_statistics(np.zeros(shape))
