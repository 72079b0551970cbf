"""Missing modalities in networks that know nothing about them."""

from typing import Any

import keras
from keras import ops

from keras_mmfusion.registry import register_inner
from keras_mmfusion.types import Tensor


class _Unmasked(keras.layers.Layer):
    """A layer whose outputs have no Keras mask: it is handed on by hand."""

    def compute_mask(self, inputs: Any, previous_mask: Any) -> None:
        """None. Without this method Keras warns that a mask is lost."""


@register_inner
class IsPresent(_Unmasked):
    """Whether a sample has the modality: not all of its input is zero."""

    def call(self, inputs: Tensor) -> Tensor:
        """(B, ...) to (B,)."""
        axes = tuple(range(1, len(inputs.shape)))
        return ops.any(ops.not_equal(inputs, 0), axis=axes)


@register_inner
class ValidSteps(_Unmasked):
    """Which steps of features have data: of a missing modality none."""

    def call(
        self, inputs: Tensor, present: Tensor, steps: Tensor | None = None
    ) -> Tensor:
        """(B, T, ..., C) to (B, T), (B, C) to (B,).

        Args:
            inputs: Features.
            present: Whether a sample has the modality, (B,).
            steps: The network's own mask (B, T), if it has one.
        """
        if len(inputs.shape) == 2:
            return present
        if steps is None:
            steps = ops.ones(ops.shape(inputs)[:2], dtype="bool")
        return ops.logical_and(steps, present[:, None])


@register_inner
class ZeroIfMissing(_Unmasked):
    """Features, and zero where the modality is missing."""

    def call(self, inputs: Tensor, present: Tensor) -> Tensor:
        """(B, ...) to the same shape, with `present` of shape (B,)."""
        ones = (1,) * (len(inputs.shape) - 1)
        present = ops.cast(present, inputs.dtype)
        return inputs * ops.reshape(present, (-1, *ones))
