"""Batch normalisation; a place where code depends on the backend.

Under PyTorch Keras makes it of some ten operations, each with an array as
large as its input, which take several times as long as PyTorch's own kernel
(measured by `benchmarks/elementwise.py`).
"""

from typing import Any

import keras
from keras import ops

from keras_mmfusion.registry import register_inner
from keras_mmfusion.types import Tensor

# Up to it a tensor is seen as rows; one of a higher rank may lie in memory
# channels first, as a convolution left it.
MOST_ROWS_RANK = 3


@register_inner
class BatchNormalization(keras.layers.BatchNormalization):
    """Keras' layer with PyTorch's constants, and under PyTorch its kernel.

    Call arguments:
        inputs: Float tensor (B, ..., C).
        training: Whether to use batch statistics.
        mask: Boolean tensor of the first axes of `inputs`, (B,), (B, T), ...;
            statistics are of what is in it. `None` for everything.
    """

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
        if mask is not None:
            for _ in range(len(inputs.shape) - 1 - len(mask.shape)):
                mask = ops.expand_dims(mask, axis=-1)
        from_batch = bool(training) and self.trainable
        if keras.backend.backend() == "torch" and (
            not from_batch or _whole_batch_counts(inputs, mask)
        ):
            return self._torch_call(inputs, from_batch)
        return super().call(inputs, training=training, mask=mask)

    def _torch_call(self, inputs: Tensor, from_batch: bool) -> Tensor:
        dtype = torch.promote_types(inputs.dtype, torch.float32)
        x = inputs.to(dtype)
        if from_batch:
            mean, variance = x.new_zeros(2, x.shape[-1])
        else:
            mean = self.moving_mean.value.to(dtype)
            variance = self.moving_variance.value.to(dtype)
        y = torch.nn.functional.batch_norm(
            _channels_second(x),
            mean,
            variance,
            self.gamma.value.to(dtype),
            self.beta.value.to(dtype),
            training=from_batch,
            momentum=1.0,  # All of the batch's statistics, none of the zeros.
            eps=self.epsilon,
        )
        if from_batch:
            # PyTorch tells the unbiased variance; Keras keeps the biased one.
            count = x.numel() // x.shape[-1]
            self._move(self.moving_mean, mean)
            self._move(self.moving_variance, variance * ((count - 1) / count))
        if x.ndim > MOST_ROWS_RANK:
            y = torch.movedim(y, 1, -1)
        return ops.cast(y.reshape(x.shape), self.compute_dtype)

    def _move(self, variable: Any, value: Tensor) -> None:
        momentum = self.momentum
        variable.assign(variable * momentum + value * (1 - momentum))


def _channels_second(x: Tensor) -> Tensor:
    """A view (B, C, ...), or (B ..., C) of a small rank."""
    if x.ndim <= MOST_ROWS_RANK:
        return x.reshape(-1, x.shape[-1])
    return torch.movedim(x, -1, 1)


def _whole_batch_counts(x: Tensor, mask: Tensor | None) -> bool:
    """Whether nothing is masked, as far as can be told at no cost.

    A GPU would have to finish its work before the mask could be looked at.
    """
    if x.numel() < 2 * x.shape[-1]:  # PyTorch refuses one value per channel.
        return False
    if mask is None:
        return True
    readable = x.device.type == "cpu" and not torch.compiler.is_compiling()
    return readable and bool(mask.all())


if keras.backend.backend() == "torch":
    import torch
