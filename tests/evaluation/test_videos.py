"""Concordance over the frames of whole videos, smoothed or not."""

import numpy as np
import pytest

from keras_mmfusion.evaluation import report_videos
from keras_mmfusion.metrics import concordance_lin

pytestmark = pytest.mark.once


def videos(seed=0):
    """Noisy predictions; a tenth of the frames is not annotated."""
    random = np.random.default_rng(seed)
    truth, predicted = {}, {}
    for name, frames in (("a", 400), ("b", 150), ("c_left", 300)):
        curve = np.cumsum(random.normal(0, 0.05, (frames, 2)), axis=0)
        truth[name] = np.tanh(curve)
        predicted[name] = truth[name] + random.normal(0, 0.3, (frames, 2))
        truth[name][random.uniform(size=frames) < 0.1] = -5
    return truth, predicted


def by_hand(truth, predicted, column):
    y = np.concatenate([v[:, column] for v in truth.values()])
    p = np.concatenate([predicted[k][:, column] for k in truth])
    return concordance_lin(y[y != -5], p[y != -5])


def test_one_number_over_all_annotated_frames():
    truth, predicted = videos()
    shuffled = dict(reversed(predicted.items()))
    found = report_videos(truth, shuffled, bootstrap=50)
    scores = found.results["affwild2"]
    for column, key in enumerate(("ccc_valence", "ccc_arousal")):
        assert scores[key].value == pytest.approx(
            by_hand(truth, predicted, column)
        )
        assert scores[key].low < scores[key].value < scores[key].high
    assert found.units == "groups"
    assert found.samples == 850
    assert "3 videos" in found.summary
    assert "smoothing: none" in found.to_dict()["summary"]


def test_smoothing_is_done_by_video_and_said():
    truth, predicted = videos()
    smoothed = report_videos(truth, predicted, (20, 50), bootstrap=0)
    assert "20 (valence) and 50 (arousal)" in str(smoothed).replace("\n", " ")
    wanted = {}
    for name, p in predicted.items():
        p = np.clip(p, -1, 1)
        wanted[name] = np.zeros_like(p)
        for column, frames in enumerate((20, 50)):
            for t in range(len(p)):
                first = t - frames // 2
                part = p[max(first, 0) : first + frames, column]
                wanted[name][t, column] = part.sum() / frames
    scores = smoothed.results["affwild2"]
    for column, key in enumerate(("ccc_valence", "ccc_arousal")):
        assert scores[key].value == pytest.approx(
            by_hand(truth, wanted, column)
        )
    assert scores["ccc_mean"].value != pytest.approx(
        report_videos(truth, predicted, bootstrap=0)
        .results["affwild2"]["ccc_mean"]
        .value,
        abs=1e-3,
    )


def test_bad_videos():
    truth, predicted = videos()
    with pytest.raises(ValueError, match=r"one of them only: \['a'\]"):
        report_videos(truth, {k: predicted[k] for k in ("b", "c_left")})
    with pytest.raises(ValueError, match="0 videos"):
        report_videos({}, {})
    short = {**predicted, "b": predicted["b"][:-1]}
    with pytest.raises(ValueError, match=r"'b'.*\(150, 2\) and \(149, 2\)"):
        report_videos(truth, short)
    with pytest.raises(ValueError, match="one length for each output"):
        report_videos(truth, predicted, (20,))
    predicted["a"][3] = np.nan
    with pytest.raises(ValueError, match=r"NaN|finite"):
        report_videos(truth, predicted)
