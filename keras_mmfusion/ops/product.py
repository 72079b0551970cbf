"""Products of matrices; a place where code depends on the backend.

Of a bfloat16 product XLA on a CPU makes a float32 one, whose factors and
result stay in memory as float32. Asked for a float32 result it multiplies
bfloat16 itself, in half the time (`benchmarks/elementwise.py`).
"""

import math
from typing import Any

import keras
from keras import ops

from keras_mmfusion.ops.device import on_cpu
from keras_mmfusion.ops.held_back import held_back
from keras_mmfusion.types import Tensor


def matmul(a: Tensor, b: Tensor) -> Tensor:
    """a b, for b of rank two or with the same leading axes as a."""
    if not _by_xla_on_a_cpu(a, b):
        return ops.matmul(a, b)
    rows = "abcdefgh"[: len(a.shape) - 1]
    shared = rows[:-1] if len(b.shape) > 2 else ""
    return _einsum(f"{rows}x,{shared}xy->{rows}y", a, b)


def affine(x: Tensor, kernel: Any, bias: Any) -> Tensor:
    """x W + b, W of rank two; b may be `None`."""
    if keras.backend.backend() == "torch":
        # One call, in which PyTorch adds the bias as it multiplies.
        kernel = ops.convert_to_tensor(kernel)
        bias = None if bias is None else ops.convert_to_tensor(bias)
        return torch.nn.functional.linear(x, kernel.T, bias)
    y = matmul(x, kernel)
    return y if bias is None else y + bias


def gradient_matmul(a: Tensor, b: Tensor) -> Tensor:
    """a b of rank two or three, in a gradient that is written out."""
    if not _by_xla_on_a_cpu(a, b):
        return ops.matmul(a, b)
    if len(a.shape) == 2:
        return _in_training(a[None], b[None])[0]
    return _in_training(a, b)


def einsum(subscripts: str, a: Tensor, b: Tensor) -> Tensor:
    """`ops.einsum` of two tensors; every index is in two of the three."""
    if not _by_xla_on_a_cpu(a, b):
        return ops.einsum(subscripts, a, b)
    return _einsum(subscripts, a, b)


def _by_xla_on_a_cpu(a: Tensor, b: Tensor) -> bool:
    if keras.backend.backend() != "jax" or not MULTIPLIES_HALVES:
        return False
    dtypes = {keras.backend.standardize_dtype(x.dtype) for x in (a, b)}
    symbolic = any(keras.backend.is_keras_tensor(x) for x in (a, b))
    return dtypes == {"bfloat16"} and not symbolic and on_cpu(a)


def _einsum(subscripts: str, a: Tensor, b: Tensor) -> Tensor:
    """As one product of matrices, (S, M, K) and (S, K, N)."""
    a, b = ops.convert_to_tensor(a), ops.convert_to_tensor(b)
    inputs, output = subscripts.split("->")
    left, right = inputs.split(",")
    size = dict(zip(left + right, a.shape + b.shape, strict=True))
    shared = [c for c in left if c in right and c in output]
    summed = [c for c in left if c in right and c not in output]
    rows = [c for c in left if c not in right]
    columns = [c for c in right if c not in left]

    def matrices(x: Tensor, names: str, *groups: list[str]) -> Tensor:
        order = [names.index(c) for group in groups for c in group]
        shape = [math.prod(size[c] for c in group) for group in groups]
        return ops.reshape(ops.transpose(x, order), shape)

    y = _product(
        matrices(a, left, shared, rows, summed),
        matrices(b, right, shared, summed, columns),
    )
    found = [*shared, *rows, *columns]
    y = ops.reshape(y, [size[c] for c in found])
    return ops.transpose(y, [found.index(c) for c in output])


if keras.backend.backend() == "torch":
    import torch

if keras.backend.backend() == "jax":
    import jax
    import jax.numpy as jnp

    # Releases before were not tried.
    MULTIPLIES_HALVES = jax.__version_info__ >= (0, 10)

    @jax.custom_vjp
    def _product(a: jax.Array, b: jax.Array) -> jax.Array:
        # A layout could not be exported.
        return jnp.matmul(a, b)

    def _in_training(a: jax.Array, b: jax.Array) -> jax.Array:
        from jax.experimental.layout import Layout, with_layout_constraint

        # XLA finds out too late that it cannot multiply matrices in another
        # order: `DotThunk` fails when it runs (tests/ops/test_product.py).
        row_by_row = Layout((0, 1, 2))
        a, b = (with_layout_constraint(x, row_by_row) for x in (a, b))
        y = jnp.matmul(a, b, preferred_element_type=jnp.float32)
        return with_layout_constraint(y, row_by_row).astype(a.dtype)

    def _forward(a: jax.Array, b: jax.Array) -> Any:
        return _in_training(a, b), (a, b)

    def _backward(factors: Any, dy: jax.Array) -> Any:
        # Turned here, and not kept turned as well.
        first = dy[:, :1]
        a, b = (held_back(x, first).transpose(0, 2, 1) for x in factors)
        return _in_training(dy, b), _in_training(a, dy)

    _product.defvjp(_forward, _backward)
