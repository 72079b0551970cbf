"""Clips cut at both ends and run at a speed that varies."""

import numpy as np
from numpy.typing import NDArray

from keras_mmfusion.data.motion import interpolate
from keras_mmfusion.data.padding import Floats

Doubles = NDArray[np.float64]


def random_path(
    count: int,
    knots: int,
    crop: float,
    warp: float,
    random: np.random.Generator,
) -> Doubles:
    """Where in a clip, 0 to 1, some evenly spaced moments are taken from.

    Args:
        count: Number of clips.
        knots: Stretches of a speed of their own.
        crop: Largest share cut off at each end.
        warp: Deviation of the logarithm of the speed.
        random: Generator.

    Returns:
        Float64 array (count, knots + 1).
    """
    start = random.uniform(0, crop, (count, 1))
    end = 1 - random.uniform(0, crop, (count, 1))
    pace = np.exp(random.normal(0, warp, (count, knots)))
    way = np.pad(np.cumsum(pace, axis=1), [(0, 0), (1, 0)])
    path: Doubles = start + (end - start) * (way / way[:, -1:])
    return path


def read_along(
    x: Floats, path: Doubles, lengths: NDArray[np.integer]
) -> Floats:
    """Clips (B, T, ...) read along a path through their valid steps (B,)."""
    last = np.maximum(lengths - 1, 1)[:, None]
    knots = path.shape[1] - 1
    time = np.minimum(np.arange(x.shape[1]) / last, 1) * knots
    first = np.minimum(time.astype(int), knots - 1)
    share = time - first
    sample = np.arange(len(x))[:, None]
    places = path[sample, first] * (1 - share) + path[sample, first + 1] * share
    return interpolate(x, places * np.maximum(lengths - 1, 0)[:, None])
