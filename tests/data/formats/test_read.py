"""Every format is read to the same data, whatever its conventions."""

import copy
import shutil
import warnings

import numpy as np
import pytest

from keras_mmfusion.data.formats import FORMATS, load_file, load_texts
from tests.data.formats import examples as ex

pytestmark = [
    pytest.mark.once,
    pytest.mark.filterwarnings("ignore:.*(no text|hold words):UserWarning"),
]


def check_three(dataset, rows=None, modalities=("text", "audio", "video")):
    steps = {"text": (6, 8), "audio": (12, 4), "video": (9, 3)}
    for split in ("train", "valid", "test"):
        data = getattr(dataset, split)
        kept = range(ex.COUNTS[split])
        if rows and split in rows:
            kept = rows[split]
        for modality in modalities:
            items = ex.sequences(split, *steps[modality])
            column = data.features[modality]
            for place, index in enumerate(kept):
                np.testing.assert_array_equal(column[place], items[index])
        np.testing.assert_allclose(
            data.labels, ex.sentiment(split)[list(kept)], rtol=1e-6
        )


@pytest.mark.parametrize("name", ex.MAKERS)
def test_format_is_recognised_by_content(name, tmp_path):
    path = ex.MAKERS[name](tmp_path)
    renamed = path.with_name("download")
    path.rename(renamed)
    found = load_file(renamed)
    same = load_file(renamed, format=name)
    assert found.shapes == same.shapes
    assert {k: s.ids for k, s in found.splits.items()} == {
        k: s.ids for k, s in same.splits.items()
    }


@pytest.mark.parametrize("name", ex.MAKERS)
def test_nothing_is_missing_or_nan(name, tmp_path):
    dataset = load_file(ex.MAKERS[name](tmp_path))
    for split in dataset.splits.values():
        for column in split.features.values():
            assert len(column) == len(split)
            for index in range(len(split)):
                item = column[index]
                assert item.dtype == np.float32
                assert np.isfinite(item).all()
                assert len(column.item_shape) == item.ndim


def test_mmsa(tmp_path):
    dataset = load_file(ex.mmsa(tmp_path))
    check_three(dataset)
    assert dataset.task == "regression"
    assert dataset.train.ids[0] == "vidtr$_$0"
    assert dataset.train.groups["video"].tolist() == ["vidtr"] * 5


def test_mmsa_text_ends_with_the_mask_not_with_the_last_bert_vector(tmp_path):
    content = ex.mmsa_content()
    assert content["train"]["text"][0, -1].any()  # a vector at a padded step
    dataset = load_file(ex.dump(tmp_path / "x.pkl", content))
    assert dataset.train.lengths()["text"].tolist() == ex.lengths("train", 6)


def test_mmsa_minus_infinity_in_audio_is_zero_counted_and_said(tmp_path):
    content = ex.mmsa_content()
    content["train"]["audio"][2, 0, :2] = -np.inf
    path = ex.dump(tmp_path / "x.pkl", content)
    with pytest.warns(UserWarning, match=r"train/audio holds 2 .* 1 samples"):
        dataset = load_file(path)
    assert dataset.train.features["audio"][2][0, :2].tolist() == [0, 0]


def test_mmsa_lengths_are_those_of_the_arrays_in_aligned_files(tmp_path):
    content = ex.mmsa_content()
    for entry in content.values():
        del entry["audio_lengths"], entry["vision_lengths"]
    dataset = load_file(ex.dump(tmp_path / "x.pkl", content))
    assert dataset.test.lengths()["audio"].tolist() == ex.lengths("test", 12)


def test_mmsa_padding_side_is_found_and_not_assumed(tmp_path):
    content = ex.mmsa_content()
    for split, entry in content.items():
        entry["audio"] = ex.three(split, "left")["audio"]
    check_three(load_file(ex.dump(tmp_path / "x.pkl", content)))


