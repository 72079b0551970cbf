import numpy as np
import pytest

from keras_mmfusion.evaluation import (
    Curve,
    Robustness,
    robustness_difference,
)

pytestmark = pytest.mark.once


def made(clean, worst, modality="audio"):
    curve = Curve("noise", modality, (0.0, 1.0), (clean, worst), (0.0, 0.0))
    return Robustness("accuracy", clean, 10, 1, 0, (curve,))


def test_differences_of_areas_and_of_what_is_kept():
    first = {0: made(0.9, 0.7), 1: made(0.8, 0.6), 2: made(0.9, 0.4)}
    second = {2: made(0.8, 0.5), 1: made(0.8, 0.5), 0: made(0.9, 0.5)}
    (d,) = robustness_difference(first, second)
    areas = np.array([0.1, 0.05, 0.0])
    assert d.area == pytest.approx(areas.mean())
    # 4.302653 is the quantile of printed tables for two degrees of freedom.
    half = 4.302653 * areas.std(ddof=1) / np.sqrt(3)
    assert d.area_interval == pytest.approx(
        (d.area - half, d.area + half), abs=1e-5
    )
    assert d.kept == pytest.approx(np.mean([0.1, 0.05, -0.1]))
    assert (d.above, d.seeds) == (2, 3)
    assert "noise of audio: area +0.050" in str(d)
    assert "2 of 3 seeds above" in str(d)


def test_other_seeds_or_curves_are_refused():
    one = {0: made(0.9, 0.7), 1: made(0.8, 0.6)}
    with pytest.raises(ValueError, match="the same two or more seeds"):
        robustness_difference(one, {0: made(0.9, 0.7)})
    with pytest.raises(ValueError, match="the same two or more seeds"):
        robustness_difference({0: one[0]}, {0: one[0]})
    other = {k: made(0.9, 0.7, "video") for k in (0, 1)}
    with pytest.raises(ValueError, match="same corruptions"):
        robustness_difference(one, other)
