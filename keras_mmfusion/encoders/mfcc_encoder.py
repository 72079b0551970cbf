"""The audio network of MSAF on RAVDESS: a small CNN on MFCC."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from keras_mmfusion.encoders.encoder import Encoder
from keras_mmfusion.encoders.encoder_stage import EncoderStage
from keras_mmfusion.layers.masked_batch_normalization import (
    MaskedBatchNormalization,
)
from keras_mmfusion.ops.masking import mask_steps
from keras_mmfusion.rates import dropout_rate
from keras_mmfusion.registry import register, register_inner
from keras_mmfusion.seeds import part_seed
from keras_mmfusion.types import Shape, Tensor

PADDING = 2  # zeros at either end, before every convolution
KERNELS = (7, 7, 5)
POOL = 8


@register()
class MFCCEncoder(Encoder):
    """Reads the cepstral coefficients of a recording of fixed length.

        conv1:   BatchNorm(ReLU(conv of 7 steps))
        conv2:   ReLU(conv of 7 steps)
        conv3:   max of 8 steps, BatchNorm, dropout, then
                 BatchNorm(ReLU(conv of 5 steps))
        flatten: all that is left as one vector, dropout

    ReLU stands before batch normalisation. Two zeros are put at either end
    before each convolution, so that the first two take two steps each.

    Args:
        features: Number of coefficients.
        steps: Number of steps; shorter recordings are zero-padded to it.
        channels: Channels of the three convolutions.
        dropouts: Rates of the dropout in `conv3` and in `flatten`.
        name: Name of the encoder; in a fusion model, of the modality.
        seed: Integer seed of the dropouts, or `None`.

    Call arguments:
        inputs: Float tensor of shape (B, steps, features), zero-padded at
            the end.

    Returns:
        Float tensor of shape (B, (steps - 4) // 8 channels[2]), step by step.
        A recording of zeros is a missing modality and gives zeros.

    Raises:
        ValueError: If a size is less than 1, or there are too few steps.

    Example:

    ```python
    import numpy as np
    import keras_mmfusion as mmf

    encoder = mmf.encoders.MFCCEncoder(name="audio")
    print(encoder(np.ones((2, 212, 13), "float32")).shape)  # (2, 1664)
    ```

    Reference:
        The audio network of MSAF on RAVDESS, arXiv 2012.07175. Where we
        differ from the official code: padded steps change nothing; the vector
        is in the order of the steps, not of the channels.
    """

    axes = ("steps", "coefficients")

    def __init__(
        self,
        features: int = 13,
        steps: int = 212,
        channels: Sequence[int] = (32, 32, 64),
        dropouts: Sequence[float] = (0.2, 0.4),
        name: str = "mfcc_encoder",
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        dropouts = [dropout_rate("dropouts", rate) for rate in dropouts]
        shortest = 2 * LOST + POOL
        if (
            min([features, *channels]) < 1
            or steps < shortest
            or (len(channels), len(dropouts)) != (3, 2)
        ):
            raise ValueError(
                "`features` and the three `channels` must be at least 1, "
                f"`steps` at least {shortest}, and `dropouts` two rates. "
                f"Received: features={features}, steps={steps}, "
                f"channels={list(channels)}, dropouts={list(dropouts)}"
            )
        stages: dict[str, keras.layers.Layer] = {
            "conv1": Convolution(
                channels[0], KERNELS[0], norm=True, name=f"{name}_conv1"
            ),
            "conv2": Convolution(
                channels[1], KERNELS[1], lost=LOST, name=f"{name}_conv2"
            ),
            "conv3": PooledConvolution(
                channels[2],
                dropouts[0],
                part_seed(seed, f"{name}_conv3"),
                name=f"{name}_conv3",
            ),
            "flatten": Flatten(
                dropouts[1],
                part_seed(seed, f"{name}_flatten"),
                name=f"{name}_flatten",
            ),
        }
        super().__init__((steps, features), stages, name=name, **kwargs)
        self.features = features
        self.steps = steps
        self.channels = list(channels)
        self.dropouts = list(dropouts)
        self.seed = seed

    def mask_after(self, stage: str, mask: Tensor) -> Tensor:
        """The mask of what a stage gives, from that of the encoder's input."""
        return self.stages[stage].output_mask(mask)

    def get_config(self) -> dict[str, Any]:
        return {
            "features": self.features,
            "steps": self.steps,
            "channels": self.channels,
            "dropouts": self.dropouts,
            "name": self.name,
            "seed": self.seed,
        }


# Steps that a convolution of `conv1` and `conv2` takes.
LOST = KERNELS[0] - 1 - 2 * PADDING


@register_inner
class Convolution(EncoderStage):
    """Convolution and ReLU, then batch normalisation if wanted.

    Args:
        width: Number of output channels.
        kernel_size: Steps of the kernel.
        norm: Whether there is batch normalisation.
        lost: Steps that have been lost before.
    """

    def __init__(
        self,
        width: int,
        kernel_size: int,
        norm: bool = False,
        lost: int = 0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.lost = lost + kernel_size - 1 - 2 * PADDING
        policy = self.dtype_policy
        self.conv = keras.layers.Conv1D(
            width, kernel_size, activation="relu", name="conv", dtype=policy
        )
        self.norm: Any = None
        if norm:
            self.norm = MaskedBatchNormalization(name="norm", dtype=policy)

    def build(self, input_shape: Shape) -> None:
        self.conv.build(_padded(input_shape))
        if self.norm is not None:
            self.norm.build(self.compute_output_shape(input_shape))
        self.built = True

    def call(
        self,
        inputs: Tensor,
        mask: Tensor | None = None,
        training: bool | None = None,
    ) -> Tensor:
        x = self.conv(_pad(inputs))
        mask = self.output_mask(mask)
        if self.norm is None:
            return mask_steps(x, mask)
        return self.norm(x, training=training, mask=mask)

    def output_mask(self, mask: Any) -> Any:
        """A sample of n valid steps has `lost` fewer now."""
        return None if mask is None else mask[:, self.lost :]

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        batch, steps, _ = _padded(input_shape)
        steps = int(steps or 0) - self.conv.kernel_size[0] + 1
        return (batch, steps, self.conv.filters)


@register_inner
class PooledConvolution(EncoderStage):
    """Max pooling, batch normalisation, dropout, convolution, ReLU, norm.

    Windows that are not full count as padding, as at the end of the input.
    """

    def __init__(
        self, width: int, dropout: float, seed: int | None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        policy = self.dtype_policy
        self.pool_norm = MaskedBatchNormalization(
            name="pool_norm", dtype=policy
        )
        self.dropout = keras.layers.Dropout(
            dropout, seed=seed, name="dropout", dtype=policy
        )
        self.conv = keras.layers.Conv1D(
            width, KERNELS[2], activation="relu", name="conv", dtype=policy
        )
        self.norm = MaskedBatchNormalization(name="norm", dtype=policy)

    def build(self, input_shape: Shape) -> None:
        output = self.compute_output_shape(input_shape)
        pooled = (*output[:-1], input_shape[-1])
        self.pool_norm.build(pooled)
        self.conv.build(_padded(pooled))
        self.norm.build(output)
        self.built = True

    def call(
        self,
        inputs: Tensor,
        mask: Tensor | None = None,
        training: bool | None = None,
    ) -> Tensor:
        x = ops.max_pool(
            inputs,
            POOL,
            strides=POOL,
            padding="valid",
            data_format="channels_last",
        )
        mask = self.output_mask(mask)
        x = self.pool_norm(x, training=training, mask=mask)
        x = self.conv(_pad(self.dropout(x, training=training)))
        return self.norm(x, training=training, mask=mask)

    def output_mask(self, mask: Any) -> Any:
        if mask is None:
            return None
        return mask[:, 2 * LOST :][:, POOL - 1 :: POOL]

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        steps = int(input_shape[1] or 0) // POOL
        return (input_shape[0], steps, self.conv.filters)


@register_inner
class Flatten(EncoderStage):
    """(B, T, C) to (B, T C), with dropout."""

    def __init__(self, dropout: float, seed: int | None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.dropout = keras.layers.Dropout(
            dropout, seed=seed, name="dropout", dtype=self.dtype_policy
        )

    def call(
        self,
        inputs: Tensor,
        mask: Tensor | None = None,
        training: bool | None = None,
    ) -> Tensor:
        x = ops.reshape(inputs, (-1, inputs.shape[1] * inputs.shape[2]))
        return self.dropout(x, training=training)

    def output_mask(self, mask: Any) -> Any:
        return None if mask is None else ops.any(mask, axis=1)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        batch, steps, channels = input_shape
        return (batch, int(steps or 0) * int(channels or 0))


def _pad(x: Tensor) -> Tensor:
    return ops.pad(x, [[0, 0], [PADDING, PADDING], [0, 0]])


def _padded(shape: Shape) -> Shape:
    return (shape[0], int(shape[1] or 0) + 2 * PADDING, shape[2])