def test_mmsa_unimodal_labels_of_sims(tmp_path):
    content = ex.mmsa_content()
    for entry in content.values():
        entry["regression_labels_A"] = entry["regression_labels"] / 3
    path = ex.dump(tmp_path / "x.pkl", content)
    dataset = load_file(path, label="regression_labels_A")
    np.testing.assert_allclose(
        dataset.test.labels, ex.sentiment("test") / 3, rtol=1e-6
    )


@pytest.mark.parametrize("protocol", range(6))
def test_mmsa_every_pickle_protocol(protocol, tmp_path):
    check_three(load_file(ex.dump(tmp_path / "x", ex.mmsa_content(), protocol)))


def test_mult_left_padding_becomes_right_padding(tmp_path):
    dataset = load_file(ex.mult(tmp_path))
    check_three(dataset)
    inputs, _ = dataset.train.arrays()
    first = ex.lengths("train", ex.AUDIO_STEPS)[0]
    assert inputs["audio"][0, 0].all()
    assert not inputs["audio"][0, first:].any()
    assert dataset.train.ids[0] == "vtr0_0.5_2.5"  # bytes in the file
    assert dataset.train.groups["video"][0] == "vtr0"


def test_mult_right_padded_file_is_read_too(tmp_path):
    content = ex.mult_content("right")
    check_three(load_file(ex.dump(tmp_path / "x.pkl", content)))


def test_mult_aligned_modalities_stay_aligned(tmp_path):
    """A zero vector at the first word must not shift one modality."""
    content = ex.mult_content()
    for split, count in ex.COUNTS.items():
        for key, width in (("text", 8), ("audio", 4), ("vision", 3)):
            array = np.zeros((count, 10, width), np.float32)
            array[:, 4:] = np.arange(1, 7)[:, None]
            content[split][key] = array
    content["train"]["text"][0, 4] = 0  # an unknown word
    dataset = load_file(ex.dump(tmp_path / "x.pkl", content))
    text, audio = (dataset.train.features[m][0] for m in ("text", "audio"))
    assert text[:, 0].tolist() == [0, 2, 3, 4, 5, 6]
    assert audio[:, 0].tolist() == [1, 2, 3, 4, 5, 6]


def test_mult_a_hole_inside_stays_valid(tmp_path):
    content = ex.mult_content()
    row = content["test"]["vision"][0]
    row[-3] = 0
    length = ex.lengths("test", ex.VIDEO_STEPS)[0]
    assert length > 3
    dataset = load_file(ex.dump(tmp_path / "x.pkl", content))
    assert dataset.test.lengths()["video"][0] == length
    assert not dataset.test.features["video"][0][-3].any()


def test_mult_one_hot_emotions_become_binary_heads(tmp_path):
    dataset = load_file(ex.iemocap(tmp_path))
    assert dataset.task == "binary heads"
    assert dataset.class_names == ["neutral", "happy", "sad", "angry"]
    assert dataset.train.labels[0].tolist() == [1, 0, 0, 1]
    assert dataset.train.has_ids is False


def test_mult_two_label_values_are_classes(tmp_path):
    content = ex.multibench_content()
    for entry in content.values():
        entry["labels"] = np.sign(entry["labels"] + 1e-3)
    dataset = load_file(ex.dump(tmp_path / "x.pkl", content))
    assert dataset.task == "classification"
    assert dataset.class_names == ["-1", "1"]
    assert dataset.test.labels.tolist() == [0, 0, 1]


def test_multibench_drops_samples_without_text_and_says_so(tmp_path):
    path = ex.multibench(tmp_path)
    with pytest.warns(UserWarning, match="1 of 5 samples have no text"):
        dataset = load_file(path)
    check_three(dataset, rows={"train": [0, 2, 3, 4]})
    assert dataset.train.ids == ["vtr[0]", "vtr[2]", "vtr[3]", "vtr[4]"]
    whole = load_file(path, drop_silent=False)
    assert len(whole.train) == 5
    assert whole.train.lengths()["text"][1] == 0


