"""Max pooling as the official networks pad it; depends on the backend."""

import functools
from collections.abc import Sequence

import keras
from keras import ops

from keras_mmfusion.ops.device import on_cpu
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
    if keras.backend.backend() == "jax" and on_cpu(x):
        return _max_pool_by_axis(x, size, strides)
    return ops.max_pool(
        x, tuple(size), tuple(strides), "valid", data_format="channels_last"
    )


def _max_pool_by_axis(x: Tensor, size: list[int], strides: list[int]) -> Tensor:
    """Maxima of shifted slices, one axis after the other.

    XLA takes four to nine times as long on a CPU for the gradient of a window.
    """
    for axis in range(len(size)):
        x = ops.moveaxis(x, axis + 1, 0)
        end = x.shape[0] - size[axis] + 1
        slices = [x[i : end + i : strides[axis]] for i in range(size[axis])]
        x = ops.moveaxis(functools.reduce(ops.maximum, slices), 0, axis + 1)
    return x


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
