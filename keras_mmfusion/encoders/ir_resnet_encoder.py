"""The face network of GRJCA: a residual network for recognition (IR-ResNet)."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from keras_mmfusion.encoders.flat_glorot_uniform import FlatGlorotUniform
from keras_mmfusion.encoders.frame_encoder import FrameEncoder, FrameLayer
from keras_mmfusion.layers.batch_normalization import BatchNormalization
from keras_mmfusion.ops.masking import mask_steps
from keras_mmfusion.rates import dropout_rate
from keras_mmfusion.registry import register, register_inner
from keras_mmfusion.seeds import part_seed
from keras_mmfusion.types import Shape, Tensor


@register()
class IRResNetEncoder(FrameEncoder):
    """Reads a face in every time step: 40 x 40 pixels to 512 values.

    The stem is a convolution, batch normalisation and PReLU. A block is

        x + [BatchNorm, 3x3 conv, PReLU, 3x3 conv with stride, BatchNorm](x)

    with a 1x1 convolution and batch normalisation as shortcut where the width
    changes. The embedding is batch normalisation, dropout, a dense layer and
    batch normalisation, scaled to unit length.

    Args:
        size: Height and width of the pictures.
        blocks: Number of blocks in every stage; the default is IR-ResNet-50.
            Stages are called `stem`, `stage1`, ..., `embedding`. All but the
            first halve the size.
        widths: Channels of every stage; the first is that of the stem, too.
        features: Width of the embedding.
        dropout: Rate of dropout in the embedding.
        steps: Number of time steps, or `None` for any.
        name: Name of the encoder; in a fusion model, of the modality.
        seed: Integer seed of the dropout, or `None`.

    Call arguments:
        inputs: Float tensor of shape (B, T, size, size, 3), RGB in [-1, 1],
            zero-padded at the end of T.

    Returns:
        Float tensor of shape (B, T, features), zero at padded steps.

    Raises:
        ValueError: If a size is less than 1, or there are not as many widths
            as stages.

    Example:

    ```python
    import numpy as np
    import keras_mmfusion as mmf

    encoder = mmf.encoders.IRResNetEncoder(
        size=8, blocks=[1, 1], widths=[4, 8], features=16
    )
    print(encoder(np.ones((2, 3, 8, 8, 3), "float32")).shape)  # (2, 3, 16)
    ```

    Reference:
        Deng et al., ArcFace, arXiv 1801.07698, sec. 3 ("IR" blocks).
    """

    axes = ("frames", "height", "width", "channels")

    def __init__(
        self,
        size: int = 40,
        blocks: Sequence[int] = (3, 4, 14, 3),
        widths: Sequence[int] = (64, 128, 256, 512),
        features: int = 512,
        dropout: float = 0.4,
        steps: int | None = None,
        name: str = "ir_resnet_encoder",
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        dropout = dropout_rate("dropout", dropout)
        if (
            min([size, features, *blocks, *widths]) < 1
            or len(blocks) != len(widths)
            or not blocks
        ):
            raise ValueError(
                "`size`, `features`, `blocks` and `widths` must be at least 1, "
                "with one width per stage. Received: "
                f"size={size}, features={features}, blocks={list(blocks)}, "
                f"widths={list(widths)}"
            )
        stages: dict[str, keras.layers.Layer] = {
            "stem": Stem(widths[0], name=f"{name}_stem")
        }
        for i, (count, width) in enumerate(
            zip(blocks, widths, strict=True), start=1
        ):
            stages[f"stage{i}"] = Stage(
                count, width, 1 if i == 1 else 2, name=f"{name}_stage{i}"
            )
        stages["embedding"] = Embedding(
            features,
            dropout,
            part_seed(seed, f"{name}_embedding"),
            name=f"{name}_embedding",
        )
        super().__init__((steps, size, size, 3), stages, name=name, **kwargs)
        self.size = size
        self.blocks = list(blocks)
        self.widths = list(widths)
        self.features = features
        self.dropout = dropout
        self.steps = steps
        self.seed = seed

    def get_config(self) -> dict[str, Any]:
        return {
            "size": self.size,
            "blocks": self.blocks,
            "widths": self.widths,
            "features": self.features,
            "dropout": self.dropout,
            "steps": self.steps,
            "name": self.name,
            "seed": self.seed,
        }


@register_inner
class Stem(FrameLayer):
    """3x3 convolution, batch normalisation, PReLU."""

    def __init__(self, width: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.conv = _conv(width, 3, 1, "conv", self.dtype_policy)
        self.norm = BatchNormalization(name="norm", dtype=self.dtype_policy)
        self.prelu = _prelu(self.dtype_policy)

    def build_frames(self, shape: Shape) -> None:
        self.conv.build(shape)
        wide = self.frame_output_shape(shape)
        self.norm.build(wide)
        self.prelu.build(wide)

    def run_frames(
        self, x: Tensor, mask: Tensor | None, training: bool | None
    ) -> Tensor:
        x = self.norm(self.conv(_pad(x)), training=training, mask=mask)
        return self.prelu(x)

    def frame_output_shape(self, shape: Shape) -> Shape:
        return (*shape[:-1], self.conv.filters)


@register_inner
class Stage(FrameLayer):
    """Residual blocks of one width; the first may halve the size."""

    def __init__(
        self, count: int, width: int, stride: int, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.width = width
        self.stride = stride
        self.blocks = [
            Block(
                width,
                stride if i == 0 else 1,
                name=f"block{i + 1}",
                dtype=self.dtype_policy,
            )
            for i in range(count)
        ]

    def build_frames(self, shape: Shape) -> None:
        for block in self.blocks:
            block.build(shape)
            shape = block.compute_output_shape(shape)

    def run_frames(
        self, x: Tensor, mask: Tensor | None, training: bool | None
    ) -> Tensor:
        for block in self.blocks:
            x = block(x, frame_mask=mask, training=training)
        return x

    def frame_output_shape(self, shape: Shape) -> Shape:
        return self.blocks[0].compute_output_shape(shape)


class Block(keras.layers.Layer):
    """Residual block on frames (N, H, W, C), see `IRResNetEncoder`."""

    def __init__(self, width: int, stride: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        policy = self.dtype_policy
        self.width = width
        self.stride = stride
        self.norm1 = BatchNormalization(name="norm1", dtype=policy)
        self.conv1 = _conv(width, 3, 1, "conv1", policy)
        self.prelu = _prelu(policy)
        self.conv2 = _conv(width, 3, stride, "conv2", policy)
        self.norm2 = BatchNormalization(name="norm2", dtype=policy)
        self.shortcut: Any = None

    def build(self, input_shape: Shape) -> None:
        wide = (*input_shape[:-1], self.width)
        small = self.compute_output_shape(input_shape)
        self.norm1.build(input_shape)
        self.conv1.build(input_shape)
        self.prelu.build(wide)
        self.conv2.build(wide)
        self.norm2.build(small)
        if input_shape[-1] != self.width:
            policy = self.dtype_policy
            self.shortcut = _conv(
                self.width, 1, self.stride, "shortcut", policy
            )
            self.shortcut_norm = BatchNormalization(
                name="shortcut_norm", dtype=policy
            )
            self.shortcut.build(input_shape)
            self.shortcut_norm.build(small)
        self.built = True

    def call(
        self,
        inputs: Tensor,
        frame_mask: Tensor | None = None,
        training: bool | None = None,
    ) -> Tensor:
        x = self.norm1(inputs, training=training, mask=frame_mask)
        x = self.prelu(self.conv1(_pad(x)))
        x = self.conv2(_pad(x))
        x = self.norm2(x, training=training, mask=frame_mask)
        if self.shortcut is None:
            return x + inputs[:, :: self.stride, :: self.stride]
        shortcut = self.shortcut(inputs)
        return x + self.shortcut_norm(
            shortcut, training=training, mask=frame_mask
        )

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        sizes = [
            None if n is None else -(-n // self.stride)
            for n in input_shape[1:-1]
        ]
        return (input_shape[0], *sizes, self.width)


@register_inner
class Embedding(FrameLayer):
    """Frames to vectors of unit length."""

    def __init__(
        self, features: int, dropout: float, seed: int | None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.norm1 = BatchNormalization(name="norm1", dtype=self.dtype_policy)
        self.dropout = keras.layers.Dropout(
            dropout, seed=seed, name="dropout", dtype=self.dtype_policy
        )
        self.dense = keras.layers.Dense(
            features, name="dense", dtype=self.dtype_policy
        )
        self.norm2 = BatchNormalization(name="norm2", dtype=self.dtype_policy)

    def build_frames(self, shape: Shape) -> None:
        _, height, width, channels = shape
        self.norm1.build(shape)
        pixels = int(height or 0) * int(width or 0)
        self.dense.build((None, pixels * int(channels or 0)))
        self.norm2.build((None, self.dense.units))

    def run_frames(
        self, x: Tensor, mask: Tensor | None, training: bool | None
    ) -> Tensor:
        x = self.norm1(x, training=training, mask=mask)
        x = self.dropout(x, training=training)
        x = self.dense(ops.reshape(x, (-1, self.dense.kernel.shape[0])))
        x = ops.cast(self.norm2(x, training=training, mask=mask), "float32")
        square = ops.sum(ops.square(x), axis=-1, keepdims=True)
        x = x * ops.rsqrt(ops.maximum(square, 1e-24))
        return ops.cast(x, self.compute_dtype)

    def call(
        self,
        inputs: Tensor,
        mask: Tensor | None = None,
        training: bool | None = None,
    ) -> Tensor:
        return mask_steps(super().call(inputs, mask, training), mask)

    def frame_output_shape(self, shape: Shape) -> Shape:
        return (shape[0], self.dense.units)


def _conv(
    filters: int, size: int, stride: int, name: str, policy: Any
) -> keras.layers.Conv2D:
    return keras.layers.Conv2D(
        filters,
        size,
        stride,
        use_bias=False,
        kernel_initializer=FlatGlorotUniform(),
        name=name,
        dtype=policy,
    )


def _prelu(policy: Any) -> keras.layers.PReLU:
    return keras.layers.PReLU(
        keras.initializers.Constant(0.25),
        shared_axes=[1, 2],
        name="prelu",
        dtype=policy,
    )


def _pad(x: Tensor) -> Tensor:
    """One zero on every side: Keras' "same" pads strides on one side only."""
    return ops.pad(x, [[0, 0], [1, 1], [1, 1], [0, 0]])
