"""Values that a gradient makes again; a place that depends on the backend."""

from collections.abc import Callable
from typing import Any

import keras

from keras_mmfusion.types import Tensor


def remade(function: Callable[[Tensor], Any], x: Tensor) -> Any:
    """function(x), of which the gradient under JAX keeps x alone.

    In half precision: in float32 XLA makes normalised values again by itself,
    and with all of a perceptron made again like this it kept more, not less.
    """
    half = keras.backend.standardize_dtype(x.dtype) in ("bfloat16", "float16")
    if keras.backend.backend() != "jax" or not half:
        return function(x)
    return keras.remat(function)(x)
