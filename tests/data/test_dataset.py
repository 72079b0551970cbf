"""Splits and data sets: counts, labels, leaks, descriptions."""

import numpy as np
import pytest

import keras_mmfusion.data as mmdata
from keras_mmfusion.data import MultimodalDataset, Ragged, Split, Vectors
from keras_mmfusion.data.leaks import find_leaks

pytestmark = pytest.mark.once


def split(count=4, labels=None, **arguments):
    audio = np.ones((count, 3, 2))
    audio[1:, 2] = 0.0
    image = np.ones((count, 5))
    image[0] = 0.0
    return Split(
        {"audio": audio, "image": image},
        np.arange(count) % 2 if labels is None else labels,
        **arguments,
    )


def dataset(**arguments):
    given = {
        "train": split(4),
        "valid": None,
        "test": split(2),
        "name": "toy",
        "task": "classification",
    }
    return MultimodalDataset(**given | arguments)


def test_arrays_are_padded_on_the_right():
    column = Ragged(np.arange(1, 7).reshape(6, 1), [0, 2, 2, 6])
    part = Split({"x": column, "v": np.eye(3)}, [0, 1, 2])
    inputs, labels = part.arrays()
    assert inputs["x"][..., 0].tolist() == [
        [1, 2, 0, 0],
        [0, 0, 0, 0],
        [3, 4, 5, 6],
    ]
    assert inputs["x"].dtype == inputs["v"].dtype == np.float32
    assert labels.tolist() == [0, 1, 2]
    short, _ = part.arrays(max_length=3)
    assert short["x"].shape == (3, 3, 1)
    np.testing.assert_array_equal(short["x"], inputs["x"][:, :3])
    assert part.lengths()["x"].tolist() == [2, 0, 4]


def test_subset_keeps_everything_in_the_given_order():
    part = split(4, ids=list("abcd"), groups={"speaker": list("wxyz")})
    chosen = part.subset([3, 0])
    assert chosen.ids == ["d", "a"]
    assert chosen.labels.tolist() == [1, 0]
    assert chosen.groups["speaker"].tolist() == ["z", "w"]
    assert chosen.features["audio"].lengths().tolist() == [2, 3]
    assert chosen.modalities == ["audio", "image"]
    assert len(part.subset([])) == 0


def test_default_ids_are_not_compared_between_splits():
    assert split(3).ids == ["0", "1", "2"]
    assert dataset().check_leaks() == []
    halves = dataset(train=split(4).subset([0]), test=split(4).subset([0]))
    assert halves.check_leaks() == []


def test_leaks_are_reported_with_names_and_counts():
    train = split(
        4,
        ids=["a", "b", "c", "d"],
        groups={"speaker": [1, 1, 2, 3], "video": list("pqrs")},
    )
    test = split(3, ids=["x", "y", "c"], groups={"speaker": ["2", "1", "5"]})
    leaks = dataset(train=train, test=test).check_leaks()
    assert [leak.kind for leak in leaks] == ["id", "speaker"]
    assert leaks[0].values == ["c"]
    assert leaks[0].counts == (1, 1)
    assert leaks[1].values == ["1", "2"]
    assert leaks[1].splits == ("train", "test")
    assert leaks[1].counts == (3, 2)
    assert str(leaks[1]) == (
        "speaker: 2 in both train (3 samples) and test (2 samples): 1, 2"
    )
    many = split(9, ids=[str(n) for n in range(9)])
    (leak,) = dataset(train=many, test=many).check_leaks()
    assert str(leak).endswith("0, 1, 2, 3, 4 and 4 more")


def test_load_refuses_splits_that_share_samples(tmp_path, monkeypatch):
    path = tmp_path / "toy.npz"
    path.write_bytes(b"")
    shared = dataset(train=split(2, ids="ab"), test=split(2, ids="bc"))
    fake = type("formats", (), {"load_file": staticmethod(lambda _: shared)})
    monkeypatch.setitem(
        __import__("sys").modules, "keras_mmfusion.data.formats", fake
    )
    with pytest.raises(ValueError, match=r"toy\.npz.*id: 1 in both.*: b"):
        mmdata.load(path)


