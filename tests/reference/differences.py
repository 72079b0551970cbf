"""Central differences, the judge of every gradient in the reference tests."""

from collections.abc import Callable, Iterable

import numpy as np
import numpy.typing as npt

Float64 = npt.NDArray[np.float64]
Index = tuple[int, ...]


def some_entries(
    array: Float64, count: int, seed: int = 0
) -> list[tuple[int, ...]]:
    """`count` different random indices of `array` (all of them if fewer)."""
    generator = np.random.default_rng(seed)
    chosen = generator.permutation(array.size)[:count]
    return [
        tuple(int(i) for i in np.unravel_index(flat, array.shape))
        for flat in chosen
    ]


def central_difference(
    function: Callable[[Float64], float],
    at: Float64,
    entries: Iterable[Index] | None = None,
    step: float = 1e-6,
) -> Float64:
    """The derivative of `function` with respect to entries of its argument.

    Args:
        function: maps an array to a number.
        at: the array where the derivative is taken; it is left unchanged.
        entries: indices of the wanted entries; all of them by default.
        step: half the distance between the two points. The error is about
            step squared from the function plus 1e-16 / step from rounding.

    Returns:
        One derivative per entry in a flat array, or an array shaped like `at`
        when `entries` is None.
    """
    indices = list(np.ndindex(at.shape)) if entries is None else list(entries)
    derivatives = np.empty(len(indices))
    for position, index in enumerate(indices):
        values = []
        for sign in (1.0, -1.0):
            moved = np.array(at, np.float64)
            moved[index] += sign * step
            values.append(function(moved))
        derivatives[position] = (values[0] - values[1]) / (2.0 * step)
    return derivatives.reshape(at.shape) if entries is None else derivatives
