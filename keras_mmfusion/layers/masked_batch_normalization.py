"""Batch normalisation that leaves padding out and at zero."""

from keras_mmfusion.layers.batch_normalization import BatchNormalization
from keras_mmfusion.ops.masking import mask_steps
from keras_mmfusion.registry import register_inner
from keras_mmfusion.types import Tensor


@register_inner
class MaskedBatchNormalization(BatchNormalization):
    """Batch normalisation with zeros where masked."""

    def call(
        self,
        inputs: Tensor,
        training: bool | None = None,
        mask: Tensor | None = None,
    ) -> Tensor:
        outputs = super().call(inputs, training=training, mask=mask)
        return mask_steps(outputs, mask)
