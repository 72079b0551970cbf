"""Aff-Wild2 as windows of videos: features, faces, folds, bad files."""

import shutil
from itertools import chain, combinations

import numpy as np
import pytest

from keras_mmfusion.data import average_overlaps, load
from keras_mmfusion.data.formats import load_file
from keras_mmfusion.data.formats.affwild2 import (
    consecutive_parts,
    recording,
    six_folds,
)
from keras_mmfusion.data.simulated_affect import simulated_affect
from tests.data.formats import examples as ex
from tests.data.formats.example_folders import (
    affwild2_annotations,
    affwild2_features,
)

pytestmark = pytest.mark.once

OFFICIAL = {
    "Train_Set": {"1-30": 70, "5_left": 33, "5_right": 33},
    "Validation_Set": {"7": 52},
}


def test_windows_of_features(tmp_path):
    root = affwild2_features(tmp_path, OFFICIAL)
    data = load(root, window=30, hop=20)
    assert data.task == "regression"
    assert data.class_names == ["valence", "arousal"]
    assert data.shapes == {"video": (None, 6), "audio": (None, 4)}
    assert data.train.ids[:4] == [
        "1-30/00001-00030",
        "1-30/00021-00050",
        "1-30/00041-00070",
        "5_left/00001-00030",
    ]
    assert data.valid.labels.shape == (3, 30, 2)
    assert data.train.groups["recording"].tolist()[3:] == ["5"] * 4
    truth = average_overlaps(data.train.labels, data.train.ids)
    inputs, _ = data.train.arrays()
    for name, frames in OFFICIAL["Train_Set"].items():
        wanted = affwild2_annotations(name, frames)
        np.testing.assert_allclose(truth[name], wanted, atol=1e-6)
        assert (truth[name] == -5).any()
        for modality in ("video", "audio"):
            stored = np.load(root / "features" / modality / f"{name}.npy")
            found = average_overlaps(inputs[modality], data.train.ids)
            np.testing.assert_array_equal(found[name], stored)
    assert "annotated steps" in data.describe()


def test_whole_videos(tmp_path):
    root = affwild2_features(tmp_path, OFFICIAL)
    whole = load(root, window="video")
    assert whole.train.ids == [
        "1-30/00001-00070",
        "5_left/00001-00033",
        "5_right/00001-00033",
    ]
    assert whole.train.labels.shape == (3, 70, 2)
    assert whole.valid.labels.shape == (1, 52, 2)
    assert whole.train.lengths()["audio"].tolist() == [70, 33, 33]


def test_dropped_frames_as_published(tmp_path):
    root = affwild2_features(tmp_path, OFFICIAL)
    data = load(root, window=30, hop=20, unannotated="drop")
    truth = average_overlaps(data.train.labels, data.train.ids)
    inputs, _ = data.train.arrays()
    audio = average_overlaps(inputs["audio"], data.train.ids)
    y = affwild2_annotations("1-30", 70)
    kept = (y != -5).any(axis=1)
    assert 0 < kept.sum() < 70
    np.testing.assert_allclose(truth["1-30"], y[kept], atol=1e-6)
    stored = np.load(root / "features/audio/1-30.npy")
    np.testing.assert_array_equal(audio["1-30"], stored[kept])
    # A frame with one of the two labels stays.
    assert (truth["1-30"] == -5).any()


def test_windows_of_faces(tmp_path):
    data = load(ex.affwild2(tmp_path), window=4, hop=2)
    assert data.shapes == {"video": (None, 12, 12, 3)}
    assert data.train.ids == ["1-30/00001-00004", "1-30/00002-00005"]
    face = data.train.features["video"][1]
    assert face.shape == (4, 12, 12, 3)
    np.testing.assert_allclose(face[:, 5, 5, 0], [40, 0, 80, 0], atol=2)
    np.testing.assert_allclose(
        data.train.labels[1],
        [[-5, -5], [0.3, 0.4], [-1, 1], [0.5, -5]],
        rtol=1e-6,
    )


def test_faces_beside_features_of_sound(tmp_path):
    root = ex.affwild2(tmp_path)
    for video in ("1-30", "7_left"):
        path = root / f"features/audio/{video}.npy"
        path.parent.mkdir(parents=True, exist_ok=True)
        np.save(path, np.ones((5, 9, 6)))
    data = load(root, window=4, hop=2)
    assert data.shapes == {"video": (None, 12, 12, 3), "audio": (None, 9, 6)}
    moved = tmp_path / "elsewhere"
    (root / "features").rename(moved)
    assert load(root, window=4, features=moved).modalities == [
        "video",
        "audio",
    ]
    np.save(moved / "audio/1-30.npy", np.ones((5, 9, 6)))
    shutil.copytree(moved / "audio", moved / "video")
    assert load(root, window=4, features=moved).shapes["video"] == (None, 9, 6)
    with pytest.raises(ValueError, match="Give one of them"):
        load(root, window=4, features=moved, images=root / "cropped_aligned")


