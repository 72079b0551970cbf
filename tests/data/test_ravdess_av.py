import numpy as np
import pytest

from keras_mmfusion.data.ravdess_av import read_ravdess_av
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
    assert fold.shapes == {"audio": (486,), "video": (35,)}
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


@pytest.mark.parametrize(
    ("test", "valid"), [([1], [1]), ([99], [2]), ([1, 2, 3], [4, 5, 6])]
)
def test_wrong_actors_are_refused(path, test, valid):
    with pytest.raises(ValueError, match="different ones among"):
        read_ravdess_av(path, test, valid)


def test_action_units_are_read_as_their_square_roots(tmp_path):
    path = simulated(tmp_path / "ravdess_av.npz", actors=4, clips=8)
    units = np.load(path)["video_au"]
    root = np.sqrt(np.maximum(units, 0))
    train, test = root[8:], root[:8]
    data = read_ravdess_av(path, test_actors=[1], valid_actors=[])
    x = np.array([data.test.features["video"][i] for i in range(8)])
    expected = (test - train.mean(axis=0)) / train.std(axis=0)
    np.testing.assert_allclose(x, expected, atol=1e-5)


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
