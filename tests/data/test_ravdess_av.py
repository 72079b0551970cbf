import numpy as np
import pytest

from keras_mmfusion.data.ravdess_av import read_ravdess_av, speech_windows


def simulated(path, actors=6, clips=8, seed=0):
    """A file of the layout of RAVDESS, with simulated content."""
    random = np.random.default_rng(seed)
    count = actors * clips
    lengths = random.integers(60, 90, count)
    emotion = np.arange(count) % 8
    frames = []
    for length, label in zip(lengths, emotion, strict=True):
        x = random.normal(-13, 0.1, (length, 40))
        loud = slice(15, length - 15)
        x[loud] += 10 + np.eye(40)[label * 5] * 4
        frames.append(x)
    np.savez(
        path,
        audio_logmel=np.concatenate(frames).astype(np.float16),
        audio_offsets=np.cumsum([0, *lengths]),
        video_au=random.normal(size=(count, 35)).astype(np.float32)
        + 2 * np.eye(35, dtype=np.float32)[emotion],
        emotion=emotion.astype(np.int16),
        emotion_names=np.array([f"emotion {i}" for i in range(8)]),
        actor=np.repeat(np.arange(1, actors + 1), clips),
        name=np.array([f"clip {i}" for i in range(count)]),
    )
    return path


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return simulated(tmp_path_factory.mktemp("ravdess") / "ravdess_av.npz")


def test_folds_hold_their_actors_and_share_nobody(path):
    fold = read_ravdess_av(path, test_actors=[1, 2], valid_actors=[4])
    actors = {
        name: np.unique(split.groups["actor"]).tolist()
        for name, split in fold.splits.items()
    }
    assert actors == {"train": [3, 5, 6], "valid": [4], "test": [1, 2]}
    assert fold.check_leaks() == []
    assert fold.shapes == {"audio": (None, 120), "video": (35,)}
    assert len(fold.train) == 24
    assert fold.test.ids[0] == "clip 0"


def test_training_actors_alone_standardise(path):
    fold = read_ravdess_av(path, [1], [2])
    x = np.array([fold.train.features["video"][i] for i in range(32)])
    np.testing.assert_allclose(x.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(x.std(axis=0), 1, atol=1e-4)
    steps = [fold.train.features["audio"][i] for i in range(32)]
    np.testing.assert_allclose(np.concatenate(steps).mean(axis=0), 0, atol=1e-4)
    other = read_ravdess_av(path, [3], [2])
    assert not np.allclose(
        other.valid.features["video"][0], fold.valid.features["video"][0]
    )


def test_speech_windows_are_statistics_of_what_is_loud():
    random = np.random.default_rng(0)
    frames = np.full((64, 3), -13.0)
    speech = random.normal(size=(22, 3))
    frames[20:42] = speech
    windows = speech_windows(frames, window=8)
    # Five frames before and after: frames 15 to 46, four windows.
    assert windows.shape == (4, 9)
    second = frames[23:31]
    expected = [
        *second.mean(axis=0),
        *np.log(second.std(axis=0) + 0.1),
        *np.abs(np.diff(second, axis=0)).mean(axis=0),
    ]
    np.testing.assert_allclose(windows[1], expected, rtol=1e-5)


@pytest.mark.parametrize("loud", [0, 5, 9])
def test_a_click_at_the_ends_of_a_short_clip_gives_a_window(loud):
    frames = np.zeros((10, 2))
    frames[loud] = 5.0
    windows = speech_windows(frames, window=8)
    assert windows.shape == (1, 6)
    assert np.isfinite(windows).all()


def test_silence_throughout_is_kept():
    assert speech_windows(np.full((32, 2), -13.0), window=8).shape == (4, 6)


def test_clips_shorter_than_a_window_are_refused():
    with pytest.raises(ValueError, match="8 frames or more"):
        speech_windows(np.zeros((7, 2)), window=8)


@pytest.mark.parametrize(
    ("test", "valid"), [([1], [1]), ([99], [2]), ([1, 2, 3], [4, 5, 6])]
)
def test_wrong_actors_are_refused(path, test, valid):
    with pytest.raises(ValueError, match="different ones among"):
        read_ravdess_av(path, test, valid)


def test_other_files_are_refused(tmp_path):
    other = tmp_path / "other.npz"
    np.savez(other, x=np.zeros(3))
    with pytest.raises(ValueError, match="without"):
        read_ravdess_av(other, [1], [2])
    other.write_bytes(b"no zip file")
    with pytest.raises(ValueError, match="damaged or of another format"):
        read_ravdess_av(other, [1], [2])
    with pytest.raises(OSError, match="nothing"):
        read_ravdess_av(tmp_path / "nothing.npz", [1], [2])
