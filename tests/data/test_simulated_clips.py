"""Simulated clips are written and read in the layout of the real ones."""

import numpy as np
import pytest

from keras_mmfusion import data
from keras_mmfusion.data.formats import write_file
from keras_mmfusion.data.simulated_clips import (
    simulated_actions,
    simulated_emotions,
)

pytestmark = pytest.mark.once


def test_emotions(tmp_path):
    write_file(simulated_emotions(2), tmp_path / "ravdess", "msaf_ravdess")
    folds = {"train": ["01"], "test": ["02"]}
    found = data.load(tmp_path / "ravdess", folds=folds)
    assert found.shapes == {"audio": (None, 13), "video": (None, 32, 32, 3)}
    assert found.test.labels.tolist() == list(range(8))
    # The spot of emotion 5 (101): right, upper; of emotion 2 (010): left, low.
    clips = found.test.features["video"]
    halves = clips[5][:, :, 16:].mean() - clips[5][:, :, :16].mean()
    assert halves > 5
    assert clips[2][:, 16:].mean() - clips[2][:, :16].mean() > 5


def test_actions(tmp_path):
    write_file(simulated_actions(), tmp_path / "ntu", "ntu_rgbd")
    found = data.load(tmp_path / "ntu", frames=6, size=32)
    assert found.shapes["skeleton"] == (None, 2, 25, 3)
    assert set(found.test.groups["subject"]) == {3}
    assert len(found.train) == 3 * 12
    upwards = found.test.labels.tolist().index(1)
    moves = found.test.features["skeleton"][upwards]
    rise = moves[-1, 0, 20:] - moves[0, 0, 20:]
    assert rise[:, 1].mean() > 1
    assert abs(rise[:, 0].mean()) < 0.5
    assert not moves[:, 1].any()
    assert np.isfinite(found.train.features["video"][0]).all()
