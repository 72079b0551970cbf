"""CSD folders as they are written: an entry of its own for every sample."""

import numpy as np
import pytest

from keras_mmfusion.data import MultimodalDataset, Split
from keras_mmfusion.data.formats import load_file, write_file

pytestmark = pytest.mark.once


def named(ids):
    count = len(next(iter(ids.values())) or "ab")
    splits = {
        name: Split({"audio": np.ones((count, 4, 3))}, np.ones(count), own)
        for name, own in ids.items()
    }
    return MultimodalDataset(
        splits.get("train"), None, splits.get("test"), "x", "regression"
    )


CLASHES = {
    "in one split": (
        {"train": ["v", "v[0]"]},
        r"'v' in 'train' and 'v\[0\]' in 'train', .* 'v\[0\]'",
    ),
    "in two splits": (
        {"train": ["v[0]", "w"], "test": ["x", "v"]},
        r"'v\[0\]' in 'train' and 'v' in 'test'",
    ),
    "samples without ids": (
        {"train": None, "test": None},
        r"'0' in 'train' and '0' in 'test'",
    ),
}


@pytest.mark.parametrize("case", CLASHES)
def test_two_samples_of_one_entry_are_not_written(case, tmp_path):
    ids, message = CLASHES[case]
    with pytest.raises(ValueError, match=message):
        write_file(named(ids), tmp_path / "x", "csd")
    assert not list(tmp_path.iterdir())


def test_segments_of_one_video_are_written(tmp_path):
    dataset = named({"train": ["v", "v[1]"], "test": ["w[0]", "u"]})
    write_file(dataset, tmp_path / "x", "csd")
    after = load_file(tmp_path / "x")
    assert sorted(after.train.ids) == ["v[0]", "v[1]"]
    assert sorted(after.test.ids) == ["u[0]", "w[0]"]
