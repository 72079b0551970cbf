"""Grouped convolution; a place where code depends on the backend.

On PyTorch the native grouped convolution is the fastest. XLA and TensorFlow
run it on a CPU many times slower than a few ordinary convolutions whose
kernels are zero between the groups, although these multiply by zeros.
"""

import math

import keras
from keras import ops

from keras_mmfusion.ops.volume_convolution import volume_convolution
from keras_mmfusion.types import Tensor

# Ordinary convolutions that stand for a grouped one: more of them multiply by
# fewer zeros, but each has its cost.
MOST_PARTS = 16
CHANNELS_OF_PART = 16


def grouped_convolution(
    x: Tensor,
    kernel: Tensor,
    groups: int,
    strides: tuple[int, int, int] = (1, 1, 1),
) -> Tensor:
    """Convolves every group of channels with its own kernels, unpadded.

    Args:
        x: (B, T, H, W, C).
        kernel: (k, k, k, C / groups, outputs), outputs in runs of groups.
        groups: Number of groups.
        strides: Of time, height and width.

    Returns:
        (B, T', H', W', outputs).
    """
    if groups == 1 or keras.backend.backend() == "torch":
        return volume_convolution(x, kernel, strides)
    parts = max(min(x.shape[-1] // CHANNELS_OF_PART, MOST_PARTS), 1)
    parts = math.gcd(groups, parts)
    kernels = ops.split(_block_diagonal(kernel, groups, parts), parts, axis=-1)
    xs = ops.split(x, parts, axis=-1)
    return ops.concatenate(
        [
            volume_convolution(p, k, strides)
            for p, k in zip(xs, kernels, strict=True)
        ],
        axis=-1,
    )


def _block_diagonal(kernel: Tensor, groups: int, parts: int) -> Tensor:
    """(k, k, k, C / parts, outputs): zero between the groups of a part."""
    *size, inputs, outputs = kernel.shape
    together = groups // parts
    width = outputs // groups
    one_group = ops.reshape(kernel, (*size, inputs, parts, together, width))
    same = ops.eye(together, dtype=kernel.dtype)
    blocks = ops.einsum("thwipgo,fg->thwfipgo", one_group, same)
    return ops.reshape(blocks, (*size, together * inputs, outputs))
