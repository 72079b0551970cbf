"""Keras' dense layers, with products that are fast in half precision."""

import keras

from keras_mmfusion.ops.product import affine, einsum
from keras_mmfusion.registry import register_inner
from keras_mmfusion.types import Tensor


@register_inner
class Dense(keras.layers.Dense):
    """activation(x W + b)."""

    def call(self, inputs: Tensor, training: bool | None = None) -> Tensor:
        y = affine(inputs, self.kernel, self.bias)
        return y if self.activation is None else self.activation(y)


@register_inner
class EinsumDense(keras.layers.EinsumDense):
    """activation(einsum(equation, x, W) + b)."""

    def call(self, inputs: Tensor, training: bool | None = None) -> Tensor:
        y = einsum(self.equation, inputs, self.kernel)
        if self.bias is not None:
            y = y + self.bias
        return y if self.activation is None else self.activation(y)
