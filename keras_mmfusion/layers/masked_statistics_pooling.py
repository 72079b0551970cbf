"""Mean, deviation and maximum over the valid steps of a sequence."""

from typing import Any

import keras
from keras import ops

from keras_mmfusion.registry import register
from keras_mmfusion.types import Shape, Tensor

EPSILON = 1e-5  # of the variance: its root has no slope at 0


@register()
class MaskedStatisticsPooling(keras.layers.Layer):
    """Mean, standard deviation and maximum over the valid steps.

        y = [mean_t x_t, sqrt(mean_t (x_t - mean)² + 1e-5), max_t x_t]

    A sample without a valid step gives zeros.

    Call arguments:
        inputs: Float tensor of shape (B, T, C).
        mask: Boolean tensor of shape (B, T); `None` for all valid.

    Returns:
        Float tensor of shape (B, 3 C).

    Example:

    ```python
    import numpy as np
    import keras_mmfusion as mmf

    x = np.array([[[2.0], [4.0], [9.0]]], "float32")
    mask = np.array([[True, True, False]])
    y = mmf.layers.MaskedStatisticsPooling()(x, mask=mask)  # [[3., 1., 4.]]
    ```

    Reference:
        The statistics pooling of Snyder et al., X-Vectors, ICASSP 2018, with
        the maximum besides.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.input_spec = keras.layers.InputSpec(ndim=3)
        self.supports_masking = True

    def build(self, input_shape: Shape) -> None:
        self.built = True

    def call(self, inputs: Tensor, mask: Tensor | None = None) -> Tensor:
        # In bfloat16 the deviation would have few digits.
        x = ops.cast(inputs, "float32")
        if mask is None:
            mask = ops.ones(ops.shape(x)[:2], dtype="bool")
        valid = ops.cast(mask, "float32")[..., None]
        count = ops.maximum(ops.sum(valid, axis=1), 1.0)
        mean = ops.sum(valid * x, axis=1) / count
        square = ops.square(valid * (x - mean[:, None]))
        deviation = ops.sqrt(ops.sum(square, axis=1) / count + EPSILON)
        largest = ops.max(ops.where(valid > 0, x, -1e30), axis=1)
        # Where nothing is valid the mean is 0, the other two are not.
        present = ops.max(valid, axis=1) > 0
        parts = [
            mean,
            ops.where(present, deviation, 0.0),
            ops.where(present, largest, 0.0),
        ]
        return ops.cast(ops.concatenate(parts, axis=-1), inputs.dtype)

    def compute_mask(self, inputs: Tensor, mask: Any = None) -> Any:
        return None

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return (input_shape[0], 3 * int(input_shape[-1] or 0))