def test_integer_ids_in_rows_become_names(tmp_path):
    content = ex.multibench_content()
    for start, split in enumerate(ex.COUNTS):
        rows = np.arange(ex.COUNTS[split])[:, None] + 100 * start
        content[split]["id"] = rows
    dataset = load_file(ex.dump(tmp_path / "x.pkl", content))
    assert dataset.valid.ids == ["100", "101"]


def test_object_arrays_of_names_are_read(tmp_path):
    content = ex.mmsa_content()
    for split, entry in content.items():
        entry["id"] = np.asarray(ex.names(split, "{}{}"), dtype=object)
        entry["raw_text"] = entry["raw_text"].astype(object)
    dataset = load_file(ex.dump(tmp_path / "x.pkl", content))
    assert dataset.test.ids == ["te0", "te1", "te2"]


def test_mag_and_misa(tmp_path):
    for name in ("mag", "misa"):
        path = ex.MAKERS[name](tmp_path)
        dataset = load_file(path)
        record = ex.records("valid", 3)[1]
        np.testing.assert_allclose(
            dataset.valid.features["video"][1], record[0][1], rtol=1e-6
        )
        np.testing.assert_allclose(
            dataset.valid.features["audio"][1], record[0][2], rtol=1e-6
        )
        assert dataset.valid.labels.tolist() == [-1.5, -0.5]
        assert dataset.valid.groups["video"].tolist() == ["vva", "vva"]
        assert load_texts(path)["valid"][1] == ["w0", "w1", "w2"]


def test_misa_word_ids_are_a_modality(tmp_path):
    dataset = load_file(ex.misa(tmp_path))
    ids = dataset.test.features["text"][1]
    assert ids.tolist() == [[2], [3], [4]]


def test_mag_words_may_be_ids(tmp_path):
    content = {
        key: [
            ((np.arange(2, 2 + len(f[1])), *f[1:]), y, s)
            for f, y, s in ex.records(split, 3)
        ]
        for key, split in (
            ("train", "train"),
            ("dev", "valid"),
            ("test", "test"),
        )
    }
    dataset = load_file(ex.dump(tmp_path / "x.pkl", content))
    assert dataset.train.features["text"][0].tolist() == [[2], [3]]


def test_seven_labels_are_kept(tmp_path):
    """MISA's MOSEI has the sentiment and six emotions."""
    path = ex.misa(tmp_path)
    for key in ("train", "dev", "test"):
        split = {"dev": "valid"}.get(key, key)
        rows = [
            (f, np.arange(7.0)[None] + y, s) for f, y, s in ex.records(split, 4)
        ]
        ex.dump(path / f"{key}.pkl", rows)
    assert load_file(path).train.labels.shape == (5, 7)


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


def test_reading_leaves_no_warning_where_nothing_is_changed(tmp_path):
    quiet = set(ex.MAKERS) - {"multibench", "csd"}
    for name in sorted(quiet):
        inner = tmp_path / name
        inner.mkdir()
        path = ex.MAKERS[name](inner)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            load_file(path)


def test_silence_at_the_start_is_not_padding(tmp_path):
    """Right-padded rows that begin with zeros, some of them full."""
    content = ex.mmsa_content()
    for split, entry in content.items():
        del entry["audio_lengths"]
        entry["audio"][0, :] = 1
        entry["audio"][0, 0] = 0
        for row, length in zip(
            entry["audio"], ex.lengths(split, 12), strict=True
        ):
            row[: min(1, length - 1)] = 0
    lengths = ex.lengths("train", 12)
    lengths[0] = 12
    dataset = load_file(ex.dump(tmp_path / "x.pkl", content))
    assert dataset.train.lengths()["audio"].tolist() == lengths


def test_the_content_given_is_not_changed_by_reading(tmp_path):
    content = ex.mult_content()
    before = copy.deepcopy(content)
    load_file(ex.dump(tmp_path / "x.pkl", content))
    for split in content:
        for key, value in content[split].items():
            np.testing.assert_array_equal(value, before[split][key])


def test_every_format_has_an_example():
    assert set(FORMATS) == set(ex.MAKERS)
