"""Resamples drawn as counts."""

import numpy as np
import pytest

from keras_mmfusion.metrics import resampling as r

pytestmark = pytest.mark.once


def test_every_resample_has_as_many_draws_as_units():
    counts = np.concatenate(list(r.resample_counts(37, 200, seed=0)))
    assert counts.shape == (200, 37)
    assert (counts.sum(1) == 37).all()


def test_draws_are_uniform():
    counts = np.concatenate(list(r.resample_counts(20, 5000, seed=0)))
    # Mean 1, variance 1 - 1/20; the mean of 5000 has a deviation of 0.014.
    assert np.abs(counts.mean(0) - 1).max() < 0.06
    assert counts.var(0).mean() == pytest.approx(0.95, abs=0.03)


def test_small_blocks_draw_the_same_counts(monkeypatch):
    whole = np.concatenate(list(r.resample_counts(50, 40, seed=3)))
    monkeypatch.setattr(r, "_BLOCK", 120)
    blocks = list(r.resample_counts(50, 40, seed=3))
    assert len(blocks) == 20
    np.testing.assert_array_equal(np.concatenate(blocks), whole)


@pytest.mark.parametrize("groups", [None, list("aabbbcacde")])
def test_sums_and_indices_are_the_same_resamples(groups):
    values = np.random.default_rng(0).normal(size=(10, 3))
    sums = r.resampled_sums(values, 25, 7, groups)
    indices = list(r.resampled_indices(10, 25, 7, groups))
    assert len(indices) == 25
    for row, picked in zip(sums, indices, strict=True):
        np.testing.assert_allclose(values[picked].sum(0), row)


def test_groups_stay_together():
    groups = np.array([0, 1, 0, 1, 2])
    for picked in r.resampled_indices(5, 50, 0, groups):
        times = np.bincount(picked, minlength=5)
        assert times[0] == times[2]
        assert times[1] == times[3]


@pytest.mark.parametrize(
    ("groups", "message"),
    [(["a"] * 4, "one group of 4"), (["a", "b"], r"shape \(2,\)")],
)
def test_groups_that_cannot_be_resampled_are_refused(groups, message):
    with pytest.raises(ValueError, match=message):
        r.group_numbers(groups, 4)


@pytest.mark.parametrize(
    ("resamples", "level"), [(0, 0.95), (-1, 0.95), (10, 0.0), (10, 95)]
)
def test_settings_that_give_no_interval_are_refused(resamples, level):
    with pytest.raises(ValueError, match="Expected"):
        r.check_resampling(resamples, level)
