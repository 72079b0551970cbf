"""Values that a gradient makes again; a place that depends on the backend."""

from collections.abc import Callable
from typing import Any

import keras

from keras_mmfusion.ops.rounded import half_by_xla_on_a_cpu
from keras_mmfusion.types import Tensor


def remade(function: Callable[[Tensor], Any], x: Tensor) -> Any:
    """function(x), of which the gradient keeps x alone, not what is in between.

    Under JAX in half precision on a CPU. In float32 XLA makes normalised
    values again by itself, and with all of a perceptron made again like this
    it kept more, not less.
    """
    if not half_by_xla_on_a_cpu(x):
        return function(x)
    return keras.remat(function)(x)
