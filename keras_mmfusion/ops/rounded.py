"""Half precision that a compiler keeps; a place that depends on the backend."""

from typing import Any

import keras

from keras_mmfusion.ops.device import on_cpu
from keras_mmfusion.types import Tensor


def half_by_xla_on_a_cpu(x: Tensor) -> bool:
    """Whether JAX has x in half precision, on a CPU."""
    half = keras.backend.standardize_dtype(x.dtype) in ("bfloat16", "float16")
    return keras.backend.backend() == "jax" and half and on_cpu(x)


def rounded(x: Tensor) -> Tensor:
    """x as its dtype has it.

    XLA on a CPU adds bfloat16 values in float32, and what reads the sum gets
    it as it is: a gradient that keeps x would keep twice as many bytes.
    """
    if not half_by_xla_on_a_cpu(x):
        return x
    import jax

    found: Any = jax.lax.optimization_barrier(x)
    return found
