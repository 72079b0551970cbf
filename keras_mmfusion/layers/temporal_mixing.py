"""How joint cross-attention mixes the time steps of a modality into keys."""

from typing import Any

import keras
import numpy as np
from keras import ops

from keras_mmfusion.layers.dense import EinsumDense
from keras_mmfusion.ops.product import affine
from keras_mmfusion.registry import register_inner
from keras_mmfusion.types import Shape, Tensor

MIXINGS = ("dense", "conv", "none")


@register_inner
class DenseOverTime(EinsumDense):
    """Σ_t W_st x_t + b_s."""

    def call(self, inputs: Tensor, training: bool | None = None) -> Tensor:
        if keras.backend.backend() != "torch":
            return super().call(inputs)
        # PyTorch multiplies faster with one matrix than with one per sample.
        mixed = affine(inputs.mT, self.kernel, self.bias[:, 0])
        return ops.swapaxes(mixed, 1, 2)


class TemporalMixing(keras.layers.Layer):
    """Keys k_s = Σ_t W_st x_t + b_s, with W a full, a Toeplitz or no matrix.

    Args:
        mixing: "dense" for a matrix over a fixed number of steps, "conv" for
            W_st = w_(s-t) with `kernel_size` learned values w, "none" for
            k_s = x_s.
        kernel_size: Number of values of w. It starts as the identity.
        causal: Whether w reaches back only.

    Call arguments:
        inputs: Tensor of shape (B, T, C), zero where there is no data.
        past: The `context` steps before the inputs, (B, context, C); zeros if
            `None`. Only for `causal`.

    Returns:
        Tensor of shape (B, T, C).
    """

    def __init__(
        self, mixing: str, kernel_size: int, causal: bool, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.mixing = mixing
        self.kernel_size = kernel_size
        self.causal = causal

    @property
    def context(self) -> int:
        """How many earlier steps a causal key is made of."""
        return self.kernel_size - 1 if self.mixing == "conv" else 0

    def build(self, input_shape: Shape) -> None:
        if self.mixing == "dense":
            self.dense = DenseOverTime(
                "btc,ts->bsc",
                (input_shape[1], input_shape[2]),
                bias_axes="s",
                dtype=self.dtype_policy,
                name="dense",
            )
            self.dense.build(input_shape)
        elif self.mixing == "conv":
            identity = np.zeros(self.kernel_size, "float32")
            identity[-1 if self.causal else self._past] = 1
            self.kernel = self.add_weight(
                shape=(self.kernel_size,),
                initializer=lambda shape, dtype: ops.cast(identity, dtype),
                name="kernel",
            )
            self.bias = self.add_weight(
                shape=(), initializer="zeros", name="bias"
            )
        self.built = True

    @property
    def _past(self) -> int:
        size = self.kernel_size - 1
        return size if self.causal else size - size // 2

    def call(self, inputs: Tensor, past: Tensor | None = None) -> Tensor:
        if self.mixing == "dense":
            return self.dense(inputs)
        if self.mixing == "none":
            return inputs
        if past is None:
            future = self.kernel_size - 1 - self._past
            x = ops.pad(inputs, [[0, 0], [self._past, future], [0, 0]])
        else:
            x = ops.concatenate([past, inputs], axis=1)
        steps = ops.shape(inputs)[1]
        kernel = ops.convert_to_tensor(self.kernel)
        # A handful of scaled copies is faster than a convolution with as many
        # groups as channels, and is the same on every backend.
        mixed = ops.convert_to_tensor(self.bias)
        for j in range(self.kernel_size):
            mixed = mixed + kernel[j] * x[:, j : j + steps]
        return mixed

    def compute_output_shape(
        self, input_shape: Shape, past_shape: Shape | None = None
    ) -> Shape:
        return input_shape
