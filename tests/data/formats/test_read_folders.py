"""Folders are read to the same data, whatever their conventions."""

import shutil

import numpy as np
import pytest

from keras_mmfusion.data.formats import load_file
from keras_mmfusion.data.formats.ntu_rgbd import tracked
from tests.data.formats import examples as ex
from tests.data.formats.test_read import check_three

pytestmark = [
    pytest.mark.once,
    pytest.mark.filterwarnings("ignore:.*hold words:UserWarning"),
]


def test_msaf_npy(tmp_path):
    path = ex.msaf_npy(tmp_path)
    dataset = load_file(path)
    check_three(dataset)
    emotions = load_file(path, label=None)
    assert emotions.valid.labels.shape == (2, 7)
    assert load_file(path, label=6).valid.labels.tolist() == [9, 9]


def test_msaf_ravdess(tmp_path):
    path = ex.msaf_ravdess(tmp_path)
    dataset = load_file(path)
    assert dataset.train.ids[0] == "01-01-03-01-01-01-01"
    assert dataset.train.labels.tolist() == [2, 2, 3, 3, 4, 4]
    audio = dataset.train.features["audio"][1]
    assert audio.shape == (7, 13)
    assert audio[:, 0].tolist() == [1, 2, 3, 4, 5, 6, 7]
    # 10.jpg after 9.jpg; red first; 0 to 255.
    video = dataset.train.features["video"][0]
    np.testing.assert_allclose(video[:, 5, 5, 2], np.arange(11) * 10, atol=3)
    np.testing.assert_allclose(video[:, 5, 5, 0], 200, atol=3)


def test_msaf_ravdess_by_actors(tmp_path):
    path = ex.msaf_ravdess(tmp_path)
    dataset = load_file(path, folds={"train": ["01", "02"], "test": ["03"]})
    assert set(dataset.test.groups["speaker"]) == {"03"}
    assert len(dataset.train) == 4


def test_merbench(tmp_path):
    path = ex.merbench(tmp_path)
    dataset = load_file(path)
    assert dataset.task == "regression"
    assert dataset.test.labels.tolist() == [0, 0.5, 1]
    vector = np.random.default_rng(0).normal(size=6)
    np.testing.assert_allclose(
        dataset.train.features["hubert-UTT"][0], vector, rtol=1e-6
    )
    assert dataset.train.lengths()["clip-FRA"].tolist() == [1, 2, 3, 4, 1]
    renamed = load_file(path / "label.npz", features={"audio": "hubert-UTT"})
    assert renamed.shapes == {"audio": (6,)}


def test_merbench_frames_in_a_folder_of_files(tmp_path):
    path = ex.merbench(tmp_path)
    sample = path / "features/clip-FRA/vtr_0.npy"
    frames = path / "features/clip-FRA/vtr_0"
    frames.mkdir()
    for frame in range(3):
        np.save(frames / f"{frame:03d}.npy", np.full((1, 5), frame + 1.0))
    sample.unlink()
    item = load_file(path).train.features["clip-FRA"][0]
    assert item[:, 0].tolist() == [1, 2, 3]


def test_merbench_classes_sessions_and_other_test_sets(tmp_path):
    path = ex.merbench(tmp_path)
    samples = [f"Ses0{i}F_{j}" for i in (1, 2) for j in range(3)]
    for level, width in (("hubert-UTT", 6), ("clip-FRA", 5)):
        for name in samples:
            np.save(path / "features" / level / f"{name}.npy", np.ones(width))
    (path / "label.npz").unlink()
    label = ex.label_npz(path / "label_4way.npz", True, whole=samples)
    dataset = load_file(path)
    assert dataset.task == "classification"
    assert len(dataset.train) == 6
    folds = {"train": ["01"], "test": ["02"]}
    assert len(load_file(label, folds=folds).test) == 3
    label.unlink()
    ex.label_npz(
        path / "label-6way.npz", True, train=samples[:3], test2=samples[3:]
    )
    assert load_file(path, test="test2").test.ids == samples[3:]


def test_csd_steps_are_those_that_overlap_the_segment(tmp_path):
    dataset = load_file(ex.csd(tmp_path))
    assert dataset.modalities == ["audio", "video"]
    assert dataset.train.ids == ["a[0]", "a[1]", "b[0]", "b[1]"]
    assert dataset.train.labels.tolist() == [0.5, 0, 1.5, -1]
    assert dataset.valid.ids == ["c[0]", "c[1]"]
    # Segment [0, 2] at 10 Hz; segment [3, 5.5] at 1 Hz.
    audio = dataset.train.features["audio"][2]
    np.testing.assert_array_equal(
        audio, 100 + np.arange(80, dtype=np.float32).reshape(20, 4) + 1
    )
    video = dataset.train.features["video"][3]
    assert video[:, 0].tolist() == [4, 5, 6]
    # A video that has no such sequence: missing, not dropped.
    assert dataset.test.lengths()["video"].tolist() == [0, 0]


