"""The video network of MSAF on NTU RGB+D: I3D, an inflated Inception-v1."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from keras_mmfusion.encoders.encoder import Encoder
from keras_mmfusion.encoders.encoder_stage import EncoderStage
from keras_mmfusion.encoders.flat_glorot_uniform import FlatGlorotUniform
from keras_mmfusion.encoders.padded_conv3d import PaddedConv3D
from keras_mmfusion.encoders.pooling import max_pool
from keras_mmfusion.layers.clip_normalization import ClipNormalization
from keras_mmfusion.ops.masking import mask_steps, strided_mask
from keras_mmfusion.rates import dropout_rate
from keras_mmfusion.registry import register, register_inner
from keras_mmfusion.seeds import part_seed
from keras_mmfusion.types import Shape, Tensor

# Channels of the four branches of every Mixed block; the middle two have a
# 1x1x1 convolution before their 3x3x3 one.
MIXED = {
    "mixed_3b": (64, 96, 128, 16, 32, 32),
    "mixed_3c": (128, 128, 192, 32, 96, 64),
    "mixed_4b": (192, 96, 208, 16, 48, 64),
    "mixed_4c": (160, 112, 224, 24, 64, 64),
    "mixed_4d": (128, 128, 256, 24, 64, 64),
    "mixed_4e": (112, 144, 288, 32, 64, 64),
    "mixed_4f": (256, 160, 320, 32, 128, 128),
    "mixed_5b": (256, 160, 320, 32, 128, 128),
    "mixed_5c": (384, 192, 384, 48, 128, 128),
}
# Blocks that first halve time and space: window and padding of the pooling.
POOLED = {"mixed_4b": (3, 1), "mixed_5b": (2, 0)}


@register()
class I3DEncoder(Encoder):
    """Reads a clip with convolutions over time and space.

    Every convolution is followed by batch normalisation and ReLU. The stem is

        7x7x7 conv, stride 2 | pool | 1x1x1 conv | 3x3x3 conv | pool

    where both poolings halve the space only. A Mixed block concatenates

        1x1x1(x), 3x3x3(1x1x1(x)), 3x3x3(1x1x1(x)), 1x1x1(max pool(x))

    `mixed_4b` and `mixed_5b` first halve time and space by max pooling. In
    all, n frames become ceil(n / 8) steps. The last stage takes the mean over
    space and over all pairs of neighbouring steps, so that the first and the
    last step count half, and drops channels.

    Args:
        size: Height and width of the frames.
        channels: Channels of the frames: 3 for RGB, 2 for optical flow.
        width: Factor on the number of filters of every convolution.
        dropout: Rate of dropout on the output.
        momentum: Of the running statistics of batch normalisation. The
            published 0.999 is for fine-tuning: from random weights they need
            thousands of steps, 0.9 needs dozens.
        steps: Number of frames, or `None` for any.
        name: Name of the encoder; in a fusion model, of the modality.
        seed: Integer seed of the dropout, or `None`.

    Call arguments:
        inputs: Float tensor of shape (B, T, size, size, channels),
            zero-padded at the end of T.

    Returns:
        Float tensor of shape (B, 1024 width). A clip of zeros gives zeros.
        Stages are called `stem`, `mixed_3b`, ..., `mixed_5c`, `pool`.

    Raises:
        ValueError: If a size is less than 1, or `width` leaves a convolution
            without filters.

    Example:

    ```python
    import numpy as np
    import keras_mmfusion as mmf

    encoder = mmf.encoders.I3DEncoder(size=16, width=1 / 16)
    print(encoder.predict(np.ones((2, 8, 16, 16, 3)), verbose=0).shape)
    # (2, 64)
    ```

    Reference:
        Carreira and Zisserman, Quo Vadis, Action Recognition?, arXiv
        1705.07750. The official code has its classifier, a 1x1x1 convolution,
        before the mean over time; a dense layer behind it gives the same
        numbers with the same weights. It takes 32 frames of 224 x 224; here
        sizes that do not halve evenly keep their last row, column and step.
    """

    axes = ("frames", "height", "width", "channels")

    def __init__(
        self,
        size: int = 224,
        channels: int = 3,
        width: float = 1.0,
        dropout: float = 0.5,
        momentum: float = 0.999,
        steps: int | None = None,
        name: str = "i3d_encoder",
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        dropout = dropout_rate("dropout", dropout)
        if min(size, channels) < 1 or int(16 * width) < 1:
            raise ValueError(
                "`size` and `channels` must be at least 1, and `width` at "
                "least 1/16 to leave the narrowest convolution a filter. "
                f"Received: size={size}, channels={channels}, width={width}"
            )
        stages: dict[str, keras.layers.Layer] = {
            "stem": Stem(width, momentum, name=f"{name}_stem")
        }
        stride = 2
        for block, branches in MIXED.items():
            stages[block] = Mixed(
                [int(n * width) for n in branches],
                POOLED.get(block),
                stride,
                momentum,
                name=f"{name}_{block}",
            )
            stride = stages[block].time_stride
        stages["pool"] = PairAverage(
            stride,
            dropout,
            part_seed(seed, f"{name}_pool"),
            name=f"{name}_pool",
        )
        super().__init__(
            (steps, size, size, channels), stages, name=name, **kwargs
        )
        self.size = size
        self.channels = channels
        self.width = width
        self.dropout = dropout
        self.momentum = momentum
        self.steps = steps
        self.seed = seed

    def get_config(self) -> dict[str, Any]:
        return {
            "size": self.size,
            "channels": self.channels,
            "width": self.width,
            "dropout": self.dropout,
            "momentum": self.momentum,
            "steps": self.steps,
            "name": self.name,
            "seed": self.seed,
        }


class ConvolutionUnit(EncoderStage):
    """Convolution, batch normalisation, ReLU; zero at padded steps.

    Args:
        filters: Number of output channels.
        size: Of the kernel, on all three axes.
        stride: On all three axes; a stride of 2 pads alike on both sides.
        momentum: Of the running statistics.

    Call arguments:
        inputs: Float tensor (B, T, H, W, C), zero at padded steps.
        mask: Boolean tensor, the steps of the output that are no padding.
        training: Whether to use batch statistics.
    """

    def __init__(
        self,
        filters: int,
        size: int,
        momentum: float,
        stride: int = 1,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.filters = filters
        self.size = size
        self.stride = stride
        self.conv = PaddedConv3D(
            filters,
            size,
            stride,
            data_format="channels_last",
            use_bias=False,
            kernel_initializer=FlatGlorotUniform(),
            name="conv",
            dtype=self.dtype_policy,
        )
        # Features that come from a fusion carry the mask; it stays unused.
        self.conv.supports_masking = True
        self.norm = ClipNormalization(
            momentum, epsilon=1e-3, name="norm", dtype=self.dtype_policy
        )

    def build(self, input_shape: Shape) -> None:
        self.conv.build(input_shape)
        self.norm.build(self.compute_output_shape(input_shape))
        self.built = True

    def call(
        self,
        inputs: Tensor,
        mask: Tensor | None = None,
        training: bool | None = None,
    ) -> Tensor:
        x = self.norm(self.conv(inputs), training=training, mask=mask)
        return mask_steps(ops.relu(x), mask)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return (*_halved(input_shape, (self.stride,) * 3)[:-1], self.filters)


@register_inner
class Stem(EncoderStage):
    """The convolutions and poolings before the Mixed blocks."""

    time_stride = 2

    def __init__(self, width: float, momentum: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)

        def unit(name: str, filters: int, size: int, stride: int = 1) -> Any:
            return ConvolutionUnit(
                int(filters * width),
                size,
                momentum,
                stride,
                name=name,
                dtype=self.dtype_policy,
            )

        self.unit1 = unit("unit1", 64, 7, stride=2)
        self.unit2 = unit("unit2", 64, 1)
        self.unit3 = unit("unit3", 192, 3)

    def build(self, input_shape: Shape) -> None:
        shape = input_shape
        for unit in (self.unit1, self.unit2, self.unit3):
            unit.build(shape)
            shape = unit.compute_output_shape(shape)
        self.built = True

    def call(
        self,
        inputs: Tensor,
        mask: Tensor | None = None,
        training: bool | None = None,
    ) -> Tensor:
        mask = strided_mask(mask, self.time_stride)
        x = self.unit1(inputs, mask=mask, training=training)
        x = max_pool(x, (1, 3, 3), (1, 2, 2), (0, 1, 1))
        x = self.unit2(x, mask=mask, training=training)
        x = self.unit3(x, mask=mask, training=training)
        return max_pool(x, (1, 3, 3), (1, 2, 2), (0, 1, 1))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        shape = self.unit1.compute_output_shape(input_shape)
        for _ in range(2):
            shape = _halved(shape, (1, 2, 2))
        return (*shape[:-1], self.unit3.filters)


@register_inner
class Mixed(EncoderStage):
    """Four branches side by side, see `I3DEncoder`.

    Args:
        branches: Channels: of the first branch, of both convolutions of the
            second and of the third, and of the last.
        pool: Window and padding of a max pooling with stride 2 before them.
        before: Stride in time, from the frames to the input of this block.
        momentum: Of the running statistics.
    """

    def __init__(
        self,
        branches: Sequence[int],
        pool: tuple[int, int] | None,
        before: int,
        momentum: float,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.pool = pool
        self.time_stride = before * (2 if pool else 1)

        def unit(name: str, filters: int, size: int) -> Any:
            return ConvolutionUnit(
                filters, size, momentum, name=name, dtype=self.dtype_policy
            )

        b0, b1a, b1b, b2a, b2b, b3 = branches
        # Of every branch, its units one after the other.
        self.branches = [
            [unit("branch0", b0, 1)],
            [unit("branch1a", b1a, 1), unit("branch1b", b1b, 3)],
            [unit("branch2a", b2a, 1), unit("branch2b", b2b, 3)],
            [unit("branch3", b3, 1)],
        ]

    def build(self, input_shape: Shape) -> None:
        for branch in self.branches:
            shape = input_shape
            for unit in branch:
                unit.build(shape)
                shape = unit.compute_output_shape(shape)
        self.built = True

    def call(
        self,
        inputs: Tensor,
        mask: Tensor | None = None,
        training: bool | None = None,
    ) -> Tensor:
        x, mask = inputs, strided_mask(mask, self.time_stride)
        if self.pool:
            size, padding = self.pool
            if padding == 0:
                # So that an odd last row is kept; all values are 0 or more.
                x = ops.pad(x, [[0, 0], *[[0, 1]] * 3, [0, 0]])
            x = mask_steps(max_pool(x, size, 2, padding), mask)
        outputs = []
        for i, branch in enumerate(self.branches):
            y = max_pool(x, 3, 1, 1) if i == 3 else x
            for unit in branch:
                y = unit(y, mask=mask, training=training)
            outputs.append(y)
        return ops.concatenate(outputs, axis=-1)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        shape = input_shape
        if self.pool:
            shape = _halved(shape, (2, 2, 2))
        return (*shape[:-1], sum(b[-1].filters for b in self.branches))


@register_inner
class PairAverage(EncoderStage):
    """Mean over space and all pairs of neighbouring steps, then dropout."""

    def __init__(
        self, time_stride: int, dropout: float, seed: int | None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.time_stride = time_stride
        self.dropout = keras.layers.Dropout(
            dropout, seed=seed, name="dropout", dtype=self.dtype_policy
        )

    def build(self, input_shape: Shape) -> None:
        self.built = True

    def call(
        self,
        inputs: Tensor,
        mask: Tensor | None = None,
        training: bool | None = None,
    ) -> Tensor:
        x = ops.mean(inputs, axis=(2, 3))
        weight = ops.ones_like(x[..., 0])
        if mask is not None:
            weight = ops.cast(strided_mask(mask, self.time_stride), x.dtype)
        pairs = weight[:, 1:] * weight[:, :-1]
        count = ops.pad(pairs, [[0, 0], [0, 1]]) + ops.pad(
            pairs, [[0, 0], [1, 0]]
        )
        # A single step is no pair.
        weight = ops.where(
            ops.any(count > 0, axis=1, keepdims=True), count, weight
        )
        total = ops.maximum(ops.sum(weight, axis=1, keepdims=True), 1)
        x = ops.einsum("bt,btc->bc", weight / total, x)
        return self.dropout(x, training=training)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return (input_shape[0], input_shape[-1])


def _halved(shape: Shape, strides: Sequence[int]) -> Shape:
    """Time, height and width divided by the strides and rounded up."""
    sizes = [
        None if n is None else -(-n // s)
        for n, s in zip(shape[1:-1], strides, strict=True)
    ]
    return (shape[0], *sizes, shape[-1])
