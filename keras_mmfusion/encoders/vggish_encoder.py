"""The audio network of GRJCA: VGGish on log-mel patches."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from keras_mmfusion.encoders.flat_glorot_uniform import FlatGlorotUniform
from keras_mmfusion.encoders.frame_encoder import FrameEncoder, FrameLayer
from keras_mmfusion.ops.masking import mask_steps
from keras_mmfusion.registry import register, register_inner
from keras_mmfusion.types import Shape, Tensor


@register()
class VGGishEncoder(FrameEncoder):
    """Reads a log-mel patch in every time step: 96 x 64 to 128 values.

    Every stage is one or two 3x3 convolutions with ReLU and a max pooling
    that halves the size; the embedding is dense layers with ReLU between.

    Args:
        size: Frames and mel bands of a patch, (96, 64).
        channels: Channels of the convolutions of every stage. Stages are
            called `stage1`, ..., `embedding`.
        units: Width of the hidden dense layers.
        features: Width of the embedding.
        steps: Number of time steps, or `None` for any.
        name: Name of the encoder; in a fusion model, of the modality.

    Call arguments:
        inputs: Float tensor of shape (B, T, 96, 64): one patch of 0.96 s for
            every step, zero-padded at the end of T.

    Returns:
        Float tensor of shape (B, T, features), zero at padded steps.

    Raises:
        ValueError: If a size is less than 1, or a patch is too small to be
            halved by every stage.

    Example:

    ```python
    import numpy as np
    import keras_mmfusion as mmf

    encoder = mmf.encoders.VGGishEncoder(
        size=(8, 8), channels=[[4], [8]], units=[16], features=5
    )
    print(encoder(np.ones((2, 3, 8, 8), "float32")).shape)  # (2, 3, 5)
    ```

    Reference:
        Hershey et al., CNN Architectures for Large-Scale Audio
        Classification, arXiv 1609.09430. As in GRJCA there is no ReLU after
        the last layer, no PCA and no quantisation.
    """

    axes = ("patches", "time", "bands")

    def __init__(
        self,
        size: Sequence[int] = (96, 64),
        channels: Sequence[Sequence[int]] = (
            (64,),
            (128,),
            (256, 256),
            (512, 512),
        ),
        units: Sequence[int] = (4096, 4096),
        features: int = 128,
        steps: int | None = None,
        name: str = "vggish_encoder",
        **kwargs: Any,
    ) -> None:
        widths = [c for stage in channels for c in stage]
        if min([*widths, *units, features], default=0) < 1 or min(
            size
        ) < 2 ** len(channels):
            raise ValueError(
                "`channels`, `units` and `features` must be at least 1, and a "
                f"patch at least {2 ** len(channels)} wide, as each of the "
                f"{len(channels)} stages halves it. Received: "
                f"size={tuple(size)}, channels={channels}, "
                f"units={list(units)}, features={features}"
            )
        stages: dict[str, keras.layers.Layer] = {
            f"stage{i}": ConvolutionStage(widths, name=f"{name}_stage{i}")
            for i, widths in enumerate(channels, start=1)
        }
        stages["embedding"] = DenseEmbedding(
            [*units, features], name=f"{name}_embedding"
        )
        super().__init__((steps, *size), stages, name=name, **kwargs)
        self.size = list(size)
        self.channels = [list(stage) for stage in channels]
        self.units = list(units)
        self.features = features
        self.steps = steps

    def get_config(self) -> dict[str, Any]:
        return {
            "size": self.size,
            "channels": self.channels,
            "units": self.units,
            "features": self.features,
            "steps": self.steps,
            "name": self.name,
        }


@register_inner
class ConvolutionStage(FrameLayer):
    """3x3 convolutions with ReLU, then max pooling."""

    def __init__(self, widths: Sequence[int], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.convolutions = [
            keras.layers.Conv2D(
                width,
                3,
                padding="same",
                activation="relu",
                kernel_initializer=FlatGlorotUniform(),
                name=f"conv{i}",
                dtype=self.dtype_policy,
            )
            for i, width in enumerate(widths, start=1)
        ]

    def build_frames(self, shape: Shape) -> None:
        shape = _with_channels(shape)
        for convolution in self.convolutions:
            convolution.build(shape)
            shape = (*shape[:-1], convolution.filters)

    def run_frames(
        self, x: Tensor, mask: Tensor | None, training: bool | None
    ) -> Tensor:
        x = x[..., None] if len(x.shape) == 3 else x
        for convolution in self.convolutions:
            x = convolution(x)
        return ops.max_pool(
            x, 2, strides=2, padding="valid", data_format="channels_last"
        )

    def frame_output_shape(self, shape: Shape) -> Shape:
        sizes = [n and n // 2 for n in shape[1:3]]
        return (shape[0], *sizes, self.convolutions[-1].filters)


@register_inner
class DenseEmbedding(FrameLayer):
    """Dense layers with ReLU between them."""

    def __init__(self, units: Sequence[int], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.dense = [
            keras.layers.Dense(
                n,
                "relu" if i < len(units) else None,
                name=f"dense{i}",
                dtype=self.dtype_policy,
            )
            for i, n in enumerate(units, start=1)
        ]

    def build_frames(self, shape: Shape) -> None:
        _, height, width, channels = shape
        size = int(height or 0) * int(width or 0) * int(channels or 0)
        for dense in self.dense:
            dense.build((None, size))
            size = dense.units

    def run_frames(
        self, x: Tensor, mask: Tensor | None, training: bool | None
    ) -> Tensor:
        x = ops.reshape(x, (-1, self.dense[0].kernel.shape[0]))
        for dense in self.dense:
            x = dense(x)
        return x

    def call(
        self,
        inputs: Tensor,
        mask: Tensor | None = None,
        training: bool | None = None,
    ) -> Tensor:
        return mask_steps(super().call(inputs, mask, training), mask)

    def frame_output_shape(self, shape: Shape) -> Shape:
        return (shape[0], self.dense[-1].units)


def _with_channels(shape: Shape) -> Shape:
    """Patches have no axis of channels before the first convolution."""
    return (*shape, 1) if len(shape) == 3 else shape
