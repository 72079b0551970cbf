"""One step of joint cross-attention (JCA, RJCA).

Symbols, as in the papers (arXiv 2304.07958 and 2503.12261):
    d_m  width of modality m;  d  sum of all d_m
    J    joint representation, (T, d)
    K_m  keys of modality m, mixed over time, (T, d_m)
    C_m  joint cross-correlation of modality m, (d_m, d)
    H_m  attention map, (T, d)
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import keras
from keras import ops

from keras_mmfusion.data.checks import differ
from keras_mmfusion.layers.dense import Dense
from keras_mmfusion.layers.modality_dict import (
    as_list,
    like_inputs,
    modality_order,
    modality_shapes,
)
from keras_mmfusion.layers.temporal_mixing import MIXINGS, TemporalMixing
from keras_mmfusion.layers.uniform_dropout import UniformDropout
from keras_mmfusion.ops.masking import any_mask, mask_steps
from keras_mmfusion.ops.product import einsum
from keras_mmfusion.ops.streaming import last_steps
from keras_mmfusion.ops.tanh import tanh
from keras_mmfusion.rates import dropout_rate
from keras_mmfusion.registry import register
from keras_mmfusion.types import Modalities, Shape, Tensor

State = Mapping[str, Tensor]


@register()
class JointCrossAttention(keras.layers.Layer):
    """Attends from every modality to what all modalities hold together.

    With x_m (T, d_m) the sequences of all modalities on one time grid,

        J = [x_1 | x_2 | ...] W_q + b_q
        C_m = tanh(scale K_mᵀ J)
        H_m = ReLU(tanh((x_m W_vm + b_vm) C_m))
        y_m = x_m + ReLU(H_m W_om + b_om)

    The keys K_m are x_m mixed over time. "dense" is the published form: a
    learned T x T matrix, so T is fixed, and scale = 1 / √d. "conv" (a learned
    kernel over time) and "none" (K_m = x_m) take any length. There
    scale = √d / n with n the number of valid steps: the mean over time does
    not grow with the length, and equals the published sum at n = d.

    Args:
        dropout: Rate of dropout on C_m and on what is added to x_m.
        temporal_mixing: "dense", "conv" or "none".
        kernel_size: Length of the "conv" kernel.
        causal: Whether step t sees steps up to t only, as if the sequence
            ended there: C_m is computed anew at every step from the sums so
            far. The memory grows by d_m d values a step. Not for "dense".
        modalities: Order of concatenation in J when the inputs are a dict;
            sorted by name if `None`. The published order is video, audio.
        seed: Integer seed of the dropout, or `None`.

    Call arguments:
        inputs: Dict or list of two or more float tensors (B, T, d_m) of about
            unit length along the last axis, as `GatedJointCrossAttention`
            makes them.
        mask: Optional dict or list of boolean tensors (B, T). Masked steps
            take part in nothing and become zero.
        training: Whether to drop.
        return_attention: Also return C_m.

    Returns:
        The structure of `inputs`, each tensor with its own shape. With
        `return_attention`, a pair of it and the same structure of C_m,
        (B, d_m, d); of the last step if `causal`.

    Raises:
        ValueError: If an argument is out of range, there are fewer than two
            modalities, or their lengths are known to differ.

    Example:

    ```python
    import numpy as np
    import keras_mmfusion as mmf

    attend = mmf.layers.JointCrossAttention(temporal_mixing="none")
    y = attend({
        "audio": np.ones((2, 50, 8), "float32"),
        "video": np.ones((2, 50, 16), "float32"),
    })
    print(y["video"].shape)  # (2, 50, 16)
    ```

    Reference:
        Praveen and Alam, Recursive Joint Attention for Audio-Visual Fusion in
        Regression Based Emotion Recognition, arXiv 2304.07958. "conv", "none",
        `causal` and masks are ours.
    """

    def __init__(
        self,
        dropout: float = 0.6,
        temporal_mixing: str = "dense",
        kernel_size: int = 5,
        causal: bool = False,
        modalities: Sequence[str] | None = None,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        check_mixing(temporal_mixing, kernel_size, causal)
        self.rate = dropout_rate("dropout", dropout)
        self.temporal_mixing = temporal_mixing
        self.kernel_size = kernel_size
        self.causal = causal
        self.modalities = None if modalities is None else list(modalities)
        self.seed = seed
        self.supports_masking = True
        self.dropout = UniformDropout(
            dropout, seed=seed, name="dropout", dtype=self.dtype_policy
        )

    def build(self, input_shape: Any) -> None:
        self.order = modality_order(input_shape, self.modalities, self.name)
        shapes = modality_shapes(input_shape, self.order)
        check_sequences(
            dict(zip(self.order, shapes, strict=True)), self.temporal_mixing
        )
        self.widths = [int(shape[-1] or 0) for shape in shapes]
        d = sum(self.widths)
        steps = shapes[0][1]
        self.joint = self._dense(d, "joint")
        self.joint.build((None, steps, d))
        self.key, self.value, self.attention_output = [], [], []
        for m, width in zip(self.order, self.widths, strict=True):
            key = TemporalMixing(
                self.temporal_mixing,
                self.kernel_size,
                self.causal,
                dtype=self.dtype_policy,
                name=f"key_{m}",
            )
            value = self._dense(width, f"value_{m}")
            output = self._dense(width, f"attention_output_{m}", "relu")
            for layer, channels in ((key, width), (value, width), (output, d)):
                layer.build((None, steps, channels))
            self.key.append(key)
            self.value.append(value)
            self.attention_output.append(output)
        self.built = True

    def _dense(
        self, units: int, name: str, activation: str | None = None
    ) -> keras.layers.Dense:
        return Dense(units, activation, dtype=self.dtype_policy, name=name)

    def call(
        self,
        inputs: Modalities,
        mask: Any = None,
        training: bool | None = None,
        return_attention: bool = False,
    ) -> Any:
        xs, masks = as_list(inputs, self.order), as_list(mask, self.order)
        outputs, attention, _ = self._attend(xs, masks, None, training)
        attended = like_inputs(inputs, self.order, outputs)
        if not return_attention:
            return attended
        return attended, like_inputs(inputs, self.order, attention)

    def initial_state(self, batch_size: int) -> dict[str, Tensor]:
        """What `stream` knows before the first step: nothing."""
        state = {}
        for m, width, key in zip(
            self.order, self.widths, self.key, strict=True
        ):
            correlation = (batch_size, width, sum(self.widths))
            past = (batch_size, key.context, width)
            state[f"past_{m}"] = ops.zeros(past, dtype=self.compute_dtype)
            state[f"correlation_{m}"] = ops.zeros(correlation)
            state[f"count_{m}"] = ops.zeros((batch_size,))
        return state

    def stream(
        self, inputs: Modalities, state: State, mask: Any = None
    ) -> tuple[Any, dict[str, Tensor]]:
        """The outputs of the next steps, and the state after them.

        Args:
            inputs: Dict or list of tensors (B, t, d_m), any number t of steps.
            state: From `initial_state` or the call before.
            mask: As in a call.
        """
        xs, masks = as_list(inputs, self.order), as_list(mask, self.order)
        outputs, _, after = self._attend(xs, masks, state, training=False)
        return like_inputs(inputs, self.order, outputs), after

    def _attend(
        self,
        xs: list[Tensor],
        masks: list[Tensor | None],
        state: State | None,
        training: bool | None,
    ) -> tuple[list[Tensor], list[Tensor], dict[str, Tensor]]:
        """Outputs, C_m of the last step, and the state after it."""
        shapes = {m: x.shape for m, x in zip(self.order, xs, strict=True)}
        check_sequences(shapes, "none")
        xs = [mask_steps(x, mask) for x, mask in zip(xs, masks, strict=True)]
        joint = self.joint(ops.concatenate(xs, axis=-1))
        joint = mask_steps(joint, any_mask(masks))
        outputs, attention, after = [], [], {}
        for i, (m, x, mask) in enumerate(
            zip(self.order, xs, masks, strict=True)
        ):
            past = None if state is None else state[f"past_{m}"]
            key = mask_steps(self.key[i](x, past), mask)
            if self.causal:
                correlation, carried = _causal_correlation(
                    key, joint, mask, m, state
                )
                after.update(carried)
                if state is not None:
                    after[f"past_{m}"] = last_steps(past, x)
            else:
                correlation = self._correlation(key, joint, mask)
            attention.append(correlation[:, -1] if self.causal else correlation)
            correlation = self.dropout(correlation, training=training)
            product = "btc,btce->bte" if self.causal else "btc,bce->bte"
            hidden = einsum(product, self.value[i](x), correlation)
            added = self.attention_output[i](ops.relu(tanh(hidden)))
            added = self.dropout(added, training=training)
            outputs.append(mask_steps(x + added, mask))
        return outputs, attention, after

    def _correlation(
        self, key: Tensor, joint: Tensor, mask: Tensor | None
    ) -> Tensor:
        """C_m over the whole sequence, (B, d_m, d)."""
        root = math.sqrt(joint.shape[-1])
        if self.temporal_mixing == "dense":
            key = key / root
        elif mask is None:
            key = key * (root / ops.cast(ops.shape(key)[1], key.dtype))
        else:
            count = ops.sum(ops.cast(mask, "float32"), axis=1)
            scale = root / ops.maximum(count, 1)
            key = key * ops.cast(scale[:, None, None], key.dtype)
        return tanh(einsum("btc,bte->bce", key, joint))

    def compute_mask(self, inputs: Modalities, mask: Any = None) -> Any:
        return mask

    def compute_output_spec(
        self,
        inputs: Modalities,
        mask: Any = None,
        training: bool | None = None,
        return_attention: bool = False,
    ) -> Any:
        xs = as_list(inputs, self.order)
        outputs = like_inputs(
            inputs, self.order, [self._spec(x.shape) for x in xs]
        )
        if not return_attention:
            return outputs
        d = sum(self.widths)
        maps = [self._spec((x.shape[0], x.shape[-1], d)) for x in xs]
        return outputs, like_inputs(inputs, self.order, maps)

    def _spec(self, shape: Shape) -> keras.KerasTensor:
        return keras.KerasTensor(shape, dtype=self.compute_dtype)

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "dropout": self.rate,
            "temporal_mixing": self.temporal_mixing,
            "kernel_size": self.kernel_size,
            "causal": self.causal,
            "modalities": self.modalities,
            "seed": self.seed,
        }


def _causal_correlation(
    key: Tensor,
    joint: Tensor,
    mask: Tensor | None,
    modality: Any,
    state: State | None,
) -> tuple[Tensor, dict[str, Tensor]]:
    """C_m at every step from the steps up to it, (B, T, d_m, d)."""
    # Sums over many steps need float32, and so do counts above 256.
    products = ops.cast(key, "float32")[..., None] * ops.cast(
        joint[:, :, None], "float32"
    )
    valid = ops.ones_like(key[..., 0]) if mask is None else mask
    sums = ops.cumsum(products, axis=1)
    counts = ops.cumsum(ops.cast(valid, "float32"), axis=1)
    if state is not None:
        sums = sums + state[f"correlation_{modality}"][:, None]
        counts = counts + state[f"count_{modality}"][:, None]
    scale = math.sqrt(joint.shape[-1]) / ops.maximum(counts, 1)
    correlation = tanh(sums * scale[..., None, None])
    carried = {
        f"correlation_{modality}": sums[:, -1],
        f"count_{modality}": counts[:, -1],
    }
    return ops.cast(correlation, key.dtype), carried


def check_mixing(temporal_mixing: str, kernel_size: int, causal: bool) -> None:
    """Raises if these arguments of joint cross-attention do not fit."""
    if temporal_mixing not in MIXINGS:
        raise ValueError(
            f"`temporal_mixing` must be one of {list(MIXINGS)}. "
            f"Received: temporal_mixing={temporal_mixing!r}"
        )
    if not isinstance(kernel_size, int) or kernel_size < 1:
        raise ValueError(
            "`kernel_size` must be an integer of at least 1. "
            f"Received: kernel_size={kernel_size!r}"
        )
    if causal and temporal_mixing == "dense":
        raise ValueError(
            'temporal_mixing="dense" mixes every step with all later ones, so '
            'it cannot be causal. Choose "conv" or "none".'
        )


def check_sequences(shapes: Mapping[Any, Shape], temporal_mixing: str) -> None:
    """Raises unless all are sequences of the same length, as far as known."""
    if any(len(shape) != 3 for shape in shapes.values()):
        raise ValueError(
            "Joint cross-attention takes sequences (batch, steps, channels). "
            f"Received: {dict(shapes)}"
        )
    lengths = [shape[1] for shape in shapes.values()]
    if differ(lengths):
        raise ValueError(
            "Joint cross-attention needs all modalities on one time grid. "
            f"Received: {dict(shapes)}. Bring them there with `ResampleTime`."
        )
    if temporal_mixing == "dense" and any(n is None for n in lengths):
        raise ValueError(
            'temporal_mixing="dense" learns one weight for every pair of time '
            f"steps and needs a fixed number of steps. Received: {dict(shapes)}"
            '. Fix it in the input shapes, or choose "conv" or "none".'
        )
