"""Dropout of large tensors; a place where code depends on the backend."""

import math
from typing import Any

import keras
from keras import ops

from keras_mmfusion.ops.map_dropout import kept, map_seeds
from keras_mmfusion.registry import register_inner
from keras_mmfusion.types import Tensor


@register_inner
class UniformDropout(keras.layers.Dropout):
    """Keras' layer: every value is 0, or x / (1 - rate).

    The uniform numbers that decide are PyTorch's own there, about a third of
    the time of Keras' on a CPU (`benchmarks/elementwise.py`). Elsewhere a hash
    of the position decides, of which a compiler makes one loop
    (`benchmarks/README.md`).
    """

    def call(self, inputs: Tensor, training: bool | None = None) -> Any:
        if not training or not self.rate:
            return inputs
        keep = ops.cast(self._keep(inputs), inputs.dtype)
        return inputs * (keep * (1 / (1 - self.rate)))

    def _keep(self, x: Tensor) -> Tensor:
        shape = ops.shape(x)
        if keras.backend.backend() == "torch":
            seed = self.seed_generator
            drawn = keras.random.uniform(shape, dtype="float32", seed=seed)
            return drawn >= self.rate
        *several, rows, columns = shape
        seeds = map_seeds(self.seed_generator.next(), math.prod(several))
        return ops.reshape(kept(seeds, rows, columns, self.rate), shape)
