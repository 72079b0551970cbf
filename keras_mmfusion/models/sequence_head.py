"""From fused sequences to one prediction per step or per sample."""

from collections.abc import Mapping
from typing import Any

import keras
from keras import ops

from keras_mmfusion.layers.masked_batch_normalization import (
    MaskedBatchNormalization,
)
from keras_mmfusion.ops.masking import mask_steps
from keras_mmfusion.registry import register_inner
from keras_mmfusion.types import Shape, Tensor

SLOPE = 0.01  # of the leaky ReLU


@register_inner
class SequenceHead(keras.layers.Layer):
    """Dense, batch normalisation, leaky ReLU, dense, and r tanh or logits.

    Args:
        hidden_units: Width of the first dense layer.
        outputs: Number of outputs.
        output_range: r; `None` for outputs without a bound.
        per_step: Whether there is a prediction for every step, or one for the
            mean of the valid steps.

    Call arguments:
        inputs: Float tensor of shape (B, T, C).
        mask: Boolean tensor of shape (B, T).
        training: Whether to use batch statistics.

    Returns:
        Float32 tensor (B, T, outputs), zero where masked, or (B, outputs).
    """

    def __init__(
        self,
        hidden_units: int,
        outputs: int,
        output_range: float | None,
        per_step: bool,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.output_range = output_range
        self.per_step = per_step
        self.outputs = outputs
        self.supports_masking = True
        self.hidden = keras.layers.Dense(
            hidden_units, name="hidden", dtype=self.dtype_policy
        )
        self.norm = MaskedBatchNormalization(
            name="norm", dtype=self.dtype_policy
        )
        # A bfloat16 output would have steps of 1/128.
        self.output_dense = keras.layers.Dense(
            outputs, name="output", dtype="float32"
        )

    def build(self, input_shape: Shape) -> None:
        shape = input_shape if self.per_step else input_shape[::2]
        wide = (*shape[:-1], self.hidden.units)
        self.hidden.build(shape)
        self.norm.build(wide)
        self.output_dense.build(wide)
        self.built = True

    def call(
        self, inputs: Tensor, mask: Tensor, training: bool | None = None
    ) -> Tensor:
        if self.per_step:
            return self._predict(inputs, mask, training)
        total, count = _sums(inputs, mask)
        return self._predict(_mean(total, count, inputs), None, training)

    def initial_state(self, batch_size: int, width: int) -> dict[str, Tensor]:
        """What `stream` knows before the first step: nothing."""
        if self.per_step:
            return {}
        return {
            "total": ops.zeros((batch_size, width)),
            "count": ops.zeros((batch_size,)),
        }

    def stream(
        self, inputs: Tensor, state: Mapping[str, Tensor], mask: Tensor
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """The predictions after the next steps, and the state after them."""
        if self.per_step:
            return self._predict(inputs, mask, False), {}
        total, count = _sums(inputs, mask)
        total, count = total + state["total"], count + state["count"]
        outputs = self._predict(_mean(total, count, inputs), None, False)
        return outputs, {"total": total, "count": count}

    def _predict(
        self, x: Tensor, mask: Tensor | None, training: bool | None
    ) -> Tensor:
        x = self.norm(self.hidden(x), training=training, mask=mask)
        x = self.output_dense(ops.leaky_relu(x, SLOPE))
        if self.output_range is not None:
            x = self.output_range * ops.tanh(x)
        return mask_steps(x, mask)

    def compute_mask(self, inputs: Tensor, mask: Any = None) -> Any:
        # Losses leave out masked steps by themselves.
        return mask if self.per_step else None

    def compute_output_spec(
        self, inputs: Tensor, mask: Tensor, training: bool | None = None
    ) -> keras.KerasTensor:
        shape = self.compute_output_shape(inputs.shape)
        return keras.KerasTensor(shape, dtype="float32")

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        first = input_shape[:-1] if self.per_step else input_shape[:1]
        return (*first, self.outputs)


def _sums(x: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Sum over the valid steps (B, C), and their number (B,), in float32."""
    weight = ops.cast(mask, "float32")
    total = ops.einsum("bt,btc->bc", weight, ops.cast(x, "float32"))
    return total, ops.sum(weight, axis=1)


def _mean(total: Tensor, count: Tensor, like: Tensor) -> Tensor:
    return ops.cast(total / ops.maximum(count, 1)[:, None], like.dtype)
