"""First weights of convolutions, drawn without a long compilation."""

import math
from typing import Any

import keras
from keras import ops

from keras_mmfusion.types import Tensor


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class FlatGlorotUniform(keras.initializers.GlorotUniform):
    """Keras' Glorot uniform values, drawn as a vector and then shaped.

    JAX compiles its random numbers for every shape anew, the longer the more
    axes it has. Here kernels share the vectors' few lengths, powers of two.
    """

    def __call__(self, shape: tuple[int, ...], dtype: Any = None) -> Tensor:
        receptive_field = math.prod(shape[:-2])
        fans = receptive_field * (shape[-2] + shape[-1])
        count = math.prod(shape)
        drawn = keras.random.uniform(
            (1 << (count - 1).bit_length(),),
            minval=-1,
            dtype=dtype,
            seed=self._init_seed,
        )
        return ops.reshape(drawn[:count], shape) * math.sqrt(6 / fans)