def test_a_few_frames_more_or_fewer_are_said(tmp_path):
    root = affwild2_features(tmp_path, OFFICIAL)
    path = root / "features/audio"
    long, short = np.load(path / "1-30.npy"), np.load(path / "5_left.npy")
    np.save(path / "1-30.npy", np.concatenate([long, long[:3]]))
    np.save(path / "5_left.npy", short[:-2])
    with pytest.warns(UserWarning, match=r"2 of 3 videos have -2 to 3 frames"):
        data = load(root, window=30, hop=20)
    inputs, _ = data.train.arrays()
    audio = average_overlaps(inputs["audio"], data.train.ids)
    np.testing.assert_array_equal(audio["1-30"], long)
    np.testing.assert_array_equal(audio["5_left"][:-2], short[:-2])
    assert not audio["5_left"][-2:].any()


def bad(change, message, **options):
    return change, message, options


def save(name, array):
    return lambda root: np.save(root / "features" / name, array)


BAD = {
    "many frames more": bad(
        save("audio/7.npy", np.ones((68, 4))), "7.npy.*52 frames.*: 68"
    ),
    "many frames fewer": bad(
        save("audio/7.npy", np.ones((36, 4))), "7.npy.*another frame rate"
    ),
    "another width": bad(
        save("video/5_right.npy", np.ones((33, 5))), r"5_right.*\(33, 5\)"
    ),
    "one axis": bad(save("video/1-30.npy", np.ones(70)), r"\(frames, ...\)"),
    "objects": bad(
        save("video/1-30.npy", np.array([{}] * 70, object)), "pickles|plain"
    ),
    "no features of a video": bad(
        lambda root: (root / "features/audio/7.npy").unlink(),
        "7.npy: no such file",
    ),
    "no modality": bad(
        lambda root: shutil.rmtree(root / "features"), "no such folder"
    ),
    "an empty folder": bad(
        lambda root: (
            shutil.rmtree(root / "features"),
            (root / "features").mkdir(),
        ),
        "has no folders",
    ),
    "annotation without a frame": bad(
        lambda root: next(root.rglob("1-30.txt")).write_text(
            "valence,arousal\n"
        ),
        "the header alone",
    ),
    "three columns": bad(
        lambda root: next(root.rglob("1-30.txt")).write_text(
            "valence,arousal\n0,0,0\n"
        ),
        "line 2",
    ),
    "a video in both splits": bad(
        lambda root: shutil.copy(
            next(root.rglob("7.txt")), next(root.rglob("Train_Set"))
        ),
        r"share samples: \['7'\]",
    ),
    "two folders for train": bad(
        lambda root: shutil.copytree(
            next(root.rglob("Validation_Set")),
            next(root.rglob("Train_Set")).with_name("Training_Set"),
        ),
        "'train'.*Train_Set and Training_Set",
    ),
    "window of nothing": bad(None, "`window`", window=0),
    "hop beyond the window": bad(None, "at most `window`", hop=31),
    "fold 6": bad(None, "`fold` must be", fold=6),
    "folds of too few videos": bad(None, "5 recordings or more", fold=1),
    "unknown choice": bad(None, "'keep' or 'drop'", unannotated="ignore"),
    "a video in two lists": bad(
        None,
        "'7' is in two folds",
        folds={"train": ["7"], "valid": ["7"]},
    ),
    "a list of a video without annotations": bad(
        None, r"annotations: \['8'\]", folds={"train": ["7", "8"]}
    ),
    "features without a window": bad(None, "window=300", window=None),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_folders(case, tmp_path):
    change, message, options = BAD[case]
    root = affwild2_features(tmp_path, OFFICIAL)
    if change is not None:
        change(root)
    with pytest.raises(ValueError, match=message):
        load(root, **{"window": 30, "hop": 20} | options)


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e300])
def test_features_that_are_no_numbers_are_refused_when_read(value, tmp_path):
    root = affwild2_features(tmp_path, OFFICIAL)
    array = np.load(root / "features/audio/7.npy").astype(np.float64)
    array[40, 1] = value
    np.save(root / "features/audio/7.npy", array)
    data = load(root, window=30, hop=20)
    assert data.valid.features["audio"][0].shape == (30, 4)
    with pytest.raises(ValueError, match=r"7\.npy.*(NaN|infinity)"):
        data.valid.features["audio"][2]


