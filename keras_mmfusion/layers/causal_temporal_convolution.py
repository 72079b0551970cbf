"""A dilated convolution over time that can run step by step."""

from collections.abc import Mapping
from typing import Any

import keras
from keras import ops

from keras_mmfusion.ops.masking import mask_steps
from keras_mmfusion.ops.streaming import last_steps
from keras_mmfusion.registry import register
from keras_mmfusion.types import Shape, Tensor


@register()
class CausalTemporalConvolution(keras.layers.Layer):
    """Weight-normalised dilated convolution over time.

        y_t = Σ_j W_j x_(t - (k - 1 - j) d) + b,   W_o = g_o v_o / |v_o|

    with kernel size k, dilation d, and the norm over all weights of an output
    channel o. Before the first step the input counts as zero. With
    `causal=False` the kernel is centred on t instead.

    Args:
        filters: Number of output channels.
        kernel_size: k.
        dilation: d, distance between the steps that are read.
        causal: Whether step t reads steps up to t only.

    Call arguments:
        inputs: Float tensor of shape (B, T, C).
        mask: Boolean tensor (B, T); `None` for all valid. Masked steps are
            read as zero and become zero.

    Returns:
        Float tensor of shape (B, T, filters).

    Raises:
        ValueError: If a size is less than 1.

    Example:

    ```python
    import numpy as np
    import keras_mmfusion as mmf

    layer = mmf.layers.CausalTemporalConvolution(filters=4, dilation=2)
    print(layer(np.ones((2, 30, 8), "float32")).shape)  # (2, 30, 4)
    ```

    Reference:
        Bai et al., An Empirical Evaluation of Generic Convolutional and
        Recurrent Networks for Sequence Modeling, arXiv 1803.01271; Salimans
        and Kingma, Weight Normalization, arXiv 1602.07868. Every g starts at
        1, not at |v|.
    """

    def __init__(
        self,
        filters: int,
        kernel_size: int = 5,
        dilation: int = 1,
        causal: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.input_spec = keras.layers.InputSpec(ndim=3)
        if min(filters, kernel_size, dilation) < 1:
            raise ValueError(
                "`filters`, `kernel_size` and `dilation` must be at least 1. "
                f"Received: filters={filters}, kernel_size={kernel_size}, "
                f"dilation={dilation}"
            )
        self.filters = filters
        self.kernel_size = kernel_size
        self.dilation = dilation
        self.causal = causal
        self.supports_masking = True

    @property
    def context(self) -> int:
        """How many more steps than one an output is made of."""
        return (self.kernel_size - 1) * self.dilation

    def build(self, input_shape: Shape) -> None:
        self.channels = int(input_shape[-1] or 0)
        shape = (self.kernel_size, self.channels, self.filters)
        # The norm is taken in float32, also under mixed precision.
        self.direction = self.add_weight(
            shape=shape,
            initializer="glorot_uniform",
            name="direction",
            autocast=False,
        )
        self.gain = self.add_weight(
            shape=(self.filters,),
            initializer="ones",
            name="gain",
            autocast=False,
        )
        self.bias = self.add_weight(
            shape=(self.filters,), initializer="zeros", name="bias"
        )
        self.built = True

    def call(self, inputs: Tensor, mask: Tensor | None = None) -> Tensor:
        before = self.context if self.causal else self.context // 2
        padding = [[0, 0], [before, self.context - before], [0, 0]]
        x = mask_steps(inputs, mask)
        return mask_steps(self._convolve(ops.pad(x, padding)), mask)

    def initial_state(self, batch_size: int) -> dict[str, Tensor]:
        """What `stream` knows before the first step: zeros."""
        shape = (batch_size, self.context, self.channels)
        return {"past": ops.zeros(shape, dtype=self.compute_dtype)}

    def stream(
        self,
        inputs: Tensor,
        state: Mapping[str, Tensor],
        mask: Tensor | None = None,
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """The outputs of the next steps, and the state after them.

        Args:
            inputs: Float tensor (B, t, C), any number t of steps.
            state: From `initial_state` or the call before.
            mask: Boolean tensor (B, t), or `None`.
        """
        x = mask_steps(inputs, mask)
        past = state["past"]
        outputs = self._convolve(ops.concatenate([past, x], axis=1))
        return mask_steps(outputs, mask), {"past": last_steps(past, x)}

    def _convolve(self, x: Tensor) -> Tensor:
        v = ops.convert_to_tensor(self.direction)
        square = ops.sum(ops.square(v), axis=(0, 1))
        kernel = v * (self.gain * ops.rsqrt(ops.maximum(square, 1e-24)))
        outputs = ops.conv(
            x,
            ops.cast(kernel, x.dtype),
            strides=1,
            padding="valid",
            dilation_rate=self.dilation,
            data_format="channels_last",
        )
        return outputs + self.bias

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return (*input_shape[:-1], self.filters)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "filters": self.filters,
            "kernel_size": self.kernel_size,
            "dilation": self.dilation,
            "causal": self.causal,
        }
