"""The orthonormal cosine transform (DCT-II), as a matrix."""

import numpy as np
from numpy.typing import NDArray


def cosine_waves(count: int, size: int) -> NDArray[np.float64]:
    """Its slowest waves, one per row.

        w_kn = s_k cos(pi k (n + 1/2) / size),  s_0 = sqrt(1 / size),
        s_k = sqrt(2 / size)

    Args:
        count: Number of waves.
        size: Number of points n.

    Returns:
        Float64 array (count, size) with orthonormal rows.
    """
    angles = np.outer(np.arange(count), np.arange(size) + 0.5) * np.pi / size
    waves = np.cos(angles) * np.sqrt(2 / size)
    waves[0] /= np.sqrt(2)
    return waves
