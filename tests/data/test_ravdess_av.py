import numpy as np
import pytest

from keras_mmfusion.data.ravdess_av import read_ravdess_av, speech_statistics
from tests.data.ravdess_file import simulated


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
    assert fold.shapes == {"audio": (283,), "video": (35,)}
    assert len(fold.train) == 24
    assert fold.test.ids[0] == "clip 0"


def test_training_actors_alone_standardise(path):
    fold = read_ravdess_av(path, [1], [2])
    x = np.array([fold.train.features["video"][i] for i in range(32)])
    np.testing.assert_allclose(x.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(x.std(axis=0), 1, atol=1e-4)
    x = np.array([fold.train.features["audio"][i] for i in range(32)])
    np.testing.assert_allclose(x.mean(axis=0), 0, atol=1e-4)
    other = read_ravdess_av(path, [3], [2])
    assert not np.allclose(
        other.valid.features["video"][0], fold.valid.features["video"][0]
    )


def test_statistics_are_of_what_is_loud():
    random = np.random.default_rng(0)
    frames = np.full((60, 3), -13.0)
    frames[20:44] = random.normal(size=(24, 3))  # 40 % of the frames
    x = speech_statistics(frames).reshape(-1, 3)
    loud = frames[20:44]
    np.testing.assert_allclose(x[0], loud.mean(axis=0), atol=1e-5)
    np.testing.assert_allclose(x[1], loud.std(axis=0), rtol=1e-5)
    np.testing.assert_allclose(x[2], np.percentile(loud, 90, axis=0), 1e-5)
    differences = np.diff(frames, axis=0).std(axis=0)
    np.testing.assert_allclose(x[3], differences, rtol=1e-5)
    # Five frames before and after: frames 15 to 48.
    thirds = [frames[a:b].mean(axis=0) for a, b in ((15, 27), (38, 49))]
    np.testing.assert_allclose(x[[4, 6]], thirds, rtol=1e-5)
    energy = frames.mean(axis=1)
    np.testing.assert_allclose(x[7], [energy.std(), energy.max(), 24], 1e-5)


@pytest.mark.parametrize("loud", [0, 5, 9])
def test_a_click_in_a_short_clip_gives_finite_numbers(loud):
    frames = np.zeros((10, 2))
    frames[loud] = 5.0
    assert np.isfinite(speech_statistics(frames)).all()


def test_silence_throughout_gives_finite_numbers():
    assert np.isfinite(speech_statistics(np.full((32, 2), -13.0))).all()


def test_clips_of_a_few_frames_are_refused():
    with pytest.raises(ValueError, match="8 frames or more"):
        speech_statistics(np.zeros((7, 2)))


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


def test_all_other_actors_may_train(tmp_path):
    path = simulated(tmp_path / "ravdess_av.npz", actors=4, clips=8)
    data = read_ravdess_av(path, test_actors=[1], valid_actors=[])
    assert data.valid is None
    assert set(data.train.groups["actor"]) == {2, 3, 4}
