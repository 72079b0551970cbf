"""Bootstrap resamples drawn as counts, so that sums need one matrix product."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike, NDArray

from keras_mmfusion.metrics.arrays import Floats, Integers

# Counts held at once: 4 million numbers are 32 MB.
_BLOCK = 1 << 22


def check_resampling(resamples: int, level: float = 0.95) -> None:
    """Raises a `ValueError` for settings that give no interval."""
    if resamples < 1:
        raise ValueError(
            f"Expected `resamples` of 1 or more, such as 1000. Received: "
            f"{resamples}."
        )
    if not 0.0 < level < 1.0:
        raise ValueError(
            "Expected `level` between 0 and 1, such as 0.95. Received: "
            f"{level}."
        )


def group_numbers(groups: ArrayLike | None, samples: int) -> Integers:
    """Number of each sample's group, 0 .. G - 1; its own without groups."""
    if groups is None:
        return np.arange(samples)
    names = np.asarray(groups)
    if names.shape != (samples,):
        raise ValueError(
            f"Expected `groups` with one name for each of {samples} samples. "
            f"Received: shape {names.shape}."
        )
    _, numbers = np.unique(names, return_inverse=True)
    if numbers.max() == 0:
        raise ValueError(
            "Expected at least two groups to resample. Received: one group "
            f"of {samples} samples."
        )
    return numbers.reshape(-1).astype(np.int64)


def resample_counts(
    units: int, resamples: int, seed: int
) -> Iterator[NDArray[np.float64]]:
    """Blocks (b, units): how often each unit occurs in b resamples."""
    generator = np.random.default_rng(seed)
    rows = max(1, _BLOCK // units)
    for start in range(0, resamples, rows):
        size = min(rows, resamples - start)
        drawn = generator.integers(units, size=(size, units))
        drawn += np.arange(size)[:, None] * units
        counts = np.bincount(drawn.reshape(-1), minlength=size * units)
        yield counts.reshape(size, units).astype(np.float64)


def resampled_sums(
    statistics: Floats,
    resamples: int,
    seed: int,
    groups: ArrayLike | None = None,
) -> Floats:
    """Sums of per-sample statistics over bootstrap resamples.

    Args:
        statistics: Array (N, K).
        resamples: Number of resamples B.
        seed: Seed of the draw; equal seeds draw equal resamples.
        groups: Name of each sample's cluster, shape (N,). Whole clusters are
            drawn, because samples of one recording are not independent.

    Returns:
        Array (B, K).
    """
    numbers = group_numbers(groups, len(statistics))
    units = int(numbers.max()) + 1
    totals = statistics
    if groups is not None:
        totals = np.zeros((units, statistics.shape[1]))
        np.add.at(totals, numbers, statistics)
    blocks = [
        counts @ totals for counts in resample_counts(units, resamples, seed)
    ]
    return np.concatenate(blocks)


def resampled_indices(
    samples: int, resamples: int, seed: int, groups: ArrayLike | None = None
) -> Iterator[Integers]:
    """Sample numbers of each bootstrap resample, same draws as the sums."""
    numbers = group_numbers(groups, samples)
    order = np.argsort(numbers, kind="stable")
    sizes = np.bincount(numbers)
    members = np.split(order, np.cumsum(sizes)[:-1])
    for block in resample_counts(len(sizes), resamples, seed):
        for counts in block.astype(np.int64):
            if groups is None:
                yield np.repeat(order, counts)
            else:
                picked = [
                    np.tile(m, c) for m, c in zip(members, counts, strict=True)
                ]
                yield np.concatenate(picked)
