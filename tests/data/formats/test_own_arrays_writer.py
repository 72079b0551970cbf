"""A user's own arrays as they are written: read back, or refused before."""

import numpy as np
import pytest

from keras_mmfusion.data import MultimodalDataset, Split, Vectors, load
from keras_mmfusion.data.formats import write_file


def toy(labels, task, names=None, ids="abcd"):
    features = {"facts": np.arange(4.0)[:, None] + 1}
    splits = [
        Split(features, labels, ids=[k + i for i in ids] if ids else None)
        for k in ("train", "valid", "test")
    ]
    return MultimodalDataset(*splits, "toy", task, names)


ROUND_TRIPS = {
    "whole targets": ([0.0, 1, 2, 3], "regression", None),
    "integer targets": ([0, 1, 2, 3], "regression", None),
    "named targets": (np.ones((4, 2)), "regression", ["x", "y"]),
    "a class without samples": ([0, 1, 1, 0], "classification", list("abc")),
    "heads": ([[0, 1], [1, 1], [0, 0], [1, 0]], "binary heads", ["x", "y"]),
}


@pytest.mark.parametrize("case", ROUND_TRIPS)
def test_task_and_classes_are_read_back(case, tmp_path):
    before = toy(*ROUND_TRIPS[case])
    write_file(before, tmp_path / "toy.npz", "arrays")
    after = load(tmp_path / "toy.npz")
    assert (after.task, after.class_names) == (before.task, before.class_names)
    for name, split in before.splits.items():
        np.testing.assert_array_equal(after.splits[name].labels, split.labels)
        assert after.splits[name].labels.dtype == split.labels.dtype
        assert after.splits[name].ids == split.ids


def test_samples_without_ids_are_not_shared_after_writing(tmp_path):
    before = toy([0, 1, 1, 0], "classification", ids=None)
    write_file(before, tmp_path / "toy.npz", "arrays")
    assert len(load(tmp_path / "toy.npz").test) == 4


def of(features, groups=None, labels=(0, 1, 1, 0)):
    split = Split(features, labels=np.array(labels), groups=groups)
    return MultimodalDataset(split, None, None, "toy", "classification")


@pytest.mark.parametrize("name", ["labels", "group.a", "file", "allow_pickle"])
def test_a_modality_that_would_replace_another_is_not_written(name, tmp_path):
    with pytest.raises(ValueError, match=f"named {name}"):
        write_file(of({name: np.ones((4, 2))}), tmp_path / "x.npz", "arrays")
    assert not list(tmp_path.iterdir())


def test_pictures_are_not_written_as_sequences(tmp_path):
    dataset = of({"image": Vectors(np.ones((4, 5, 6, 3)))})
    with pytest.raises(ValueError, match=r"'image': \(5, 6, 3\)"):
        write_file(dataset, tmp_path / "toy.npz", "arrays")
    # Sequences of pictures are.
    write_file(of({"video": np.ones((4, 5, 6, 3))}), tmp_path / "x", "arrays")
    assert load(tmp_path / "x").shapes == {"video": (None, 6, 3)}


def test_a_split_without_samples_is_left_out(tmp_path):
    full = Split({"a": np.ones((2, 3, 4)), "b": np.zeros((2, 3, 4))}, [0, 1])
    none = full.subset([])
    write_file(
        MultimodalDataset(full, none, full, "toy", "classification"),
        tmp_path / "toy.npz",
        "arrays",
    )
    after = load(tmp_path / "toy.npz")
    assert {k: len(s) for k, s in after.splits.items()} == {
        "train": 2,
        "test": 2,
    }
    np.testing.assert_array_equal(after.test.arrays()[0]["a"], 1)
    empty = MultimodalDataset(none, None, None, "toy", "classification")
    with pytest.raises(
        ValueError, match=r"one sample or more.*train are empty"
    ):
        write_file(empty, tmp_path / "none.npz", "arrays")


def test_groups_of_objects_are_written_as_texts(tmp_path):
    speakers = np.array(["ann", "bob", "雪", "ann"], object)
    dataset = of({"a": np.ones((4, 2))}, {"speaker": speakers})
    write_file(dataset, tmp_path / "toy.npz", "arrays")
    after = load(tmp_path / "toy.npz")
    assert after.train.groups["speaker"].tolist() == speakers.tolist()


@pytest.mark.parametrize(
    "values",
    [
        np.array(["a", None, "b", "c"], object),
        np.array([0.5, 1, 2, 3]),
        np.array([True, False, True, True]),
        np.ones((4, 2), int),
    ],
)
def test_groups_that_would_be_refused_are_not_written(values, tmp_path):
    dataset = of({"a": np.ones((4, 2))}, {"speaker": values})
    with pytest.raises(ValueError, match=r"texts or whole.*group\.speaker"):
        write_file(dataset, tmp_path / "toy.npz", "arrays")
    assert not list(tmp_path.iterdir())