def test_csd_folds_by_hand_and_names_by_hand(tmp_path):
    path = ex.csd(tmp_path)
    dataset = load_file(
        path,
        folds={"train": ["d"], "test": ["a", "b"]},
        modalities={"sound": "CMU_MOSI_COVAREP"},
        labels="Opinion Labels",
    )
    assert dataset.shapes == {"sound": (None, 4)}
    assert len(dataset.test) == 4
    assert dataset.valid is None
    (path / "cmu_mosi_std_folds.py").unlink()
    with pytest.warns(UserWarning, match="all samples are in `train`"):
        assert len(load_file(path).train) == 8


def test_csd_of_aligned_entries(tmp_path):
    path = ex.csd(tmp_path)
    file = path / "CMU_MOSI_COVAREP.csd"
    file.unlink()
    entries = {
        f"{video}[{segment}]": (np.full((2 + segment, 4), 5.0), times)
        for video in "abcd"
        for segment in (0, 1)
        for times in [ex.times(2 + segment, 1.0)]
    }
    ex.csd_file(file, "COVAREP", entries)
    dataset = load_file(path)
    assert dataset.train.lengths()["audio"].tolist() == [2, 3, 2, 3]


def test_csd_infinite_features_are_zero_and_said(tmp_path):
    path = ex.csd(tmp_path)
    import h5py

    with h5py.File(path / "CMU_MOSI_COVAREP.csd", "r+") as file:
        file["COVAREP/data/a/features"][0, :3] = [-np.inf, np.nan, np.inf]
    dataset = load_file(path)
    with pytest.warns(UserWarning, match="'a' holds 3 values"):
        item = dataset.train.features["audio"][0]
    assert item[0].tolist() == [0, 0, 0, 4]


def test_ntu_mmaction_persons_and_protocols(tmp_path):
    path = ex.ntu_mmaction(tmp_path)
    dataset = load_file(path)
    content = ex.ntu_content()
    for index in range(4):
        clip = content["annotations"][index]
        item = dataset.train.features["skeleton"][index]
        assert item.shape == (clip["total_frames"], 2, 17, 2)
        for person, points in enumerate(clip["keypoint"]):
            np.testing.assert_array_equal(item[:, person], points)
        assert not item[:, len(clip["keypoint"]) :].any()
    assert dataset.test.labels.tolist() == [0, 6]
    assert set(dataset.test.groups["subject"]) == {3}
    assert len(load_file(path, protocol="xview").train) == 5


def test_ntu_mmaction_3d_has_no_scores(tmp_path):
    path = ex.dump(tmp_path / "x.pkl", ex.ntu_content(3))
    assert load_file(path).shapes == {"skeleton": (None, 2, 17, 3)}


def test_ntu_skeleton(tmp_path):
    path = ex.ntu_skeleton(tmp_path)
    dataset = load_file(path)
    assert dataset.train.labels.tolist() == [0, 49, 0, 49]
    item = dataset.train.features["skeleton"][1]
    assert item.shape == (4, 2, 25, 3)
    # x = 0.5 + body + joint/100, y = frame, z = joint in the made files.
    np.testing.assert_allclose(item[2, 1, 7], [1.57, 2, 7], rtol=1e-6)
    assert not dataset.train.features["skeleton"][0][:, 1].any()
    assert len(load_file(path, protocol="xview").test) == 6


def test_ntu_skeleton_keeps_the_bodies_seen_most(tmp_path):
    path = tmp_path / "skeletons"
    path.mkdir()
    joint = "1 2 3 0 0 0 0 0 0 0 0 2"
    lines = ["3"]
    for ids in (["111111111111111111"], ["72057594037931101"] * 1, None):
        chosen = ids or ["72057594037931101", "72057594037931102"]
        lines.append(str(len(chosen)))
        for body in chosen:
            lines += [f"{body} 0 0 0 0 0 0 0 0 2", "25"]
            first = float(body[-3:])
            lines += [joint.replace("1", f"{first}", 1)] * 25
    file = path / f"{ex.ntu_name(1, 1)}.skeleton"
    file.write_text("\n".join(lines))
    (item,) = (load_file(path, bodies=1).train.features["skeleton"][0],)
    # Ids that differ in the last digit are two bodies.
    assert item[:, 0, 0, 0].tolist() == [0, 101, 101]


