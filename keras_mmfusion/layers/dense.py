"""Keras' dense layers, with products that are fast in half precision."""

from typing import Any

import keras

from keras_mmfusion.ops.product import einsum, matmul
from keras_mmfusion.registry import register_inner
from keras_mmfusion.types import Tensor


@register_inner
class Dense(keras.layers.Dense):
    """activation(x W + b)."""

    def call(self, inputs: Tensor, training: bool | None = None) -> Tensor:
        return _finished(self, matmul(inputs, self.kernel))


@register_inner
class EinsumDense(keras.layers.EinsumDense):
    """activation(einsum(equation, x, W) + b)."""

    def call(self, inputs: Tensor, training: bool | None = None) -> Tensor:
        return _finished(self, einsum(self.equation, inputs, self.kernel))


def _finished(layer: Any, x: Tensor) -> Tensor:
    if layer.bias is not None:
        x = x + layer.bias
    return x if layer.activation is None else layer.activation(x)
