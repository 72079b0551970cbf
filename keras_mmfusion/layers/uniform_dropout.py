"""Dropout of large tensors, drawn from uniform numbers."""

from typing import Any

import keras
from keras import ops

from keras_mmfusion.types import Tensor


class UniformDropout(keras.layers.Dropout):
    """Keras' layer: every value is 0, or x / (1 - rate).

    On a CPU it takes about a third of the time of Keras' under PyTorch, 8
    against 29 ms for 12 x 300 x 384 (`benchmarks/elementwise.py`).
    """

    def call(self, inputs: Tensor, training: bool | None = None) -> Any:
        if not training or not self.rate:
            return inputs
        drawn = keras.random.uniform(
            ops.shape(inputs), dtype="float32", seed=self.seed_generator
        )
        keep = ops.cast(drawn >= self.rate, inputs.dtype)
        return inputs * (keep * (1 / (1 - self.rate)))
