import numpy as np
import pytest

from keras_mmfusion.data import GroupNoise, Split, Vectors


@pytest.fixture
def split():
    random = np.random.default_rng(0)
    speakers = np.repeat([0, 1, 2], 20)
    shift = np.array([[0.0, 0.0], [3.0, 0.0], [0.0, 6.0]])[speakers]
    face = 5 + shift + 0.01 * random.normal(size=(60, 2))
    voice = np.repeat(face[:, None], 4, axis=1)
    voice[:, 3] = 0.0
    return Split(
        {"face": face, "voice": voice},
        labels=np.zeros(60, int),
        groups={"speaker": speakers},
    )


def test_noise_has_the_covariance_of_the_group_means(split):
    face, _ = split.features["face"], split.labels
    means = np.array(
        [np.mean([face[i] for i in range(k, k + 20)], 0) for k in (0, 20, 40)]
    )
    x = np.full((20000, 2), 5.0, np.float32)
    noise = GroupNoise(split, "speaker", {"face": 2.0})
    moved = noise({"face": x}, np.random.default_rng(1))["face"] - x
    expected = 4 * np.cov(means.T, bias=True)
    np.testing.assert_allclose(np.cov(moved.T), expected, rtol=0.05, atol=0.3)
    np.testing.assert_allclose(moved.mean(axis=0), 0, atol=0.1)


def test_all_steps_move_together_and_padding_stays(split):
    noise = GroupNoise(split, "speaker", {"voice": 1.0})
    x = np.pad(split.arrays()[0]["voice"], ((0, 0), (0, 1), (0, 0)))
    x[0] = 0.0  # missing
    moved = noise({"voice": x}, np.random.default_rng(0))["voice"]
    assert not moved[:, 3].any()
    assert not moved[0].any()
    change = (moved - x)[1:, :3]
    np.testing.assert_allclose(change, change[:, :1].repeat(3, 1), atol=1e-5)


def test_joints_and_pictures_move_as_their_values_in_a_row(split):
    x, y = split.arrays()
    flat = {"voice": x["voice"], "face": np.concatenate([x["face"]] * 2, 1)}
    deep = {
        "voice": x["voice"].reshape(60, 3, 2, 1),
        "face": flat["face"].reshape(60, 2, 2),
    }
    moved = []
    for arrays, columns in (
        (flat, {}),
        (deep, {"face": Vectors(deep["face"])}),
    ):
        other = Split({**arrays, **columns}, y, groups=split.groups)
        noise = GroupNoise(other, "speaker", {"voice": 1.0, "face": 2.0})
        moved.append(noise(arrays, np.random.default_rng(0)))
    for name, values in moved[1].items():
        assert values.shape == deep[name].shape
        np.testing.assert_allclose(
            values.reshape(60, -1), moved[0][name].reshape(60, -1), rtol=1e-5
        )


def test_other_modalities_and_the_given_arrays_stay(split):
    noise = GroupNoise(split, "speaker", {"voice": 1.0})
    x, _ = split.arrays()
    before = {name: values.copy() for name, values in x.items()}
    moved = noise(x, np.random.default_rng(0))
    assert moved["face"] is x["face"]
    for name, values in before.items():
        np.testing.assert_array_equal(x[name], values)
    again = noise(x, np.random.default_rng(0))
    np.testing.assert_array_equal(moved["voice"], again["voice"])


def test_wrong_names_and_single_groups_are_refused(split):
    with pytest.raises(ValueError, match="group among"):
        GroupNoise(split, "actor", {"face": 1.0})
    with pytest.raises(ValueError, match="modalities among"):
        GroupNoise(split, "speaker", {"hand": 1.0})
    with pytest.raises(ValueError, match="two or more groups"):
        GroupNoise(split.subset(range(20)), "speaker", {"face": 1.0})
