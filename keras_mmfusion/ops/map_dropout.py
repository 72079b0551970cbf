"""Dropout of attention maps whose mask can be made again from a number.

A map that is not kept for the gradient needs the same mask twice. Here an
element's fate is a hash of its map's seed, its row and its column, so any part
of a mask can be made at any time, alike under every backend, and at no more
cost than by the backends' own generators (`benchmarks/elementwise.py`).
"""

from keras import ops

from keras_mmfusion.types import Tensor

# Odd numbers without a pattern in their bits.
FACTORS = (0x7FEB352D, 0x2C1B3C6D, 0x297A2D39)


def map_seeds(state: Tensor, count: Tensor | int) -> Tensor:
    """One seed per map, (count,) int32, from what a `SeedGenerator` gives."""
    seed, step = ops.cast(state[0], "int32"), ops.cast(state[1], "int32")
    return _mix(_mix(_mix(ops.arange(count, dtype="int32")) + step) + seed)


def kept(seeds: Tensor, rows: Tensor, columns: Tensor, rate: float) -> Tensor:
    """What dropout keeps of each map, bool (maps, rows, columns).

    Args:
        seeds: From `map_seeds`, (maps,).
        rows: Number of rows.
        columns: Number of columns.
        rate: Share of the elements that are dropped.
    """
    row = ops.arange(rows, dtype="int32")
    row = _mix(_mix(row)[None] + seeds[:, None])
    column = _mix(ops.arange(columns, dtype="int32") + FACTORS[0])
    x = _mix(row[:, :, None] + column, FACTORS[:2])
    # All integers are equally likely, -2³¹ to 2³¹ - 1.
    return x >= int(rate * 2**32) - 2**31


def _mix(x: Tensor, factors: tuple[int, ...] = FACTORS) -> Tensor:
    """A hash of int32 numbers: every bit depends on all bits of x."""
    for factor in factors:
        x = ops.bitwise_xor(x, ops.right_shift(x, 15)) * factor
    return x
