"""Layer normalisation that keeps little for the gradient.

Automatic differentiation keeps a float32 tensor or two as large as the input,
in half precision too.
"""

from typing import Any

import keras
from keras import ops

from keras_mmfusion.ops.held_back import held_back
from keras_mmfusion.ops.rounded import rounded
from keras_mmfusion.types import Tensor


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class LayerNorm(keras.layers.LayerNormalization):
    """Keras' layer over the channels, with statistics in float32 or more."""

    def call(self, inputs: Tensor) -> Tensor:
        if keras.backend.backend() != "torch":
            wide = keras.backend.result_type(inputs.dtype, "float32")
            gamma = ops.cast(self.gamma, wide)
            beta = ops.cast(self.beta, wide)
            return _normalized(inputs, gamma, beta, self.epsilon)
        if self.compute_dtype == "float32":
            return super().call(inputs)
        # PyTorch's kernel has its float32 values inside.
        import torch

        gamma = ops.cast(self.gamma, inputs.dtype)
        beta = ops.cast(self.beta, inputs.dtype)
        return torch.nn.functional.layer_norm(
            inputs, inputs.shape[-1:], gamma, beta, self.epsilon
        )


def _normalized(
    inputs: Tensor, gamma: Tensor, beta: Tensor, epsilon: float
) -> Tensor:
    """y = γ n + β with n = (x - mean(x)) / sqrt(var(x) + ε).

    With g = γ dy, the gradient is (g - mean(g) - n mean(g n)) / sqrt(var + ε).
    """

    @ops.custom_gradient
    def normalized(inputs: Tensor, gamma: Tensor, beta: Tensor) -> Any:
        inputs = rounded(inputs)
        x = ops.cast(inputs, gamma.dtype)
        center = ops.mean(x, axis=-1, keepdims=True)
        x = x - center
        variance = ops.mean(ops.square(x), axis=-1, keepdims=True)
        scale = ops.rsqrt(variance + epsilon)
        y = ops.cast(x * scale * gamma + beta, inputs.dtype)

        def gradient(*upstream: Tensor, **named: Tensor) -> Any:
            (dy,) = upstream or named.values()
            dy = ops.cast(dy, gamma.dtype)
            x = ops.cast(inputs, gamma.dtype) - held_back(center, dy)
            share = gamma[:, None] / gamma.shape[0]
            mean_g = ops.matmul(dy, share)
            mean_gn = scale * ops.matmul(x * dy, share)
            dx = scale * (gamma * dy - mean_g - scale * x * mean_gn)
            rows = ops.reshape(x * dy, (-1, gamma.shape[0]))
            dgamma = ops.matmul(ops.reshape(scale, (1, -1)), rows)[0]
            dbeta = ops.sum(dy, axis=tuple(range(len(dy.shape) - 1)))
            return ops.cast(dx, inputs.dtype), dgamma, dbeta

        return y, gradient

    return normalized(inputs, gamma, beta)
