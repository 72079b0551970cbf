"""A plain convolutional network for a sequence of feature vectors."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from keras_mmfusion.encoders.encoder import Encoder
from keras_mmfusion.layers.masked_average_pooling import MaskedAveragePooling
from keras_mmfusion.layers.masked_batch_normalization import (
    MaskedBatchNormalization,
)
from keras_mmfusion.layers.masked_statistics_pooling import (
    MaskedStatisticsPooling,
)
from keras_mmfusion.ops.masking import mask_steps, strided_mask
from keras_mmfusion.rates import dropout_rate
from keras_mmfusion.registry import register, register_inner
from keras_mmfusion.seeds import part_seed
from keras_mmfusion.types import Shape, Tensor

POOLINGS: dict[str, type[keras.layers.Layer]] = {
    "mean": MaskedAveragePooling,
    "statistics": MaskedStatisticsPooling,
}


@register()
class TemporalConvEncoder(Encoder):
    """Reads a sequence with convolutions and pools the valid steps.

    Stage i is a convolution over time of kernel size k and stride s_i,

        y_t = Σ_j W_j x_(s_i t + j - (k - 1) // 2)
        x <- drop(relu(batch_norm(y)))

    with the statistics of the valid steps only. The last stage makes one
    vector of all valid steps.

    Args:
        features: Width of the feature vectors.
        channels: Width of every convolution. Stage i is called `conv<i>`,
            from 1; the last stage is `pool`.
        kernel_size: k, odd or even, of every convolution.
        strides: Stride of every convolution; all 1 if `None`. T steps become
            ceil(T / s).
        dropout: Rate of dropout behind every convolution.
        pooling: "mean" of the valid steps; "statistics" for their mean,
            standard deviation and maximum; `None` keeps the sequence.
        name: Name of the encoder; in a fusion model, of the modality.
        seed: Integer seed of the dropout, or `None`.

    Call arguments:
        inputs: Float tensor of shape (B, T, features), zero-padded at the end.

    Returns:
        Float tensor of shape (B, channels[-1]), three times as wide for
        "statistics", or (B, T', channels[-1]) without pooling. A sample of
        zeros only gives zeros.

    Raises:
        ValueError: If a size is less than 1, `strides` has another length
            than `channels`, or `pooling` is unknown.

    Example:

    ```python
    import numpy as np
    import keras_mmfusion as mmf

    encoder = mmf.encoders.TemporalConvEncoder(
        features=6, channels=[16, 32], strides=[2, 1], name="inertial"
    )
    print(list(encoder.stages))  # ['conv1', 'conv2', 'pool']
    print(encoder(np.ones((2, 50, 6), "float32")).shape)  # (2, 32)
    ```

    Reference:
        Wang et al., Time Series Classification from Scratch with Deep Neural
        Networks, arXiv 1611.06455, for the convolution, batch normalisation
        and ReLU; Snyder et al., X-Vectors, ICASSP 2018, for the statistics.
    """

    def __init__(
        self,
        features: int,
        channels: Sequence[int] = (64, 64),
        kernel_size: int = 5,
        strides: Sequence[int] | None = None,
        dropout: float = 0.0,
        pooling: str | None = "mean",
        name: str = "temporal_conv_encoder",
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        dropout = dropout_rate("dropout", dropout)
        steps = [1] * len(channels) if strides is None else list(strides)
        _check(features, channels, kernel_size, steps, pooling)
        stages: dict[str, keras.layers.Layer] = {}
        before = 1
        for i, (width, stride) in enumerate(zip(channels, steps, strict=True)):
            stages[f"conv{i + 1}"] = ConvolutionBlock(
                width,
                kernel_size,
                stride,
                before,
                dropout,
                part_seed(seed, f"{name}_conv{i + 1}"),
                name=f"{name}_conv{i + 1}",
            )
            before *= stride
        if pooling is not None:
            stages["pool"] = Pooling(pooling, before, name=f"{name}_pool")
        super().__init__((None, features), stages, name=name, **kwargs)
        self.features = features
        self.channels = list(channels)
        self.kernel_size = kernel_size
        self.strides = None if strides is None else list(strides)
        self.dropout = dropout
        self.pooling = pooling
        self.seed = seed

    def get_config(self) -> dict[str, Any]:
        return {
            "features": self.features,
            "channels": self.channels,
            "kernel_size": self.kernel_size,
            "strides": self.strides,
            "dropout": self.dropout,
            "pooling": self.pooling,
            "name": self.name,
            "seed": self.seed,
        }


@register_inner
class ConvolutionBlock(keras.layers.Layer):
    """Convolution, batch normalisation, ReLU and dropout.

    Args:
        width: Number of output channels.
        kernel_size: k.
        stride: Distance between the steps that are read.
        stride_before: Steps of the encoder's input per step of this input.
        dropout: Rate of dropout.
        seed: Integer seed of the dropout, or `None`.

    Call arguments:
        inputs: Float tensor of shape (B, T, C).
        mask: Boolean mask of the encoder's input, or `None`.
        training: Whether to drop and use batch statistics.

    Returns:
        Float tensor of shape (B, ceil(T / stride), width).
    """

    def __init__(
        self,
        width: int,
        kernel_size: int,
        stride: int,
        stride_before: int,
        dropout: float,
        seed: int | None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True
        self.width = width
        self.stride = stride
        self.time_stride = stride_before * stride
        # "Same" padding of Keras depends on the length if there is a stride.
        self.padding = [(kernel_size - 1) // 2, kernel_size // 2]
        policy = self.dtype_policy
        self.convolution = keras.layers.Conv1D(
            width,
            kernel_size,
            strides=stride,
            use_bias=False,
            kernel_initializer="he_normal",
            name="convolution",
            dtype=policy,
        )
        self.norm = MaskedBatchNormalization(name="norm", dtype=policy)
        self.dropout = keras.layers.Dropout(
            dropout, seed=seed, name="dropout", dtype=policy
        )

    def build(self, input_shape: Shape) -> None:
        self.convolution.build(input_shape)
        self.norm.build((*input_shape[:-1], self.width))
        self.built = True

    def call(
        self,
        inputs: Tensor,
        mask: Tensor | None = None,
        training: bool | None = None,
    ) -> Tensor:
        x = ops.pad(inputs, [[0, 0], self.padding, [0, 0]])
        x, mask = self.convolution(x), strided_mask(mask, self.time_stride)
        x = ops.relu(self.norm(x, training=training, mask=mask))
        return self.dropout(mask_steps(x, mask), training=training)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        steps = input_shape[1]
        steps = None if steps is None else -(-steps // self.stride)
        return (input_shape[0], steps, self.width)


@register_inner
class Pooling(keras.layers.Layer):
    """Pools what is left of a sequence after strides.

    Args:
        kind: A key of `POOLINGS`.
        stride_before: Steps of the encoder's input per step of this input.
    """

    def __init__(self, kind: str, stride_before: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True
        self.stride_before = stride_before
        self.pooling = POOLINGS[kind](name="pooling", dtype=self.dtype_policy)

    def build(self, input_shape: Shape) -> None:
        self.pooling.build(input_shape)
        self.built = True

    def call(self, inputs: Tensor, mask: Tensor | None = None) -> Tensor:
        return self.pooling(inputs, mask=strided_mask(mask, self.stride_before))

    def compute_mask(self, inputs: Tensor, mask: Any = None) -> Any:
        return None

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        shape: Shape = self.pooling.compute_output_shape(input_shape)
        return shape


def _check(
    features: int,
    channels: Sequence[int],
    kernel_size: int,
    strides: Sequence[int],
    pooling: str | None,
) -> None:
    sizes = [features, kernel_size, *channels, *strides]
    if min(sizes) < 1 or not channels or len(strides) != len(channels):
        raise ValueError(
            "`features`, `kernel_size`, `channels` and `strides` must be at "
            "least 1, with one stride per convolution and one convolution or "
            f"more. Received: features={features}, kernel_size={kernel_size}, "
            f"channels={list(channels)}, strides={list(strides)}"
        )
    if pooling is not None and pooling not in POOLINGS:
        raise ValueError(
            f"`pooling` must be one of {list(POOLINGS)} or None. "
            f"Received: pooling={pooling!r}"
        )
