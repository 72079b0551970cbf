"""A temporal convolutional network for a sequence of feature vectors."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
from keras import ops

from keras_mmfusion.encoders.encoder import Encoder
from keras_mmfusion.layers.causal_temporal_convolution import (
    CausalTemporalConvolution,
)
from keras_mmfusion.layers.masked_batch_normalization import (
    MaskedBatchNormalization,
)
from keras_mmfusion.ops.masking import mask_steps
from keras_mmfusion.rates import dropout_rate
from keras_mmfusion.registry import register, register_inner
from keras_mmfusion.seeds import part_seed
from keras_mmfusion.types import Shape, Tensor

SLOPE = 0.01  # of every leaky ReLU
State = Mapping[str, Mapping[str, Tensor]]


@register()
class TCNEncoder(Encoder):
    """Reads a sequence with residual blocks of dilated convolutions.

    Block i has dilation 2^(i - 1) and two weight-normalised convolutions,

        y = drop(leaky(conv2(drop(leaky(conv1(x))))))
        x <- leaky(y + shortcut(x))

    with a dense shortcut where the width changes. Batch normalisation over
    the channels ends the network.

    Args:
        features: Width of the feature vectors.
        channels: Width of every block. Stage i is called `block<i>`, from 1;
            the last stage is `norm`.
        kernel_size: Of every convolution.
        dropout: Rate of dropout behind every convolution.
        causal: Whether step t reads steps up to t only.
        steps: Number of time steps, or `None` for any.
        name: Name of the encoder; in a fusion model, of the modality.
        seed: Integer seed of the dropout, or `None`.

    Call arguments:
        inputs: Float tensor of shape (B, T, features), zero-padded at the end.

    Returns:
        Float tensor of shape (B, T, channels[-1]), zero at padded steps.

    Raises:
        ValueError: If a size is less than 1.

    Example:

    ```python
    import numpy as np
    import keras_mmfusion as mmf

    encoder = mmf.encoders.TCNEncoder(features=40, channels=[16, 8])
    print(encoder(np.ones((2, 30, 40), "float32")).shape)  # (2, 30, 8)
    ```

    Reference:
        Bai et al., arXiv 1803.01271; the temporal networks of GRJCA, arXiv
        2503.12261. Here padded steps are masked, also in the statistics.
    """

    def __init__(
        self,
        features: int,
        channels: Sequence[int] = (64, 64),
        kernel_size: int = 5,
        dropout: float = 0.1,
        causal: bool = True,
        steps: int | None = None,
        name: str = "tcn_encoder",
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        dropout = dropout_rate("dropout", dropout)
        if min([features, *channels], default=0) < 1 or not channels:
            raise ValueError(
                "`features` and `channels` must be at least 1, and there must "
                f"be a block. Received: features={features}, "
                f"channels={list(channels)}"
            )
        stages: dict[str, keras.layers.Layer] = {
            f"block{i + 1}": TemporalBlock(
                width,
                kernel_size,
                2**i,
                dropout,
                causal,
                part_seed(seed, f"{name}_block{i + 1}"),
                name=f"{name}_block{i + 1}",
            )
            for i, width in enumerate(channels)
        }
        stages["norm"] = MaskedBatchNormalization(name=f"{name}_norm")
        super().__init__((steps, features), stages, name=name, **kwargs)
        self.features = features
        self.channels = list(channels)
        self.kernel_size = kernel_size
        self.dropout = dropout
        self.causal = causal
        self.steps = steps
        self.seed = seed

    def initial_state(self, batch_size: int) -> dict[str, Any]:
        """What `stream` knows before the first step: zeros."""
        blocks = {k: v for k, v in self.stages.items() if k != "norm"}
        return {k: v.initial_state(batch_size) for k, v in blocks.items()}

    def stream(
        self, x: Tensor, state: State, mask: Tensor | None = None
    ) -> tuple[Tensor, dict[str, Any]]:
        """The outputs of the next steps, and the state after them.

        Args:
            x: Float tensor (B, t, features), any number t of steps.
            state: From `initial_state` or the call before.
            mask: Boolean tensor (B, t), or `None`.
        """
        after = {}
        for name in state:
            x, after[name] = self.stages[name].stream(x, state[name], mask)
        return self.stages["norm"](x, training=False, mask=mask), after

    def get_config(self) -> dict[str, Any]:
        return {
            "features": self.features,
            "channels": self.channels,
            "kernel_size": self.kernel_size,
            "dropout": self.dropout,
            "causal": self.causal,
            "steps": self.steps,
            "name": self.name,
            "seed": self.seed,
        }


@register_inner
class TemporalBlock(keras.layers.Layer):
    """Two dilated convolutions and a shortcut, see `TCNEncoder`."""

    def __init__(
        self,
        width: int,
        kernel_size: int,
        dilation: int,
        dropout: float,
        causal: bool,
        seed: int | None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.width = width
        self.supports_masking = True
        self.convolutions = [
            CausalTemporalConvolution(
                width,
                kernel_size,
                dilation,
                causal,
                dtype=self.dtype_policy,
                name=f"conv{i}",
            )
            for i in (1, 2)
        ]
        self.dropout = keras.layers.Dropout(
            dropout, seed=seed, name="dropout", dtype=self.dtype_policy
        )
        self.shortcut: Any = None

    def build(self, input_shape: Shape) -> None:
        wide = (*input_shape[:-1], self.width)
        self.convolutions[0].build(input_shape)
        self.convolutions[1].build(wide)
        if input_shape[-1] != self.width:
            self.shortcut = keras.layers.Dense(
                self.width, name="shortcut", dtype=self.dtype_policy
            )
            self.shortcut.build(input_shape)
        self.built = True

    def call(
        self,
        inputs: Tensor,
        mask: Tensor | None = None,
        training: bool | None = None,
    ) -> Tensor:
        x = inputs
        for convolution in self.convolutions:
            x = ops.leaky_relu(convolution(x, mask=mask), SLOPE)
            x = self.dropout(x, training=training)
        return self._add(x, inputs, mask)

    def initial_state(self, batch_size: int) -> dict[str, Tensor]:
        """Zeros for the past of both convolutions."""
        return {
            c.name: c.initial_state(batch_size)["past"]
            for c in self.convolutions
        }

    def stream(
        self,
        inputs: Tensor,
        state: Mapping[str, Tensor],
        mask: Tensor | None = None,
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """The outputs of the next steps, and the state after them."""
        x, after = inputs, {}
        for convolution in self.convolutions:
            past = {"past": state[convolution.name]}
            x, past = convolution.stream(x, past, mask)
            x = ops.leaky_relu(x, SLOPE)
            after[convolution.name] = past["past"]
        return self._add(x, inputs, mask), after

    def _add(self, x: Tensor, inputs: Tensor, mask: Tensor | None) -> Tensor:
        if self.shortcut is not None:
            inputs = self.shortcut(inputs)
        return mask_steps(ops.leaky_relu(x + inputs, SLOPE), mask)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return (*input_shape[:-1], self.width)
