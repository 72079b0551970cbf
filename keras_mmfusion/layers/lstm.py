"""An LSTM for right-padded sequences."""

from typing import Any

import keras
from keras import ops

from keras_mmfusion.ops.masking import last_valid_step, mask_steps
from keras_mmfusion.ops.recurrence import lstm
from keras_mmfusion.rates import dropout_rate
from keras_mmfusion.registry import register
from keras_mmfusion.seeds import part_seed
from keras_mmfusion.types import Shape, Tensor


@register()
class LSTM(keras.layers.Layer):
    """Long short-term memory, with padding only at the end of a sequence.

        i, f, g, o = split(x_t W + h U + b)
        c = sigmoid(f) c + sigmoid(i) tanh(g);  h = sigmoid(o) tanh(c)

    The state starts from zeros. Steps before the end of a sample never see
    its padding, so the recurrence runs unmasked, as one product for all
    inputs and one small product per step, with PyTorch's own kernel there.

    Args:
        units: Width of h.
        return_sequences: Return every step rather than the last valid one.
        dropout: Rate of dropout on the input features, the same for all steps
            of a sample.
        seed: Integer seed, or `None`.

    Call arguments:
        inputs: Float tensor of shape (B, T, D).
        mask: Boolean tensor of shape (B, T), true up to the length of the
            sample; `None` for all valid.
        training: Whether to drop.

    Returns:
        Float tensor (B, T, units), zero at padded steps, or (B, units), zero
        for a sample without a valid step.

    Raises:
        ValueError: If `units` is less than 1.

    Example:

    ```python
    import numpy as np
    import keras_mmfusion as mmf

    layer = mmf.layers.LSTM(8)
    print(layer(np.ones((2, 5, 3), "float32")).shape)  # (2, 8)
    ```

    Reference:
        Hochreiter and Schmidhuber, 1997. Weights are those of
        `keras.layers.LSTM`; PyTorch's two biases are their sum here.
    """

    def __init__(
        self,
        units: int,
        return_sequences: bool = False,
        dropout: float = 0.0,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.input_spec = keras.layers.InputSpec(ndim=3)
        if units < 1:
            raise ValueError(
                f"`units` must be at least 1. Received: units={units}"
            )
        self.units = units
        self.return_sequences = return_sequences
        self.rate = dropout_rate("dropout", dropout)
        self.seed = seed
        self.supports_masking = True
        self.dropout = keras.layers.Dropout(
            dropout,
            noise_shape=(None, 1, None),
            seed=seed,
            name="dropout",
            dtype=self.dtype_policy,
        )

    def build(self, input_shape: Shape) -> None:
        gates = 4 * self.units
        self.kernel = self.add_weight(
            name="kernel",
            shape=(input_shape[-1], gates),
            initializer=keras.initializers.GlorotUniform(
                part_seed(self.seed, "kernel")
            ),
        )
        self.recurrent_kernel = self.add_weight(
            name="recurrent_kernel",
            shape=(self.units, gates),
            initializer=keras.initializers.Orthogonal(
                seed=part_seed(self.seed, "recurrent_kernel")
            ),
        )
        self.bias = self.add_weight(
            name="bias", shape=(gates,), initializer=_open_forget_gate
        )
        self.built = True

    def call(
        self,
        inputs: Tensor,
        mask: Tensor | None = None,
        training: bool | None = None,
    ) -> Tensor:
        if self.rate:
            inputs = self.dropout(inputs, training=training)
        y = lstm(
            inputs,
            self.kernel.value,
            self.recurrent_kernel.value,
            self.bias.value,
            training,
        )
        if mask is None:
            return y if self.return_sequences else y[:, -1]
        if self.return_sequences:
            return mask_steps(y, mask)
        last = ops.cast(last_valid_step(mask), y.dtype)
        return (last[:, None] @ y)[:, 0]

    def compute_mask(self, inputs: Tensor, mask: Any = None) -> Any:
        return mask if self.return_sequences else None

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        first = input_shape[:-1] if self.return_sequences else input_shape[:1]
        return (*first, self.units)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "units": self.units,
            "return_sequences": self.return_sequences,
            "dropout": self.rate,
            "seed": self.seed,
        }


def _open_forget_gate(shape: tuple[int], dtype: Any = None) -> Tensor:
    """Zeros, and ones for f, as in keras.layers.LSTM."""
    units = shape[0] // 4
    return ops.concatenate(
        [
            ops.zeros((units,), dtype),
            ops.ones((units,), dtype),
            ops.zeros((2 * units,), dtype),
        ]
    )
