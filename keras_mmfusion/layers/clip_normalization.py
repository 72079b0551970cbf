"""Batch normalisation of clips that leaves padded frames out."""

from keras import ops

from keras_mmfusion.layers.batch_normalization import BatchNormalization
from keras_mmfusion.registry import register_inner
from keras_mmfusion.types import Tensor


@register_inner
class ClipNormalization(BatchNormalization):
    """Batch normalisation with statistics of the frames in the mask.

    Mean and variance of every frame, then those of all valid frames from
    them: Keras' own masked statistics make arrays as large as the clip.

    Call arguments:
        inputs: Float tensor of shape (B, T, H, W, C).
        training: Whether to use batch statistics.
        mask: Boolean tensor (B, T), or `None` for all valid.
    """

    def _moments(
        self, inputs: Tensor, mask: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        if mask is None:
            return super()._moments(inputs, None)
        valid = ops.cast(mask[:, :, 0], inputs.dtype)  # (B, T, 1)
        share = valid / ops.maximum(ops.sum(valid), 1)
        means, variances = ops.moments(inputs, axes=(2, 3))
        mean = ops.sum(share * means, axis=(0, 1))
        between = ops.square(means - mean)
        return mean, ops.sum(share * (variances + between), axis=(0, 1))
