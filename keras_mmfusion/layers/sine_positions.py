"""Sine and cosine positions, added to a sequence."""

from typing import Any

import keras
from keras import ops

from keras_mmfusion.registry import register
from keras_mmfusion.types import Shape, Tensor


@register()
class SinePositions(keras.layers.Layer):
    """Adds a fixed code of every step's position.

        y_t,2i = x_t,2i + sin(t / 10000^(2i / d));  y_t,2i+1 likewise with cos

    Call arguments:
        inputs: Float tensor of shape (B, T, d); step 0 is position 0.

    Returns:
        Float tensor of the same shape. Padded steps get a code as well.

    Example:

    ```python
    import numpy as np
    import keras_mmfusion as mmf

    y = mmf.layers.SinePositions()(np.zeros((1, 3, 4), "float32"))
    print(np.array(y)[0, 0])  # [0. 1. 0. 1.]
    ```

    Reference:
        Vaswani et al., Attention Is All You Need, arXiv 1706.03762, sec. 3.5.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.input_spec = keras.layers.InputSpec(ndim=3)
        self.supports_masking = True

    def build(self, input_shape: Shape) -> None:
        self.built = True

    def call(self, inputs: Tensor) -> Tensor:
        width = inputs.shape[-1]
        channel = ops.arange(width)
        # float32 whatever the policy: positions above 256 have no bfloat16.
        pair = ops.cast(channel // 2, "float32")
        rate = ops.power(10000.0, -2.0 * pair / width)
        steps = ops.arange(ops.shape(inputs)[1], dtype="float32")
        angle = steps[:, None] * rate
        code = ops.where(channel % 2 == 0, ops.sin(angle), ops.cos(angle))
        return inputs + ops.cast(code, inputs.dtype)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape
