"""What intervals are over when all test samples are of one group."""

import numpy as np
import pytest

from keras_mmfusion.evaluation import report_videos, run
from keras_mmfusion.evaluation.clusters import clusters
from tests.evaluation.tiny import FIT, dataset, linear


@pytest.mark.once
def test_several_groups_are_resampled_and_one_is_not():
    several = np.array(["a", "b", "a"])
    assert clusters(several) is several
    assert clusters(np.array(["a", "a"])) is None
    assert clusters(None) is None


def test_a_run_on_one_group_ends_and_says_so(tmp_path):
    one = dataset(test_samples=6)  # a recording has six
    assert len(set(one.test.groups["recording"])) == 1
    result = run(
        linear(),
        one,
        tmp_path,
        seeds=1,
        fit=FIT,
        groups="recording",
        verbose=0,
    )
    assert any("are of one recording" in line for line in result.warnings)
    score = result.first.scores["accuracy"]
    assert score.low <= score.mean <= score.high


@pytest.mark.once
def test_one_video_is_reported():
    random = np.random.default_rng(0)
    truth = {"clip": random.uniform(-1, 1, (40, 2))}
    found = report_videos(truth, {"clip": 0.5 * truth["clip"]}, bootstrap=50)
    assert "1 videos" in found.summary
