import numpy as np
import pytest
from scipy.fft import dctn

from keras_mmfusion.data import LetterAugmentation
from keras_mmfusion.data.avletters import (
    lips_channels,
    lips_input,
    lips_waves,
    mfcc_input,
    read_avletters,
)
from tests.data.avletters_file import simulated

pytestmark = pytest.mark.once


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return simulated(tmp_path_factory.mktemp("avletters") / "avletters.npz")


@pytest.mark.parametrize(
    ("by", "test", "valid", "train"),
    [("speaker", [3], [1], {0, 2}), ("repetition", [3], [], {1, 2})],
)
def test_splits_share_no_speaker_or_no_repetition(path, by, test, valid, train):
    data = read_avletters(path, by, test, valid)
    assert set(data.test.groups[by].tolist()) == set(test)
    assert set(data.train.groups[by].tolist()) == train
    assert (data.valid is None) == (not valid)
    total = sum(len(split) for split in data.splits.values())
    assert total == 36
    assert data.shapes == {"audio": (None, 39), "lips": (None, 144)}
    assert data.class_names[1] == "B"
    first = data.test.ids[0].split("_")
    assert data.test.labels[0] == int(first[0])
    assert data.test.groups["series"][0] == 26 * int(first[2]) + int(first[0])


def test_lips_are_waves_of_what_moves():
    clip = np.random.default_rng(0).integers(0, 256, (9, 30, 40))
    x = lips_input(clip)
    moving = clip - clip.mean(axis=0)
    waves = dctn(moving / moving.std(), axes=(1, 2), norm="ortho")
    np.testing.assert_allclose(lips_waves(x), waves[:, :12, :6], atol=2e-4)
    np.testing.assert_allclose(
        x[1:-1, 72:], 2.5 * (x[2:, :72] - x[:-2, :72]) / 2, atol=1e-5
    )
    np.testing.assert_allclose(lips_channels(lips_waves(x)), x, atol=1e-5)


def test_skin_light_and_contrast_change_no_lips():
    clip = np.random.default_rng(0).integers(60, 120, (9, 30, 40))
    other = 1.5 * clip + np.linspace(0, 50, 40)
    np.testing.assert_allclose(lips_input(other), lips_input(clip), atol=1e-4)


def test_a_mouth_that_does_not_move_is_missing():
    assert not lips_input(np.full((9, 30, 40), 100)).any()


def test_slopes_of_speech_are_lines_through_five_steps():
    time = np.arange(10.0)
    clip = np.zeros((10, 26))
    clip[:, 3] = 0.52 * time  # 0.52 is its deviation
    clip[:, 13:] = 99  # The slopes of the file are not used.
    x = mfcc_input(clip)
    np.testing.assert_allclose(x[:, 3], time - 4.5, atol=1e-6)
    np.testing.assert_allclose(x[2:-2, 16], 3, atol=1e-5)
    fit = np.polyfit(np.arange(-2, 3), [0, 0, 0, 1, 2], 1)[0]
    np.testing.assert_allclose(x[0, 16], 3 * fit, atol=1e-5)
    assert not np.delete(x, [3, 16, 29], axis=1).any()


def test_augmentation_off_changes_nothing_but_mirrors(path):
    x, _ = read_avletters(path, "speaker", [3], []).train.arrays()
    off = LetterAugmentation(0, 0, 0, 0, 0, 0)
    y = off(x, seed=0)
    # Slopes of slopes look two steps further, into the padding.
    np.testing.assert_allclose(
        y["audio"][..., :26], x["audio"][..., :26], atol=1e-4
    )
    before, after = lips_waves(x["lips"]), lips_waves(y["lips"])
    same = np.abs(after - before).max(axis=(1, 2, 3)) < 1e-4
    assert 0 < same.sum() < len(same)
    np.testing.assert_allclose(
        after[~same][..., ::2], before[~same][..., ::2], atol=1e-4
    )
    np.testing.assert_allclose(
        after[~same][..., 1::2], -before[~same][..., 1::2], atol=1e-4
    )


def test_augmentation_keeps_padding_and_missing_modalities(path):
    x, _ = read_avletters(path, "speaker", [3], []).train.arrays()
    x["lips"][2] = 0
    y = LetterAugmentation()(x, seed=0)
    for m, values in x.items():
        lengths = [np.flatnonzero(v.any(-1)).max(initial=-1) for v in values]
        kept = [np.flatnonzero(v.any(-1)).max(initial=-1) for v in y[m]]
        assert lengths == kept
        assert y[m].shape == values.shape
        assert y[m].dtype == np.float32
        assert np.isfinite(y[m]).all()
    again = LetterAugmentation()(x, seed=0)["lips"]
    np.testing.assert_array_equal(again, y["lips"])


def test_a_shift_moves_the_picture():
    """A bump that lies to the right looks like one that was shifted there."""
    place = np.indices((30, 40))
    wave = np.sin(np.arange(8))[:, None, None]

    def bump(column):
        distance = (place[0] - 15) ** 2 + (place[1] - column) ** 2
        return 100 + 50 * wave * np.exp(-distance / 80)

    from keras_mmfusion.data.letter_augmentation import _moved

    left, right = (lips_waves(lips_input(bump(c))) for c in (18, 22))
    move = _moved(6, 40, np.ones(1), np.full(1, -0.1))[0]
    assert np.abs(left @ move.T - right).max() < 0.1 * np.abs(right).max()
    assert np.abs(left - right).max() > 0.3 * np.abs(right).max()


@pytest.mark.parametrize(
    ("by", "test", "valid"),
    [
        ("speaker", [1], [1]),
        ("speaker", [9], []),
        ("repetition", [1, 2], [3]),
        ("speaker", [], [1]),
        ("letter", [1], [2]),
    ],
)
def test_wrong_splits_are_refused(path, by, test, valid):
    with pytest.raises(ValueError, match=r"different ones|'speaker' or"):
        read_avletters(path, by, test, valid)


def test_clips_of_another_shape_are_refused():
    with pytest.raises(ValueError, match=r"\('T', 30, 40\)"):
        lips_input(np.zeros((5, 60, 80)))
    with pytest.raises(ValueError, match=r"\('T', 26\)"):
        mfcc_input(np.full((5, 26), np.nan))
    with pytest.raises(ValueError, match="at least one step"):
        mfcc_input(np.zeros((0, 26)))


def test_other_files_are_refused(tmp_path):
    other = tmp_path / "other.npz"
    np.savez(other, lips=np.zeros(3))
    with pytest.raises(ValueError, match="without"):
        read_avletters(other, "speaker", [1], [])
    other.write_bytes(b"no zip file")
    with pytest.raises(ValueError, match="damaged or of another format"):
        read_avletters(other, "speaker", [1], [])
    with pytest.raises(OSError, match="nothing"):
        read_avletters(tmp_path / "nothing.npz", "speaker", [1], [])
