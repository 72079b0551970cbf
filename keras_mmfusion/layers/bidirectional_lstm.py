"""Two LSTMs that read a sequence from either end."""

from typing import Any

import keras
from keras import ops

from keras_mmfusion.layers.lstm import LSTM
from keras_mmfusion.registry import register
from keras_mmfusion.seeds import part_seed
from keras_mmfusion.types import Shape, Tensor


@register()
class BidirectionalLSTM(keras.layers.Layer):
    """Joins what an LSTM reads forwards with what another reads backwards.

        y_t = [LSTM(x_0 ... x_t) ; LSTM'(x_n-1 ... x_t)]

    The backward direction starts at the last valid step of each sample, so
    padding at the end changes nothing.

    Args:
        units: Width of each direction.
        seed: Integer seed of the initial weights, or `None`.

    Call arguments:
        inputs: Float tensor of shape (B, T, D).
        mask: Boolean tensor of shape (B, T), true up to the length of the
            sample; `None` for all valid.

    Returns:
        Float tensor (B, T, 2 units), forward half first, zero at padded
        steps.

    Raises:
        ValueError: If `units` is less than 1.

    Example:

    ```python
    import numpy as np
    import keras_mmfusion as mmf

    layer = mmf.layers.BidirectionalLSTM(4)
    print(layer(np.ones((2, 5, 3), "float32")).shape)  # (2, 5, 8)
    ```

    Reference:
        Schuster and Paliwal, 1997. Weights are those of
        `keras.layers.Bidirectional(keras.layers.LSTM)`.
    """

    def __init__(
        self, units: int, seed: int | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.input_spec = keras.layers.InputSpec(ndim=3)
        self.units = units
        self.seed = seed
        self.supports_masking = True
        # `forward` is taken on PyTorch, where a layer is a module.
        self.forwards = LSTM(
            units,
            return_sequences=True,
            seed=seed,
            name="forward",
            dtype=self.dtype_policy,
        )
        self.backwards = LSTM(
            units,
            return_sequences=True,
            seed=part_seed(seed, "backward"),
            name="backward",
            dtype=self.dtype_policy,
        )

    def build(self, input_shape: Shape) -> None:
        self.forwards.build(input_shape)
        self.backwards.build(input_shape)
        self.built = True

    def call(self, inputs: Tensor, mask: Tensor | None = None) -> Tensor:
        ahead = self.forwards(inputs, mask=mask)
        back = self.backwards(_reverse(inputs, mask), mask=mask)
        return ops.concatenate([ahead, _reverse(back, mask)], axis=-1)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return (*input_shape[:-1], 2 * self.units)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "units": self.units,
            "seed": self.seed,
        }


def _reverse(x: Tensor, mask: Tensor | None) -> Tensor:
    """The valid steps of each sample in reverse order, padding as it is."""
    if mask is None:
        return ops.flip(x, axis=1)
    mask = ops.cast(mask, "int32")
    step = ops.cumsum(ops.ones_like(mask), axis=1) - 1
    length = ops.sum(mask, axis=1, keepdims=True)
    source = ops.where(step < length, length - 1 - step, step)
    # Rows of all samples in one: `take_along_axis` fixes the number of steps
    # when PyTorch exports a model.
    batch, steps = ops.shape(mask)
    first = steps * ops.arange(batch, dtype="int32")[:, None]
    rows = ops.reshape(x, (-1, x.shape[-1]))
    return ops.reshape(ops.take(rows, first + source, axis=0), ops.shape(x))
