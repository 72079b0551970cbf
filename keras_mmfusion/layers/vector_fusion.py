"""Vectors of several modalities joined without any weights."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from keras_mmfusion.layers.modality_dict import as_list
from keras_mmfusion.registry import register_inner
from keras_mmfusion.types import Modalities, Tensor

KINDS = ("concat", "add", "mul")


@register_inner
class VectorFusion(keras.layers.Layer):
    """Concatenation, sum or product of (B, d) vectors, over who is present.

    A missing modality is 0 in a concatenation or sum and 1 in a product.
    """

    def __init__(
        self, kind: str, modalities: Sequence[str], **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.kind = kind
        self.modalities = list(modalities)
        self.supports_masking = True

    def build(self, input_shape: Any) -> None:
        self.built = True

    def call(self, inputs: Modalities, mask: Any) -> Tensor:
        kept = []
        for x, m in zip(
            as_list(inputs, self.modalities),
            as_list(mask, self.modalities),
            strict=True,
        ):
            filled = ops.ones_like if self.kind == "mul" else ops.zeros_like
            kept.append(ops.where(ops.cast(m, "bool")[:, None], x, filled(x)))
        if self.kind == "concat":
            return ops.concatenate(kept, axis=-1)
        stacked = ops.stack(kept, axis=1)
        if self.kind == "add":
            return ops.sum(stacked, axis=1)
        return ops.prod(stacked, axis=1)

    def compute_mask(self, inputs: Modalities, mask: Any = None) -> Any:
        return None
