"""Every format is read to the same data, whatever its conventions."""

import copy
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
    own = {"arrays"}  # has its own file, test_own_arrays.py
    assert set(FORMATS) - own == set(ex.MAKERS)
