"""Batch normalisation that leaves padding out and at zero."""

from typing import Any

import keras

from keras_mmfusion.ops.masking import mask_steps
from keras_mmfusion.types import Tensor


class MaskedBatchNormalization(keras.layers.BatchNormalization):
    """Keras' layer, with PyTorch's constants and zeros where masked."""

    def __init__(
        self, momentum: float = 0.9, epsilon: float = 1e-5, **kwargs: Any
    ) -> None:
        super().__init__(momentum=momentum, epsilon=epsilon, **kwargs)

    def call(
        self,
        inputs: Tensor,
        training: bool | None = None,
        mask: Tensor | None = None,
    ) -> Tensor:
        outputs = super().call(inputs, training=training, mask=mask)
        return mask_steps(outputs, mask)
