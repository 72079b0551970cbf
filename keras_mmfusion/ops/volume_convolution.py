"""3D convolution; a place where code depends on the backend.

XLA takes up to five times as long on a CPU for a 3D convolution as for 2D
ones, and fifty times for the gradients of a strided one. So there it is made
of those, one for every step of the kernel (`benchmarks/convolution.py`).
"""

import keras
from keras import ops

from keras_mmfusion.ops.device import on_cpu
from keras_mmfusion.types import Tensor


def volume_convolution(
    x: Tensor, kernel: Tensor, strides: tuple[int, int, int]
) -> Tensor:
    """Convolves over time, height and width, unpadded.

    y[t, h, w] = Σ_ijk x[t s₁ + i, h s₂ + j, w s₃ + k] K[i, j, k]

    Args:
        x: (B, T, H, W, C).
        kernel: (i, j, k, C / groups, outputs).
        strides: Of time, height and width.

    Returns:
        (B, T', H', W', outputs).
    """
    # Half precision would round the sum at every step of the kernel.
    if (
        keras.backend.backend() != "jax"
        or kernel.shape[0] == 1
        or keras.backend.standardize_dtype(x.dtype) != "float32"
        or not on_cpu(x)
    ):
        return _convolution(x, kernel, strides)
    steps = kernel.shape[0]
    last = x.shape[1] - steps + 1
    return sum(
        _over_space(x[:, i : last + i : strides[0]], kernel[i], strides[1:])
        for i in range(steps)
    )


def _over_space(x: Tensor, kernel: Tensor, strides: tuple[int, int]) -> Tensor:
    """2D convolution of every frame."""
    batch, steps, *frame = ops.shape(x)
    y = _convolution(ops.reshape(x, (-1, *frame)), kernel, strides)
    return ops.reshape(y, (batch, steps, *y.shape[1:]))


def _convolution(x: Tensor, kernel: Tensor, strides: tuple[int, ...]) -> Tensor:
    return ops.conv(
        x,
        kernel,
        strides=strides,
        padding="valid",
        data_format="channels_last",
    )
