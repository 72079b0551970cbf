"""The last valid step of a sequence."""

from typing import Any

import keras
from keras import ops

from keras_mmfusion.ops.masking import last_valid_step
from keras_mmfusion.registry import register_inner
from keras_mmfusion.types import Shape, Tensor


@register_inner
class LastValidStep(keras.layers.Layer):
    """(B, T, C) to its last valid step (B, C); 0 if the mask has none."""

    def build(self, input_shape: Shape) -> None:
        self.built = True

    def call(self, inputs: Tensor, mask: Tensor | None = None) -> Tensor:
        if mask is None:
            return inputs[:, -1]
        last = ops.cast(last_valid_step(mask), inputs.dtype)
        return ops.einsum("bt,btc->bc", last, inputs)

    def compute_mask(self, inputs: Tensor, mask: Any = None) -> Any:
        return None

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return (input_shape[0], *input_shape[2:])
