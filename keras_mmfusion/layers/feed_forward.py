"""Two dense layers with GeLU between them, alone and as a residual block."""

from collections.abc import Sequence
from typing import Any

import keras

from keras_mmfusion.layers.dense import Dense
from keras_mmfusion.layers.layer_norm import LayerNorm
from keras_mmfusion.layers.uniform_dropout import UniformDropout
from keras_mmfusion.ops.recomputed_perceptron import recomputed_perceptron
from keras_mmfusion.ops.remade import remade
from keras_mmfusion.registry import register_inner
from keras_mmfusion.types import Shape, Tensor

# Keras' own default of 1e-3 is visible in the results.
NORM_EPSILON = 1e-5


def layer_norm(name: str, policy: Any) -> LayerNorm:
    """Layer normalisation over the channels with the small epsilon."""
    return LayerNorm(epsilon=NORM_EPSILON, name=name, dtype=policy)


@register_inner
class Perceptron(keras.layers.Layer):
    """W_2 GeLU(W_1 x + b_1) + b_2, with layers `hidden` and `output`.

    Args:
        hidden_units: Width in between.
        units: Width of the output.
    """

    def __init__(self, hidden_units: int, units: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.hidden_units = hidden_units
        self.units = units
        self.hidden = Dense(
            hidden_units, gelu, name="hidden", dtype=self.dtype_policy
        )
        self.output_layer = Dense(units, name="output", dtype=self.dtype_policy)

    def build(self, input_shape: Shape) -> None:
        self.hidden.build(input_shape)
        self.output_layer.build((*input_shape[:-1], self.hidden_units))
        self.built = True

    def call(self, inputs: Tensor, training: bool | None = None) -> Tensor:
        hidden, output = self.hidden, self.output_layer
        # Under PyTorch it would be slower (benchmarks/README_mea.md).
        by_torch = keras.backend.backend() == "torch"
        if not training or by_torch or hidden.quantization_mode:
            return output(hidden(inputs))
        return recomputed_perceptron(
            inputs, hidden.kernel, hidden.bias, output.kernel, output.bias
        )

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return (*input_shape[:-1], self.units)


def projected(norm: Any, layers: Sequence[Any], x: Tensor) -> list[Tensor]:
    """LN(x), and every layer of it."""

    def all_of(x: Tensor) -> list[Tensor]:
        normalized = norm(x)
        return [normalized, *(layer(normalized) for layer in layers)]

    return remade(all_of, x)


class FeedForward(keras.layers.Layer):
    """x + dropout(F(LN(x))) with F a perceptron four times as wide as x."""

    def __init__(
        self, dropout: float = 0.0, seed: int | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        policy = self.dtype_policy
        self.norm = layer_norm("norm", policy)
        self.dropout = UniformDropout(
            dropout, seed=seed, name="dropout", dtype=policy
        )

    def build(self, input_shape: Shape) -> None:
        width = int(input_shape[-1] or 0)
        self.norm.build(input_shape)
        self.perceptron = Perceptron(
            4 * width, width, name="perceptron", dtype=self.dtype_policy
        )
        self.perceptron.build(input_shape)
        self.built = True

    def call(self, inputs: Tensor, training: bool | None = None) -> Tensor:
        y = remade(
            lambda x: self.perceptron(self.norm(x), training=training), inputs
        )
        return inputs + self.dropout(y, training=training)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape


@register_inner
def gelu(x: Tensor) -> Tensor:
    """x times the normal distribution function of x, exact."""
    return keras.ops.gelu(x, approximate=False)
