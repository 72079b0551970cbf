"""The length mask of zero-padded inputs, computed inside the model."""

from typing import Any

import keras

from keras_mmfusion.ops.masking import valid_steps
from keras_mmfusion.registry import register
from keras_mmfusion.types import Shape, Tensor


@register()
class PaddingMask(keras.layers.Layer):
    """Tells which steps have data, from the zeros at the end.

    Step t is valid if any value at step t or later is not zero. Zeros between
    valid steps stay valid; a sample of zeros only is missing. As the mask is
    computed from the input, nothing but the input has to be passed to a model,
    also after export.

    Call arguments:
        inputs: Tensor of shape (B, T, ...), zero-padded at the end of axis 1,
            or (B, C).

    Returns:
        Boolean tensor of shape (B, T), or (B,) for inputs of rank 2.

    Example:

    ```python
    import numpy as np
    import keras_mmfusion as mmf

    x = np.array([[[1.0], [0.0], [2.0], [0.0]]], "float32")
    mask = mmf.layers.PaddingMask()(x)  # [[True, True, True, False]]
    ```
    """

    def __init__(self, **kwargs: Any) -> None:
        # A value too small for half precision is no padding.
        super().__init__(autocast=False, **kwargs)

    def call(self, inputs: Tensor) -> Tensor:
        return valid_steps(inputs)

    def compute_output_spec(self, inputs: Tensor) -> keras.KerasTensor:
        shape = self.compute_output_shape(inputs.shape)
        return keras.KerasTensor(shape, dtype="bool")

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape[:1] if len(input_shape) == 2 else input_shape[:2]
