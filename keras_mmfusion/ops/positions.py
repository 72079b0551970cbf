"""Sums and products over the positions of a large tensor.

A place where code depends on the backend: what here are a few passes
over memory becomes several times as many if left to the compiler's or
PyTorch's choice (measured by `benchmarks/msaf.py`).
"""

import math

import keras
from keras import ops

from keras_mmfusion.types import Tensor


def mean_position(x: Tensor) -> Tensor:
    """(B, T, ..., C) to its mean over all axes between, (B, T, C)."""
    if len(x.shape) == 3:
        return x
    if keras.backend.backend() != "torch":
        return ops.mean(x, axis=tuple(range(2, len(x.shape) - 1)))
    # PyTorch sums rows of channels slowly and divides the gradient of a mean
    # at every position; a product with their shares does neither.
    positions = math.prod(x.shape[2:-1])
    rows = x.reshape(-1, positions, x.shape[-1])
    shares = x.new_full((1, 1, positions), 1 / positions)
    return (shares @ rows).reshape(*x.shape[:2], x.shape[-1])


def computed_once(x: Tensor) -> Tensor:
    """x itself, kept apart from what uses it.

    The compiler of JAX and TensorFlow would otherwise compute a small tensor
    again for every element of the large one it is multiplied with.
    """
    if keras.backend.backend() == "torch":
        return x
    # The compiler drops its own barriers on a CPU, but no product; at full
    # precision the product with the identity is exact.
    if keras.backend.backend() == "tensorflow":
        # A GPU may round factors in float32 to ten bits.
        eye = ops.eye(x.shape[-1], dtype="float64")
        return ops.cast(ops.matmul(ops.cast(x, "float64"), eye), x.dtype)
    import jax.numpy as jnp

    eye = ops.eye(x.shape[-1], dtype=x.dtype)
    return jnp.matmul(x, eye, precision="highest")