def test_faces_of_many_more_frames(tmp_path):
    root = ex.affwild2(tmp_path)
    folder = root / "cropped_aligned/1-30"
    shutil.copy(folder / "00001.jpg", folder / "00099.jpg")
    with pytest.raises(ValueError, match="a face in frame 99"):
        load(root, window=4)


def names_like_the_real_ones(count, seed=0):
    random = np.random.default_rng(seed)
    names = []
    for number in random.permutation(1000).tolist():
        side = random.uniform() < 0.2
        names += (
            [f"{number}_left", f"{number}_right"] if side else [f"{number}"]
        )
    return names[:count]


@pytest.mark.parametrize("seed", range(3))
def test_six_folds_cover_each_video_once_and_part_no_recording(seed):
    names = names_like_the_real_ones(432, seed)
    if recording(names[355]) == recording(names[356]):
        names.insert(0, names.pop(356))
    train, valid = names[:356], names[356:]
    folds = six_folds(train, valid)
    assert folds == six_folds(train[::-1], valid[::-1])
    parts = [fold["valid"][0] for fold in folds]
    assert sorted(chain(*parts)) == sorted(names)
    for a, b in combinations(parts, 2):
        assert not {recording(n) for n in a} & {recording(n) for n in b}
    for fold in folds:
        members = [*fold["train"], *fold["valid"]]
        assert sorted(map(sorted, members)) == sorted(map(sorted, parts))
    # Fold 0 is the official split; the published default is fold 1: official
    # validation and parts 1 to 4, validated on the fifth, videos 284 to 355.
    assert folds[0]["valid"] == [sorted(valid)]
    training = folds[0]["train"]
    assert folds[1] == {
        "train": [sorted(valid), *training[:4]],
        "valid": training[4:],
    }
    sizes = [len(part) for part in training]
    assert all(
        abs(size - wanted) <= 1
        for size, wanted in zip(sizes, [71, 71, 71, 71, 72], strict=True)
    )


def test_parts_are_cut_at_recordings():
    names = ["1", "2_left", "2_right", "3", "4-left", "4-right"]
    assert consecutive_parts(names, 3) == [
        ["1", "2_left", "2_right"],
        ["3"],
        ["4-left", "4-right"],
    ]
    assert consecutive_parts(["1_left", "1_right", "2", "3"], 3) == [
        ["1_left", "1_right"],
        ["2"],
        ["3"],
    ]
    with pytest.raises(ValueError, match="Received: 4"):
        consecutive_parts(names, 5)


def test_folds_and_lists(tmp_path):
    official = {
        "Train_Set": dict.fromkeys("abcdef", 20),
        "Validation_Set": {"u": 20, "v": 20},
    }
    root = affwild2_features(tmp_path, official)
    seen = []
    for fold in range(6):
        data = load(root, window=20, hop=20, fold=fold)
        assert data.check_leaks() == []
        videos = [i.split("/")[0] for i in data.valid.ids]
        assert len(data.train) == 8 - len(videos)
        seen.append(videos)
    assert seen[0] == ["u", "v"]
    assert seen[1] == ["e", "f"]
    assert sorted(chain(*seen)) == sorted("abcdefuv")
    folds = {"train": ["a", "u"], "valid": ["b"], "test": ["c"]}
    data = load(root, window=20, folds=folds)
    assert data.test.ids == ["c/00001-00020"]
    assert data.train.groups["video"].tolist() == ["a", "u"]


def test_two_people_of_one_recording_in_two_splits_are_a_leak(tmp_path):
    official = {
        "Train_Set": {"5_left": 20},
        "Validation_Set": {"5_right": 20},
    }
    root = affwild2_features(tmp_path, official)
    (leak,) = load_file(root, window=20).check_leaks()
    assert (leak.kind, leak.values) == ("recording", ["5"])


def test_simulated_folder(tmp_path):
    folder = simulated_affect(
        tmp_path, {"train": [60, 40], "valid": [30]}, seed=3
    )
    data = load(folder, window="video")
    assert data.shapes == {"video": (None, 512), "audio": (None, 128)}
    assert data.train.groups["recording"].tolist() == ["train0", "train0"]
    video = data.train.features["video"][0].any(axis=1)
    assert video.sum() == 40  # no face in a third of the frames
    labels = data.train.labels[0]
    annotated = labels[:, 0] != -5
    assert 40 < annotated.sum() < 60
    again = simulated_affect(tmp_path / "b", {"train": [60, 40]}, seed=3)
    for name in ("train0_left.txt", "train0_right.txt"):
        texts = [
            next(root.glob(f"Annotations/*/{name}")).read_text()
            for root in (folder, again)
        ]
        assert texts[0] == texts[1]
