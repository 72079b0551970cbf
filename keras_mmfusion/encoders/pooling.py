"""Max pooling as the official networks pad it."""

from collections.abc import Sequence

import keras
from keras import ops

from keras_mmfusion.types import Tensor


def max_pool(
    x: Tensor,
    size: int | Sequence[int],
    strides: int | Sequence[int],
    padding: int | Sequence[int] = 0,
) -> Tensor:
    """Max pooling of (B, ..., C) with as much padding before as behind.

    Keras' "same" pads a strided window mostly behind, which moves it.

    Args:
        x: Float tensor (B, d1, ..., C) with one to three axes in between.
        size: Of the window, for all axes or by axis.
        strides: Likewise.
        padding: Positions of −inf at each side, likewise: they never win,
            even among negative values.
    """
    axes = len(x.shape) - 2
    size, strides, padding = (
        [n] * axes if isinstance(n, int) else list(n)
        for n in (size, strides, padding)
    )
    if keras.backend.backend() == "torch":
        return _torch_max_pool(x, size, strides, padding)
    if any(padding):
        around = [[0, 0], *([n, n] for n in padding), [0, 0]]
        x = ops.pad(x, around, constant_values=float("-inf"))
    return ops.max_pool(
        x, tuple(size), tuple(strides), "valid", data_format="channels_last"
    )


def _torch_max_pool(
    x: Tensor, size: list[int], strides: list[int], padding: list[int]
) -> Tensor:
    """PyTorch pads its windows by −inf itself, without a larger copy of x."""
    pool = getattr(torch.nn.functional, f"max_pool{len(size)}d")
    first = torch.movedim(ops.convert_to_tensor(x), -1, 1)
    y = pool(first, size, strides, padding)
    return torch.movedim(y, 1, -1)


if keras.backend.backend() == "torch":
    import torch
