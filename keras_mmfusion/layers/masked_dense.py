"""A dense layer that leaves padding and missing modalities at zero."""

from typing import Any

import keras
from keras import ops

from keras_mmfusion.layers.masked_batch_normalization import (
    MaskedBatchNormalization,
)
from keras_mmfusion.rates import dropout_rate
from keras_mmfusion.registry import register
from keras_mmfusion.types import Shape, Tensor


@register()
class MaskedDense(keras.layers.Layer):
    """Dense layer whose output is zero wherever the mask is not set.

    y_t = mask_t activation(W dropout(x_t) + b). A plain dense layer would turn
    a missing modality into its bias, which looks like data. With `batch_norm`,

        y_t = mask_t activation(batch_norm(W dropout(x_t)))

    and masked steps are left out of the statistics.

    Args:
        units: Output width.
        activation: Name of a Keras activation, or `None`.
        dropout: Rate of dropout on the input.
        seed: Integer seed of the dropout, or `None`.
        batch_norm: Whether to normalise before the activation.

    Call arguments:
        inputs: Float tensor of shape (B, T, C) or (B, C).
        mask: Boolean tensor of shape (B, T), or (B,); `None` for all valid.
        training: Whether to drop.

    Returns:
        Float tensor of shape (B, T, units) or (B, units).

    Raises:
        ValueError: If `dropout` is no number in [0, 1).

    Example:

    ```python
    import keras
    import numpy as np
    import keras_mmfusion as mmf

    layer = mmf.layers.MaskedDense(3)
    y = layer(np.ones((2, 4), "float32"), mask=np.array([True, False]))
    assert not keras.ops.convert_to_numpy(y)[1].any()
    ```
    """

    def __init__(
        self,
        units: int,
        activation: str | None = None,
        dropout: float = 0.0,
        seed: int | None = None,
        batch_norm: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.units = units
        self.activation = activation
        self.rate = dropout_rate("dropout", dropout)
        self.seed = seed
        self.supports_masking = True
        policy = self.dtype_policy
        self.dense = keras.layers.Dense(
            units,
            None if batch_norm else activation,
            use_bias=not batch_norm,
            name="dense",
            dtype=policy,
        )
        self.batch_norm = batch_norm
        self.norm = None
        if batch_norm:
            self.norm = MaskedBatchNormalization(name="norm", dtype=policy)
        self.dropout = keras.layers.Dropout(
            dropout, seed=seed, name="dropout", dtype=policy
        )

    def build(self, input_shape: Shape) -> None:
        self.dense.build(input_shape)
        if self.norm is not None:
            self.norm.build((*input_shape[:-1], self.units))
        self.built = True

    def call(
        self,
        inputs: Tensor,
        mask: Tensor | None = None,
        training: bool | None = None,
    ) -> Tensor:
        y = self.dense(self.dropout(inputs, training=training))
        if self.norm is not None:
            y = self.norm(y, training=training, mask=mask)
            y = keras.activations.get(self.activation)(y)
        if mask is None:
            return y
        return y * ops.cast(mask, y.dtype)[..., None]

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return (*input_shape[:-1], self.units)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "units": self.units,
            "activation": self.activation,
            "dropout": self.rate,
            "seed": self.seed,
            "batch_norm": self.batch_norm,
        }
