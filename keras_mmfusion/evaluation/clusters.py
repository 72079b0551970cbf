"""What intervals and tests resample."""

from typing import Any

from numpy.typing import NDArray


def clusters(groups: NDArray[Any] | None) -> NDArray[Any] | None:
    """The groups of samples, or `None`, for the samples, if there is but one.

    A fold of one speaker has none to resample; `pool_folds` has them all.
    """
    return groups if groups is None or len(set(groups.tolist())) > 1 else None