def test_ntu_skeleton_without_a_body_is_missing(tmp_path):
    path = tmp_path / "skeletons"
    path.mkdir()
    file = path / f"{ex.ntu_name(1, 1)}.skeleton"
    file.write_text("3\n0\n0\n0\n")
    assert load_file(path).train.lengths()["skeleton"].tolist() == [0]


def test_ntu_rgbd(tmp_path):
    dataset = load_file(ex.ntu_rgbd(tmp_path), frames=3, size=8)
    assert dataset.shapes["video"] == (None, 8, 8, 3)
    assert len(dataset.train) == 4
    assert dataset.test.ids == [ex.ntu_name(3, 1), ex.ntu_name(3, 50)]
    # The fourth video has 8 frames, of brightness 0, 20, ..., 140: the first,
    # the middle one and the last.
    video = dataset.train.features["video"][3]
    np.testing.assert_allclose(video[0], 0, atol=4)
    np.testing.assert_allclose(video[1], 80, atol=4)
    np.testing.assert_allclose(video[2], 140, atol=4)


def test_ntu_rgbd_shorter_videos_repeat_frames(tmp_path):
    dataset = load_file(ex.ntu_rgbd(tmp_path), frames=12, size=8)
    video = dataset.train.features["video"][0]  # of 5 frames
    assert video.shape == (12, 8, 8, 3)
    assert dataset.train.lengths()["video"].tolist() == [12] * 4
    brightness = video.mean(axis=(1, 2, 3))
    assert (np.diff(brightness) > -1).all()
    np.testing.assert_allclose(brightness[-1], 80, atol=4)


def test_ntu_rgbd_untracked_clips_can_be_left_out(tmp_path):
    path = ex.ntu_rgbd(tmp_path)
    name = ex.ntu_name(1, 1)
    (path / f"nturgb+d_skeletons/{name}.skeleton").write_text("2\n0\n0\n")
    train = load_file(path).train
    assert len(train) == 4
    assert name not in tracked(train).ids
    assert len(tracked(train)) == 3


def test_affwild2(tmp_path):
    dataset = load_file(ex.affwild2(tmp_path))
    # Frames 2 and 5 are not annotated; frame 3 has no image.
    assert dataset.train.ids == ["1-30/00001", "1-30/00003", "1-30/00004"]
    assert dataset.train.labels[1].tolist() == [0.3, 0.4]
    assert dataset.valid.groups["video"].tolist() == ["7_left"] * 3
    assert dataset.train.lengths()["video"].tolist() == [1, 0, 1]
    face = dataset.train.features["video"][2]
    np.testing.assert_allclose(face, 80, atol=2)
    assert not dataset.train.features["video"][1].any()


def test_affwild2_images_elsewhere(tmp_path):
    path = ex.affwild2(tmp_path)
    moved = tmp_path / "faces"
    (path / "cropped_aligned").rename(moved)
    assert load_file(path, images=moved).shapes == {"video": (12, 12, 3)}


@pytest.mark.parametrize("compressed", [True, False])
def test_utd_mhad(compressed, tmp_path):
    dataset = load_file(ex.utd_mhad(tmp_path, compressed))
    assert dataset.train.ids[:3] == ["a1_s1_t1", "a1_s3_t1", "a2_s1_t1"]
    assert dataset.test.labels.tolist() == [0, 1, 9]
    arrays = ex.utd_arrays(10, 2)
    column = dataset.test.features
    np.testing.assert_allclose(
        column["skeleton"][2], arrays["skeleton"].transpose(2, 0, 1), rtol=1e-6
    )
    np.testing.assert_allclose(column["inertial"][2], arrays["inertial"])
    assert column["depth"][2].shape == (13, 240, 320)
    assert column["depth"][2][3, 4, 5] == 1002


def test_utd_mhad_of_one_modality_and_other_subjects(tmp_path):
    path = ex.utd_mhad(tmp_path)
    shutil.rmtree(path / "Depth")
    folds = {"train": ["1"], "valid": ["2"], "test": ["3"]}
    dataset = load_file(path, folds=folds)
    assert dataset.modalities == ["skeleton", "inertial"]
    assert [len(s) for s in dataset.splits.values()] == [3, 3, 3]
