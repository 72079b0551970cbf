"""Layer normalisation whose memory half precision halves, too."""

import keras
from keras import ops

from keras_mmfusion.types import Tensor


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class LayerNorm(keras.layers.LayerNormalization):
    """Keras' layer; of half precision it keeps no float32 copy for gradients.

    Statistics are in float32 as ever.
    """

    def call(self, inputs: Tensor) -> Tensor:
        if self.compute_dtype == "float32":
            return super().call(inputs)
        if keras.backend.backend() == "torch":
            # PyTorch's kernel has its float32 values inside.
            import torch

            gamma = ops.cast(self.gamma, inputs.dtype)
            beta = ops.cast(self.beta, inputs.dtype)
            return torch.nn.functional.layer_norm(
                inputs, inputs.shape[-1:], gamma, beta, self.epsilon
            )
        return keras.remat(super().call)(inputs)
