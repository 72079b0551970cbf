"""Degraded AV digits as two sequences, of different lengths and rates."""

from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from keras_mmfusion.data.columns import Ragged

Doubles = NDArray[np.float64]

FRAMES, AUDIO_STEPS = 4, 24
ROWS, SIDE = 2, 28
_GREY = 7.0  # Then pixels have a deviation of about 1.


def join_frames(frames: Doubles, offsets: NDArray[Any]) -> Ragged:
    """Four frames side by side per step; what comes after 0.96 s is cut.

    Args:
        frames: (all frames, D), one recording after another.
        offsets: where recordings begin and end, (R + 1,).

    Returns:
        R sequences of at most 24 steps and 4 D features; the last step is
        filled up with zeros.
    """
    parts = []
    for start, end in pairwise(offsets):
        part = frames[start : min(end, start + FRAMES * AUDIO_STEPS)]
        part = np.pad(part, ((0, -len(part) % FRAMES), (0, 0)))
        parts.append(part.reshape(-1, FRAMES * frames.shape[1]))
    joined = np.concatenate(parts).astype(np.float32)
    return Ragged(joined, np.cumsum([0, *map(len, parts)]))


def image_rows(numbers: Doubles, components: Doubles) -> NDArray[np.float32]:
    """The image that a few numbers stand for, two rows of pixels per step.

        rows = 7 Σ_k z_k W_k

    It is the degraded image less the mean one, and holds no more than the
    numbers do.

    Args:
        numbers: z, not standardised, (N, K).
        components: W, (K, 784).

    Returns:
        Float32 array (N, 14, 56).
    """
    pixels = _GREY * numbers @ components
    return pixels.reshape(len(pixels), -1, ROWS * SIDE).astype(np.float32)
