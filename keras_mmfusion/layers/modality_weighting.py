"""One learned weight per sample and modality."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from keras_mmfusion.layers.masked_average_pooling import MaskedAveragePooling
from keras_mmfusion.layers.modality_dict import (
    as_list,
    like_inputs,
    modality_order,
    modality_shapes,
)
from keras_mmfusion.ops.attention import softmax_over_present
from keras_mmfusion.registry import register
from keras_mmfusion.types import Modalities, Tensor

MODES = ("pooled", "full")
# The printed form has (T d)² weights per modality.
LARGEST_FULL = 4000


@register()
class ModalityWeighting(keras.layers.Layer):
    """Scales every modality by its share of a softmax over modalities.

        γ_m = p_mᵀ tanh(W_m v_m + b_m);  ψ = softmax over m of γ;  y_m = ψ_m z_m

    v_m is the mean of z_m over its valid steps ("pooled"), or all steps laid
    out flat ("full"). A missing modality has ψ = 0; the others share 1.

    Args:
        mode: "pooled", or "full" as printed, with (T d)² weights per
            modality: for a fixed number of steps and T d up to 4000.
        modalities: Order of ψ when the inputs are a dict; sorted by name if
            `None`.

    Call arguments:
        inputs: Dict or list of two or more float tensors (B, T_m, d_m).
        mask: Optional dict or list of boolean tensors (B, T_m), true up to
            the length of the sample.

    Returns:
        A pair: the structure of `inputs` with the weighted sequences, and ψ,
        float32 (B, M) in modality order.

    Raises:
        ValueError: If the mode is unknown, or "full" meets sequences of any
            length or of more than 4000 values.

    Example:

    ```python
    import keras
    import numpy as np
    import keras_mmfusion as mmf

    x = {"text": np.ones((2, 4, 8)), "audio": np.ones((2, 9, 8))}
    weighted, psi = mmf.layers.ModalityWeighting()(x)
    print(keras.ops.sum(psi, axis=1))  # 1 for each sample
    ```

    Reference:
        Yang et al., arXiv 2407.04955, Eq. 5-6. "pooled" is ours: as printed,
        sequences of 500 steps would need 400 million weights.
    """

    def __init__(
        self,
        mode: str = "pooled",
        modalities: Sequence[str] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if mode not in MODES:
            raise ValueError(
                f"`mode` must be one of {MODES}. Received: mode={mode!r}"
            )
        self.mode = mode
        self.modalities = None if modalities is None else list(modalities)
        self.supports_masking = True
        self.pool = MaskedAveragePooling(name="pool", dtype=self.dtype_policy)

    def build(self, input_shape: Any) -> None:
        self.order = modality_order(input_shape, self.modalities, self.name)
        self.hidden, self.score = [], []
        shapes = modality_shapes(input_shape, self.order)
        for key, (_, steps, width) in zip(self.order, shapes, strict=True):
            size = int(width or 0)
            if self.mode == "full":
                size = _flat_size(key, steps, size)
            hidden = keras.layers.Dense(
                size, "tanh", name=f"{key}_hidden", dtype=self.dtype_policy
            )
            score = keras.layers.Dense(
                1, use_bias=False, name=f"{key}_score", dtype=self.dtype_policy
            )
            hidden.build((None, size))
            score.build((None, size))
            self.hidden.append(hidden)
            self.score.append(score)
        self.pool.build((None, None, None))
        self.built = True

    def call(self, inputs: Modalities, mask: Any = None) -> Any:
        xs, masks = as_list(inputs, self.order), as_list(mask, self.order)
        scores, present = [], []
        for x, m, hidden, score in zip(
            xs, masks, self.hidden, self.score, strict=True
        ):
            vector = self._vector(x, m)
            scores.append(score(hidden(vector)))
            if m is None:
                present.append(ops.ones_like(scores[-1], dtype="bool"))
            else:
                present.append(ops.any(m, axis=1, keepdims=True))
        psi = softmax_over_present(
            ops.concatenate(scores, axis=1), ops.concatenate(present, axis=1)
        )
        weight = ops.cast(psi, xs[0].dtype)
        weighted = [x * weight[:, i, None, None] for i, x in enumerate(xs)]
        return like_inputs(inputs, self.order, weighted), psi

    def _vector(self, x: Tensor, mask: Tensor | None) -> Tensor:
        if self.mode == "pooled":
            return self.pool(x, mask=mask)
        return ops.reshape(x, (-1, x.shape[1] * x.shape[2]))

    def compute_mask(self, inputs: Modalities, mask: Any = None) -> Any:
        return None

    def compute_output_spec(self, inputs: Modalities, mask: Any = None) -> Any:
        xs = as_list(inputs, self.order)
        weighted = [
            keras.KerasTensor(x.shape, dtype=self.compute_dtype) for x in xs
        ]
        psi = keras.KerasTensor((xs[0].shape[0], len(xs)), dtype="float32")
        return like_inputs(inputs, self.order, weighted), psi

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "mode": self.mode,
            "modalities": self.modalities,
        }


def _flat_size(key: Any, steps: int | None, width: int) -> int:
    if steps is None or steps * width > LARGEST_FULL:
        raise ValueError(
            'mode="full" has a square matrix over all steps and needs a fixed '
            f"number of steps and at most {LARGEST_FULL} values per sequence. "
            f"Received for {key!r}: {steps} steps of {width} channels. Use "
            'mode="pooled".'
        )
    return steps * width
