"""The mean over the valid steps of a sequence."""

from typing import Any

import keras
from keras import ops

from keras_mmfusion.registry import register
from keras_mmfusion.types import Shape, Tensor


@register()
class MaskedAveragePooling(keras.layers.Layer):
    """Mean over the steps that the mask leaves; 0 if it leaves none.

    Call arguments:
        inputs: Float tensor of shape (B, T, C).
        mask: Boolean tensor of shape (B, T); `None` for all valid.

    Returns:
        Float tensor of shape (B, C).

    Example:

    ```python
    import numpy as np
    import keras_mmfusion as mmf

    x = np.array([[[2.0], [4.0], [9.0]]], "float32")
    mask = np.array([[True, True, False]])
    print(mmf.layers.MaskedAveragePooling()(x, mask=mask))  # [[3.]]
    ```

    Where we differ from `keras.layers.GlobalAveragePooling1D`: that gives NaN
    for a sample without a valid step.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.input_spec = keras.layers.InputSpec(ndim=3)
        self.supports_masking = True

    def build(self, input_shape: Shape) -> None:
        self.built = True

    def call(self, inputs: Tensor, mask: Tensor | None = None) -> Tensor:
        if mask is None:
            return ops.mean(inputs, axis=1)
        # Counts above 256 have no bfloat16.
        weight = ops.cast(mask, "float32")
        count = ops.maximum(ops.sum(weight, axis=1, keepdims=True), 1.0)
        share = ops.cast(weight / count, inputs.dtype)
        return ops.einsum("bt,btc->bc", share, inputs)

    def compute_mask(self, inputs: Tensor, mask: Any = None) -> Any:
        return None

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return (input_shape[0], *input_shape[2:])
