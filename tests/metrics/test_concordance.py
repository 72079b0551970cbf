"""Six forms of the concordance correlation, and the Aff-Wild2 score."""

import numpy as np
import pytest
from scipy.ndimage import uniform_filter1d

from keras_mmfusion import metrics as m
from tests.metrics.expected import EXPECTED, P, Y

pytestmark = pytest.mark.once

KEYS = {
    "lin": "Lin_population",
    "rja_metric": "RJA.cccmetric.ccc",
    "rja_numpy": "RJA.cccmetric.ccc_numpy",
    "rja_loss": "RJA.CCCLoss(1-loss)",
    "rja_rho": "RJA.CCC(1-loss)",
    "rjcma": "RJCMA.CCCLoss(1-loss)",
}


def valence(frames, seed=0):
    random = np.random.default_rng(seed)
    y = np.clip(random.normal(0.2, 0.3, frames), -1, 1)
    return y, np.clip(0.7 * y + random.normal(0.05, 0.2, frames), -1, 1)


@pytest.mark.parametrize("form", m.CONCORDANCE_FORMS)
def test_form_equals_the_official_number(form):
    expected = EXPECTED["CCC"][KEYS[form]]
    assert m.CONCORDANCE_FORMS[form](Y, P) == pytest.approx(expected, abs=1e-12)


def test_every_form_has_an_official_number():
    assert set(KEYS) == set(m.CONCORDANCE_FORMS)
    assert set(KEYS.values()) == set(EXPECTED["CCC"])


def test_forms_differ_on_a_short_window_and_meet_on_a_long_one():
    for frames, least, most in [(16, 1e-2, 0.2), (5000, 0.0, 3e-4)]:
        y, p = valence(frames)
        values = [form(y, p) for form in m.CONCORDANCE_FORMS.values()]
        assert least <= np.ptp(values) <= most


def test_lin_punishes_offset_and_scale_where_pearson_does_not():
    y, _ = valence(200)
    assert m.concordance_lin(y, y) == pytest.approx(1.0)
    assert m.concordance_lin(y, y + 0.5) < 0.5
    assert m.concordance_lin(y, 0.2 * y) < 0.5
    assert m.pearson(y, 0.2 * y + 0.5) == pytest.approx(1.0)


def test_lin_survives_a_large_common_offset():
    y, p = valence(1000)
    expected = m.concordance_lin(y, p)
    assert m.concordance_lin(y + 1e6, p + 1e6) == pytest.approx(expected)


def test_constant_predictions_score_zero_and_both_constant_is_undefined():
    y, _ = valence(50)
    assert m.concordance_lin(y, np.full(50, 0.1)) == 0.0
    with pytest.warns(m.UndefinedMetricWarning):
        assert np.isnan(m.concordance_lin([0.1] * 5, [0.1] * 5))


def test_one_sample_has_no_sample_variance():
    for name in ("rja_numpy", "rja_loss", "rja_rho", "rjcma"):
        with pytest.warns(m.UndefinedMetricWarning):
            assert np.isnan(m.CONCORDANCE_FORMS[name]([0.1], [0.2]))


def test_frames_without_annotation_change_nothing():
    (v, pv), (a, pa) = valence(300), valence(300, seed=1)
    y, p = np.stack([v, a], 1), np.stack([pv, pa], 1)
    expected = (m.concordance_lin(v, pv) + m.concordance_lin(a, pa)) / 2
    assert m.concordance_annotated(y, p) == pytest.approx(expected)
    holes_y = np.insert(y, [3, 50, 50], -5.0, axis=0)
    holes_p = np.insert(p, [3, 50, 50], 0.9, axis=0)
    assert m.concordance_annotated(holes_y, holes_p) == pytest.approx(expected)
    arousal = m.concordance_annotated(holes_y, holes_p, column=1)
    assert arousal == pytest.approx(m.concordance_lin(a, pa))


def test_all_videos_together_is_not_the_mean_over_videos():
    y, p = valence(100)
    videos = [(y, p), (y * 0.01 + 0.5, p * 0.01 + 0.9)]
    together = m.concordance_lin(
        *map(np.concatenate, zip(*videos, strict=True))
    )
    apart = np.mean([m.concordance_lin(*video) for video in videos])
    assert abs(together - apart) > 0.1


@pytest.mark.parametrize(
    ("y", "p", "column", "message"),
    [
        ([0.1, 0.2], [0.1, 0.2], None, r"shape \(frames, outputs\)"),
        ([[0.1, -5.0]] * 2, [[0.1, 0.1]] * 2, None, "column 1 of `y` is -5"),
        ([[0.1, 0.2]], [[0.1, 0.1]] * 2, None, "1 labels `y` and 2"),
        ([[0.1, 0.2]], [[0.1]], None, r"`p` of shape \(N, 2\)"),
        ([[0.1, 0.2]], [[0.1, 0.2]], 2, "`column` from 0 to 1"),
    ],
)
def test_bad_frames_are_refused(y, p, column, message):
    with pytest.raises(ValueError, match=message):
        m.concordance_annotated(y, p, column=column)


@pytest.mark.parametrize("frames", [1, 2, 3, 20, 50])
def test_moving_average_equals_the_uniform_filter_with_zeros_outside(frames):
    p = np.random.default_rng(0).normal(0, 0.8, 120)
    expected = uniform_filter1d(np.clip(p, -1, 1), frames, mode="constant")
    np.testing.assert_allclose(
        m.moving_average(p, frames), expected, atol=1e-12
    )


def test_a_window_longer_than_the_video_still_returns_every_frame():
    found = m.moving_average([0.5, 0.5, 0.5], 50)
    np.testing.assert_allclose(found, 1.5 / 50)


def test_moving_average_refuses_an_empty_window():
    with pytest.raises(ValueError, match="`frames` of 1 or more"):
        m.moving_average([0.1], 0)
