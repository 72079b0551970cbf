"""Dropout of large tensors; a place where code depends on the backend."""

import math
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_mmfusion.ops.map_dropout import kept, map_seeds
from keras_mmfusion.registry import register_inner
from keras_mmfusion.types import Tensor


@register_inner
class UniformDropout(keras.layers.Dropout):
    """Keras' layer: every value is 0, or x / (1 - rate).

    Under PyTorch uniform integers of 16 bits decide, drawn four at a time, in
    a fifth of the time of Keras' layer on a CPU (`benchmarks/elementwise.py`).
    Elsewhere a hash of the position decides, of which a compiler makes one
    loop (`benchmarks/README.md`).
    """

    def call(self, inputs: Tensor, training: bool | None = None) -> Any:
        if not training or not self.rate:
            return inputs
        keep, scale = self._keep(inputs), 1 / (1 - self.rate)
        if keras.backend.backend() == "torch":
            # In half the time of the other form.
            return inputs * (ops.cast(keep, inputs.dtype) * scale)
        # XLA would keep a mask in half precision for the gradient.
        return ops.where(keep, inputs * scale, 0)

    def _keep(self, x: Tensor) -> Tensor:
        shape = ops.shape(x)
        if keras.backend.backend() == "torch":
            drawn = _uniform_int16(x, self.seed_generator.next())
            # At least one of the integers is kept, whatever the rate.
            return drawn >= min(round(self.rate * 2**16), 2**16 - 1) - 2**15
        *several, rows, columns = shape
        seeds = map_seeds(self.seed_generator.next(), math.prod(several))
        return ops.reshape(kept(seeds, rows, columns, self.rate), shape)


if keras.backend.backend() == "torch":
    import torch

    # A compiled graph has no place for generators.
    @torch.compiler.disable
    def _uniform_int16(x: torch.Tensor, seed: torch.Tensor) -> torch.Tensor:
        """All 2¹⁶ integers of 16 bits equally likely, of the shape of x."""
        generator = torch.Generator(x.device)
        # PyTorch's generator on a CPU takes 32 bits of a seed.
        mixed = np.random.SeedSequence(seed.tolist()).generate_state(1)
        generator.manual_seed(int(mixed[0]))
        count = -(-x.numel() // 4)
        drawn = torch.empty(count, dtype=torch.int64, device=x.device)
        drawn.random_(-(2**63), None, generator=generator)
        return drawn.view(torch.int16)[: x.numel()].reshape(x.shape)