def test_load_names_what_it_knows():
    with pytest.raises(FileNotFoundError, match=r"'av_digits'.*'av_digts'"):
        mmdata.load("av_digts")


def test_describe_counts_lengths_missing_and_labels():
    text = dataset(origin="a shelf", licence="none").describe()
    rows = [line.split() for line in text.splitlines()]
    assert text.splitlines()[0] == "toy (classification)"
    assert "origin: a shelf" in text
    assert "licence: none" in text
    assert ["samples", "4", "2"] in rows
    assert ["steps", "min/median/max", "2/2/3", "2/2.5/3"] in rows
    assert ["missing", "0.0", "%", "0.0", "%"] in rows
    assert ["missing", "25.0", "%", "50.0", "%"] in rows
    assert ["1", "2", "1"] in rows
    named = dataset(class_names=["no", "yes", "never"]).describe()
    assert ["never", "0", "0"] in [line.split() for line in named.splitlines()]


def test_describe_bins_regression_labels_over_all_splits():
    part = dataset(
        train=split(4, labels=[-3.0, -3.0, 0.0, 4.0]),
        test=split(2, labels=[4.0, 3.9]),
        task="regression",
    )
    rows = part.describe().splitlines()[-7:]
    assert rows[0].split() == ["-3", "to", "-2", "2", "0"]
    assert rows[-1].split() == ["3", "to", "4", "1", "2"]
    two = dataset(
        train=split(4, labels=np.zeros((4, 2))),
        test=None,
        task="regression",
        class_names=["valence", "arousal"],
    )
    assert "labels valence" in two.describe()


def test_describe_counts_binary_heads():
    part = dataset(
        train=split(3, labels=[[1, 0], [1, 1], [0, 0]]),
        test=None,
        task="binary heads",
        class_names=["happy", "sad"],
    )
    rows = [line.split() for line in part.describe().splitlines()]
    assert ["happy", "2"] in rows
    assert ["sad", "1"] in rows


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_figure_has_a_panel_for_labels_and_one_per_sequence(task, tmp_path):
    figure = dataset(task=task).figure()
    assert [axis.get_title() for axis in figure.axes] == [
        "labels",
        "audio: valid steps",
    ]
    figure.savefig(tmp_path / "figure.png")
    assert (tmp_path / "figure.png").stat().st_size > 1000


def test_empty_split_can_be_described():
    part = dataset(train=split(4).subset([]), test=split(2))
    assert "-" in part.describe()
    part.figure()


BAD_SPLITS = {
    "no modality": (lambda: Split({}, [0]), "at least one modality"),
    "counts": (
        lambda: Split({"a": np.ones((3, 2)), "b": np.ones((2, 2))}, [0, 1]),
        "labels, 2. Received: feature 'a' with 3$",
    ),
    "ids count": (lambda: split(4, ids=["a"]), "ids with 1"),
    "group count": (
        lambda: split(4, groups={"speaker": [1, 2]}),
        "group 'speaker' with 2",
    ),
    "twice": (
        lambda: split(4, ids=["a", "b", "a", "a"]),
        "unique. Received: 2 repeated ids, first 'a'",
    ),
    "nan": (
        lambda: split(2, labels=[0.0, np.nan]),
        "finite.*1 samples, first 1. Drop",
    ),
    "text": (lambda: split(2, labels=["a", "b"]), "numbers of shape"),
    "rank": (
        lambda: split(2, labels=np.zeros((2, 1, 1, 1))),
        r"\(2, 1, 1, 1\)",
    ),
}


@pytest.mark.parametrize("case", BAD_SPLITS)
def test_bad_splits(case):
    make, message = BAD_SPLITS[case]
    with pytest.raises(ValueError, match=message):
        make()


