"""The face-clip network of MSAF: a 3D ResNeXt."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from keras_mmfusion.encoders.encoder import Encoder
from keras_mmfusion.encoders.encoder_stage import EncoderStage
from keras_mmfusion.encoders.flat_glorot_uniform import FlatGlorotUniform
from keras_mmfusion.encoders.padded_conv3d import PaddedConv3D
from keras_mmfusion.encoders.pooling import max_pool
from keras_mmfusion.layers import MaskedAveragePooling
from keras_mmfusion.layers.clip_normalization import ClipNormalization
from keras_mmfusion.ops.masking import mask_steps, strided_mask
from keras_mmfusion.registry import register, register_inner
from keras_mmfusion.types import Shape, Tensor

EXPANSION = 2  # output channels of a block per channel of its middle


@register()
class ResNeXt3DEncoder(Encoder):
    """Reads a clip as one volume: 3D ResNeXt-50, (T, H, W, 3) to 2048 values.

    The stem is a 7x7x7 convolution that halves height and width, batch
    normalisation, ReLU, and 3x3x3 max pooling that halves time as well. With
    conv_g a convolution of 32 groups, a block is

        ReLU(x + [1x1x1 conv, 3x3x3 conv_g with stride, 1x1x1 conv](x))

    where batch normalisation follows each convolution and ReLU the first two;
    the shortcut is a 1x1x1 convolution and batch normalisation where the
    shape changes. The end is the mean over the valid steps and over space.

    Args:
        size: Height and width of the frames.
        blocks: Number of blocks of every stage; the default is ResNeXt-50.
            Stages are called `stem`, `stage1`, ..., `pool`. All but the first
            halve time, height and width.
        widths: Channels in the middle of the blocks of every stage; the
            stage gives twice as many.
        groups: Number of groups of the 3x3x3 convolutions.
        stem_width: Channels of the stem.
        stem_relu: Whether the stem has its ReLU. The network alone has it;
            the official fused network of MSAF leaves it out, so `False` is
            needed for the official weights of that.
        steps: Number of frames, or `None` for any.
        name: Name of the encoder; in a fusion model, of the modality.

    Call arguments:
        inputs: Float tensor of shape (B, T, size, size, 3), zero-padded at
            the end of T.

    Returns:
        Float tensor of shape (B, 2 widths[-1]). A clip of zeros is a missing
        modality and gives zeros.

    Raises:
        ValueError: If a size is less than 1, there are not as many widths as
            stages, or `groups` does not divide them.

    Example:

    ```python
    import numpy as np
    import keras_mmfusion as mmf

    encoder = mmf.encoders.ResNeXt3DEncoder(
        size=16, blocks=[1, 1], widths=[4, 8], groups=2, stem_width=4
    )
    clips = np.ones((2, 6, 16, 16, 3), "float32")
    print(encoder(clips).shape)  # (2, 16)
    ```

    Reference:
        Hara et al., Can Spatiotemporal 3D CNNs Retrace the History of 2D CNNs
        and ImageNet?, arXiv 1711.09577, as in MSAF, arXiv 2012.07175. Where
        we differ from the official code: any clip length and size, since the
        mean takes all that is left of it; padded frames change nothing.
    """

    axes = ("frames", "height", "width", "channels")

    def __init__(
        self,
        size: int = 224,
        blocks: Sequence[int] = (3, 4, 6, 3),
        widths: Sequence[int] = (128, 256, 512, 1024),
        groups: int = 32,
        stem_width: int = 64,
        stem_relu: bool = True,
        steps: int | None = None,
        name: str = "resnext3d_encoder",
        **kwargs: Any,
    ) -> None:
        _check(size, blocks, widths, groups, stem_width)
        stages: dict[str, keras.layers.Layer] = {
            "stem": Stem(stem_width, stem_relu, name=f"{name}_stem")
        }
        stride = Stem.time_stride
        for i, (count, width) in enumerate(
            zip(blocks, widths, strict=True), start=1
        ):
            stages[f"stage{i}"] = Stage(
                count,
                width,
                groups,
                1 if i == 1 else 2,
                stride_before=stride,
                name=f"{name}_stage{i}",
            )
            stride = stages[f"stage{i}"].time_stride
        stages["pool"] = Pool(stride, name=f"{name}_pool")
        super().__init__((steps, size, size, 3), stages, name=name, **kwargs)
        self.size = size
        self.blocks = list(blocks)
        self.widths = list(widths)
        self.groups = groups
        self.stem_width = stem_width
        self.stem_relu = stem_relu
        self.steps = steps

    def get_config(self) -> dict[str, Any]:
        return {
            "size": self.size,
            "blocks": self.blocks,
            "widths": self.widths,
            "groups": self.groups,
            "stem_width": self.stem_width,
            "stem_relu": self.stem_relu,
            "steps": self.steps,
            "name": self.name,
        }


@register_inner
class Stem(EncoderStage):
    """7x7x7 convolution, batch normalisation, ReLU, 3x3x3 max pooling."""

    time_stride = 2

    def __init__(self, width: int, relu: bool, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.relu = relu
        self.conv = PaddedConv3D(
            width,
            7,
            strides=(1, 2, 2),
            use_bias=False,
            kernel_initializer=FlatGlorotUniform(),
            name="conv",
            dtype=self.dtype_policy,
        )
        self.norm = ClipNormalization(name="norm", dtype=self.dtype_policy)

    def build(self, input_shape: Shape) -> None:
        self.conv.build(input_shape)
        self.norm.build((*input_shape[:-1], self.conv.filters))
        self.built = True

    def call(
        self,
        inputs: Tensor,
        mask: Tensor | None = None,
        training: bool | None = None,
    ) -> Tensor:
        x = self.conv(inputs)
        x = self.norm(x, training=training, mask=mask)
        if self.relu:
            x = ops.relu(x)
        if mask is None:
            return max_pool(x, 3, 2, 1)
        # Values may be negative: padding must not win as zero either.
        x = ops.where(mask[:, :, None, None, None], x, float("-inf"))
        x = max_pool(x, 3, 2, 1)
        kept = mask[:, :: self.time_stride, None, None, None]
        return ops.where(kept, x, 0.0)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        batch, steps, height, width, _ = input_shape
        sizes = [_halved(_halved(n)) for n in (height, width)]
        return (batch, _halved(steps), *sizes, self.conv.filters)


@register_inner
class Stage(EncoderStage):
    """Residual blocks of one width; the first may halve time and space.

    Args:
        count: Number of blocks.
        width: Channels in the middle of a block.
        groups: Number of groups.
        stride: 1, or 2 to halve.
        stride_before: Steps of the encoder's input per step of this input.
    """

    def __init__(
        self,
        count: int,
        width: int,
        groups: int,
        stride: int,
        stride_before: int,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.stride_before = stride_before
        self.time_stride = stride_before * stride
        self.blocks = [
            Block(
                width,
                groups,
                stride if i == 0 else 1,
                name=f"block{i + 1}",
                dtype=self.dtype_policy,
            )
            for i in range(count)
        ]

    def build(self, input_shape: Shape) -> None:
        for block in self.blocks:
            block.build(input_shape)
            input_shape = block.compute_output_shape(input_shape)
        self.built = True

    def call(
        self,
        inputs: Tensor,
        mask: Tensor | None = None,
        training: bool | None = None,
    ) -> Tensor:
        x, mask = inputs, strided_mask(mask, self.stride_before)
        for block in self.blocks:
            x = block(x, mask=mask, training=training)
            mask = strided_mask(mask, block.stride)
        return mask_steps(x, mask)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return self.blocks[0].compute_output_shape(input_shape)


class Block(keras.layers.Layer):
    """Residual block with a grouped convolution, see `ResNeXt3DEncoder`."""

    def __init__(
        self, width: int, groups: int, stride: int, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True
        policy = self.dtype_policy
        self.stride = stride
        self.outputs = width * EXPANSION
        self.conv1 = PointConv(width, "conv1", policy)
        self.norm1 = ClipNormalization(name="norm1", dtype=policy)
        self.conv2 = PaddedConv3D(
            width,
            3,
            strides=stride,
            groups=groups,
            use_bias=False,
            kernel_initializer=FlatGlorotUniform(),
            name="conv2",
            dtype=policy,
        )
        self.norm2 = ClipNormalization(name="norm2", dtype=policy)
        self.conv3 = PointConv(self.outputs, "conv3", policy)
        self.norm3 = ClipNormalization(name="norm3", dtype=policy)
        self.shortcut: Any = None

    def build(self, input_shape: Shape) -> None:
        wide = (*input_shape[:-1], self.conv1.units)
        output = self.compute_output_shape(input_shape)
        self.conv1.build(input_shape)
        self.norm1.build(wide)
        self.conv2.build(wide)
        self.norm2.build((*output[:-1], self.conv1.units))
        self.conv3.build(wide)
        self.norm3.build(output)
        if self.stride > 1 or input_shape[-1] != self.outputs:
            policy = self.dtype_policy
            self.shortcut = PointConv(self.outputs, "shortcut", policy)
            self.shortcut_norm = ClipNormalization(
                name="shortcut_norm", dtype=policy
            )
            self.shortcut.build(input_shape)
            self.shortcut_norm.build(output)
        self.built = True

    def call(
        self,
        inputs: Tensor,
        mask: Tensor | None = None,
        training: bool | None = None,
    ) -> Tensor:
        x = self.norm1(self.conv1(inputs), training=training, mask=mask)
        # Only the 3x3x3 convolution looks at other steps.
        x = self.conv2(mask_steps(ops.relu(x), mask))
        mask = strided_mask(mask, self.stride)
        x = ops.relu(self.norm2(x, training=training, mask=mask))
        x = self.norm3(self.conv3(x), training=training, mask=mask)
        if self.shortcut is None:
            return ops.relu(x + inputs)
        s = self.stride
        shortcut = self.shortcut(inputs[:, ::s, ::s, ::s])
        return ops.relu(
            x + self.shortcut_norm(shortcut, training=training, mask=mask)
        )

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        sizes = input_shape[1:-1]
        if self.stride > 1:
            sizes = tuple(map(_halved, sizes))
        return (input_shape[0], *sizes, self.outputs)


class PointConv(keras.layers.Dense):
    """1x1x1 convolution as one matrix product over all positions."""

    def __init__(self, units: int, name: str, policy: Any) -> None:
        super().__init__(units, use_bias=False, name=name, dtype=policy)

    def call(self, inputs: Tensor, training: bool | None = None) -> Tensor:
        sizes = ops.shape(inputs)[:-1]
        points = ops.reshape(inputs, (-1, inputs.shape[-1]))
        return ops.reshape(super().call(points), (*sizes, self.units))


@register_inner
class Pool(EncoderStage):
    """Mean over the valid steps and over space."""

    def __init__(self, stride_before: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.stride_before = stride_before
        self.pool = MaskedAveragePooling(name="pool", dtype=self.dtype_policy)

    def build(self, input_shape: Shape) -> None:
        self.pool.build((*input_shape[:2], input_shape[-1]))
        self.built = True

    def call(self, inputs: Tensor, mask: Tensor | None = None) -> Tensor:
        x = ops.mean(inputs, axis=(2, 3))
        return self.pool(x, mask=strided_mask(mask, self.stride_before))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return (input_shape[0], input_shape[-1])


def _halved(size: int | None) -> int | None:
    return None if size is None else -(-size // 2)


def _check(
    size: int,
    blocks: Sequence[int],
    widths: Sequence[int],
    groups: int,
    stem_width: int,
) -> None:
    if (
        min([size, groups, stem_width, *blocks, *widths]) < 1
        or len(blocks) != len(widths)
        or not blocks
        or any(width % groups for width in widths)
    ):
        raise ValueError(
            "`size`, `blocks`, `widths`, `groups` and `stem_width` must be at "
            "least 1, with one width per stage, each a multiple of `groups`. "
            f"Received: size={size}, blocks={list(blocks)}, "
            f"widths={list(widths)}, groups={groups}, stem_width={stem_width}"
        )
