"""Simulated sequences have the real files' format, and are learnable."""

import numpy as np
import pytest

from keras_mmfusion import data
from keras_mmfusion.data.formats import write_file
from keras_mmfusion.data.simulated import simulated_sentiment

SMALL = {"text": (6, 8), "audio": (20, 5), "video": (15, 4)}
pytestmark = pytest.mark.once


@pytest.mark.parametrize("layout", ["mult", "mmsa"])
def test_files_are_read_back_as_they_are(tmp_path, layout):
    made = simulated_sentiment((7, 3, 4), SMALL)
    write_file(made, tmp_path / "data.pkl", layout)
    read = data.load(tmp_path / "data.pkl")
    assert read.task == "regression"
    assert read.shapes == {m: (None, w) for m, (_, w) in SMALL.items()}
    for name, split in read.splits.items():
        before = made.splits[name]
        np.testing.assert_allclose(split.labels, before.labels, rtol=1e-6)
        for m, lengths in before.lengths().items():
            np.testing.assert_array_equal(split.lengths()[m], lengths)
            assert lengths.max() == SMALL[m][0]
            np.testing.assert_array_equal(
                split.features[m][2], before.features[m][2]
            )


def test_binary_heads_are_read_back(tmp_path):
    made = simulated_sentiment((7, 3, 4), SMALL, binary_heads=True)
    write_file(made, tmp_path / "data.pkl", "mult")
    read = data.load(tmp_path / "data.pkl")
    assert read.task == "binary heads"
    assert read.class_names == made.class_names
    np.testing.assert_array_equal(read.test.labels, made.test.labels)


def test_every_modality_tells_its_part():
    train = simulated_sentiment((400, 1, 1), SMALL).train
    # What a modality shows on average along its direction of most variance.
    told = []
    for column in train.features.values():
        means = np.stack([column[i].mean(axis=0) for i in range(len(train))])
        centred = means - means.mean(axis=0)
        told.append(centred @ np.linalg.svd(centred)[2][0])
    fit = np.linalg.lstsq(np.stack(told, 1), train.labels, rcond=None)[0]
    guess = np.stack(told, 1) @ fit
    assert np.corrcoef(guess, train.labels)[0, 1] > 0.7
    assert np.abs(fit).min() > 0.1


def test_other_modalities_are_refused():
    with pytest.raises(ValueError, match="text"):
        simulated_sentiment((2, 2, 2), {"text": (3, 4), "depth": (3, 4)})