BAD_DATASETS = {
    "task": ({"task": "ranking"}, "`task` must be one of.*'ranking'"),
    "no split": ({"train": None, "test": None}, "At least one split"),
    "modalities": (
        {"test": Split({"audio": np.ones((1, 3, 2))}, [0])},
        "same modalities.*in 'test'",
    ),
    "width": (
        {"test": Split({"audio": np.ones((1, 3, 7)), "image": [[1] * 5]}, [0])},
        r"\(None, 7\)",
    ),
    "class": (
        {"class_names": ["only"]},
        r"In split 'train': Class labels.*0\.\.0.*the first is 1 of sample 1",
    ),
    "class names": ({"class_names": ["a", "b", "a"]}, "must differ.*'b', 'a'"),
    "no feature": (
        {
            "train": Split({"image": np.ones((2, 0))}, [0, 1]),
            "test": Split({"image": np.ones((2, 0))}, [0, 1]),
        },
        r"a feature at least.*\(0,\)",
    ),
    "negative class": ({"train": split(2, labels=[0, -1])}, "first is -1"),
    "fraction": ({"test": split(2, labels=[0.5, 1])}, "In split 'test'.*0.5"),
    "heads": (
        {"task": "binary heads", "train": split(2, labels=[[0, 2], [1, 1]])},
        "first is 2",
    ),
    "outputs": (
        {
            "task": "regression",
            "class_names": ["a", "b"],
            "train": split(2, labels=[0.0, 1.0]),
        },
        r"shape \(N, 2\)",
    ),
}


@pytest.mark.parametrize("case", BAD_DATASETS)
def test_bad_datasets(case):
    arguments, message = BAD_DATASETS[case]
    with pytest.raises(ValueError, match=message):
        dataset(**arguments)


def test_classes_numbered_from_one_are_not_taken_in_silence():
    parts = {"train": split(labels=[1, 2, 1, 2]), "test": split(2, [1, 2])}
    with pytest.warns(UserWarning, match="class 0: the lowest label is 1"):
        dataset(**parts)


def test_a_class_0_in_any_split_or_by_name_is_enough(recwarn):
    parts = {"train": split(labels=[1, 2, 1, 2]), "test": split(2, [0, 2])}
    dataset(**parts)
    dataset(**parts | {"test": None, "class_names": ["a", "b", "c"]})
    assert not recwarn


def test_images_are_kept_as_they_are():
    part = Split({"image": Vectors(np.ones((2, 8, 8, 1)))}, [0, 1])
    inputs, _ = part.arrays()
    assert inputs["image"].shape == (2, 8, 8, 1)


def test_a_modality_that_no_sample_has_is_a_step_of_zeros():
    audio = np.zeros((4, 6, 3), "float32")
    split = Split({"audio": audio, "image": np.ones((4, 2))}, np.arange(4))
    inputs, _ = split.arrays()
    np.testing.assert_array_equal(inputs["audio"], np.zeros((4, 1, 3)))


@pytest.mark.parametrize("dtype", [">i8", ">f4"])
def test_labels_get_the_byte_order_of_this_machine(dtype):
    labels = split(4, np.arange(4).astype(dtype)).labels
    assert labels.dtype.isnative
    assert labels.tolist() == [0, 1, 2, 3]


def test_windows_of_samples_without_ids_share_none():
    x, y = np.ones((2, 8, 3)), np.zeros((2, 8, 1))
    parts = [mmdata.split_windows(Split({"a": x}, y), 4, 2) for _ in range(2)]
    assert find_leaks({"train": parts[0], "valid": parts[1]}) == []


def test_groups_are_compared_as_numbers_whatever_their_type():
    x, y = np.ones((2, 3)), [0, 1]
    train = Split({"a": x}, y, groups={"actor": np.array([1, 2])})
    valid = Split({"a": x}, y, groups={"actor": np.array([2.0, 3.0])})
    (leak,) = find_leaks({"train": train, "valid": valid})
    assert leak.values == ["2"]


@pytest.mark.parametrize("wrong", [[True, False], [0.5, 1.0]])
def test_a_subset_is_of_positions(wrong):
    split = Split({"a": np.ones((2, 3))}, [0, 1])
    with pytest.raises(ValueError, match=r"positions.*flatnonzero"):
        split.subset(wrong)
    assert len(split.subset([])) == 0
