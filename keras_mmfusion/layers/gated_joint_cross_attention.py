"""Recursive joint cross-attention with gates over its steps (GRJCA).

Symbols, as in the paper (arXiv 2503.12261):
    x^0       input of a modality, of unit length along the channels
    x^k       the same after k steps of joint cross-attention
    n         number of steps
    τ         temperature of the gates
"""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
from keras import ops

from keras_mmfusion.layers.joint_cross_attention import (
    JointCrossAttention,
    check_mixing,
    check_sequences,
)
from keras_mmfusion.layers.modality_dict import (
    as_list,
    like_inputs,
    modality_order,
    modality_shapes,
)
from keras_mmfusion.ops.masking import mask_steps
from keras_mmfusion.rates import dropout_rate
from keras_mmfusion.registry import register
from keras_mmfusion.seeds import part_seed
from keras_mmfusion.types import Modalities, Shape, Tensor

GATES = ("flat", "hierarchical", None)
State = Mapping[str, Mapping[str, Tensor]]


@register()
class GatedJointCrossAttention(keras.layers.Layer):
    """Repeats joint cross-attention and chooses, step by step, how far.

    (x_1^k, x_2^k, ...) = JointCrossAttention_k(x_1^(k-1), x_2^(k-1), ...) for
    k = 1 ... n. For every modality and time step a gate weighs the iterates:

        flat          y = ReLU(Σ_k w_k x^k),  w = softmax((W x^n + b) / τ)
        hierarchical  g^j = ReLU(Σ_{k ≤ j} w_k x^k), w from x^j, then
                      y = ReLU(Σ_j w_j g^j), w from x^n
        None          y = x^n

    Where the other modalities do not help, a gate can stay with x^0.

    Args:
        steps: n, number of joint cross-attentions.
        gate: "flat" (GRJCA), "hierarchical" (HGRJCA) or `None` (RJCA).
        temperature: τ of every gate.
        dropout: See `JointCrossAttention`, as the next three.
        temporal_mixing: "dense" (the published form, a fixed number of
            steps), "conv" or "none" (any length).
        kernel_size: Length of the "conv" kernel.
        causal: Whether step t sees steps up to t only. Not for "dense".
        share_weights: Whether all steps have the same weights. The published
            code has its own weights for each.
        normalize: Whether inputs are scaled to unit length first, as published.
        modalities: Order of the modalities when the inputs are a dict; sorted
            by name if `None`. The published order is video, audio.
        seed: Integer seed of the dropout, or `None`.

    Call arguments:
        inputs: Dict or list of two or more float tensors (B, T, d_m).
        mask: Optional dict or list of boolean tensors (B, T). Masked steps
            take part in nothing and become zero.
        training: Whether to drop.
        return_attention: Also return the gates and attention maps.

    Returns:
        The structure of `inputs`, each tensor with its own shape. With
        `return_attention`, a pair of it and a dict with

        * `gates`: "gate1", "gate2", ... (hierarchical) and "gate" to the
          structure of float32 weights (B, T, choices), zero where masked;
        * `attention`: "attention1", ... to the structure of C_m (B, d_m, d).

    Raises:
        ValueError: If an argument is out of range, there are fewer than two
            modalities, or their lengths are known to differ.

    Example:

    ```python
    import numpy as np
    import keras_mmfusion as mmf

    fusion = mmf.layers.GatedJointCrossAttention(temporal_mixing="conv")
    x = {
        "audio": np.ones((2, 50, 8), "float32"),
        "video": np.ones((2, 50, 16), "float32"),
    }
    fused, seen = fusion(x, return_attention=True)
    print(fused["video"].shape)  # (2, 50, 16)
    print(seen["gates"]["gate"]["video"].shape)  # (2, 50, 3): x^0, x^1, x^2
    ```

    Reference:
        Praveen et al., United we stand, Divided we fall: Handling Weak
        Complementary Relationships for Audio-Visual Emotion Recognition in
        Valence-Arousal Space, arXiv 2503.12261. "conv", "none", `causal`,
        masks and a vector of zeros having gradient zero are ours.
    """

    def __init__(
        self,
        steps: int = 2,
        gate: str | None = "flat",
        temperature: float = 0.1,
        dropout: float = 0.6,
        temporal_mixing: str = "dense",
        kernel_size: int = 5,
        causal: bool = False,
        share_weights: bool = False,
        normalize: bool = True,
        modalities: Sequence[str] | None = None,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        check_mixing(temporal_mixing, kernel_size, causal)
        _check_arguments(steps, gate, temperature)
        self.steps = steps
        self.gate = gate
        self.temperature = temperature
        self.dropout = dropout_rate("dropout", dropout)
        self.temporal_mixing = temporal_mixing
        self.kernel_size = kernel_size
        self.causal = causal
        self.share_weights = share_weights
        self.normalize = normalize
        self.modalities = None if modalities is None else list(modalities)
        self.seed = seed
        self.supports_masking = True
        self.attention = [
            self._attention(i)
            for i in range(1, 1 + (1 if share_weights else steps))
        ]

    def _attention(self, number: int) -> JointCrossAttention:
        return JointCrossAttention(
            self.dropout,
            self.temporal_mixing,
            self.kernel_size,
            self.causal,
            self.modalities,
            part_seed(self.seed, number),
            dtype=self.dtype_policy,
            name="attention" if self.share_weights else f"attention{number}",
        )

    def build(self, input_shape: Any) -> None:
        self.order = modality_order(input_shape, self.modalities, self.name)
        shapes = modality_shapes(input_shape, self.order)
        check_sequences(
            dict(zip(self.order, shapes, strict=True)), self.temporal_mixing
        )
        for attention in self.attention:
            attention.build(input_shape)
        self.gates = {
            name: [
                self._gate(choices, f"{name}_{m}", shape)
                for m, shape in zip(self.order, shapes, strict=True)
            ]
            for name, choices in self._choices().items()
        }
        self.built = True

    def _choices(self) -> dict[str, int]:
        """Name of every level of gates to the number of its choices."""
        if self.gate is None:
            return {}
        if self.gate == "flat":
            return {"gate": self.steps + 1}
        levels = {f"gate{j}": j + 1 for j in range(1, self.steps + 1)}
        return {**levels, "gate": self.steps} if self.steps > 1 else levels

    def _gate(self, choices: int, name: str, shape: Shape) -> Any:
        gate = keras.layers.Dense(choices, dtype=self.dtype_policy, name=name)
        gate.build(shape)
        return gate

    def call(
        self,
        inputs: Modalities,
        mask: Any = None,
        training: bool | None = None,
        return_attention: bool = False,
    ) -> Any:
        x = self._start(inputs)
        iterates, maps = [x], {}
        for k in range(self.steps):
            attention = self.attention[0 if self.share_weights else k]
            x, maps[f"attention{k + 1}"] = attention(
                x, mask=mask, training=training, return_attention=True
            )
            iterates.append(x)
        fused, gates = self._choose(inputs, iterates, mask)
        if not return_attention:
            return fused
        return fused, {"gates": gates, "attention": maps}

    def initial_state(self, batch_size: int) -> dict[str, Any]:
        """What `stream` knows before the first step: nothing."""
        return {
            f"attention{k + 1}": self.attention[
                0 if self.share_weights else k
            ].initial_state(batch_size)
            for k in range(self.steps)
        }

    def stream(
        self, inputs: Modalities, state: State, mask: Any = None
    ) -> tuple[Any, dict[str, Any]]:
        """The outputs of the next steps, and the state after them.

        Args:
            inputs: Dict or list of tensors (B, t, d_m), any number t of steps.
            state: From `initial_state` or the call before.
            mask: As in a call.
        """
        x = self._start(inputs)
        iterates, after = [x], {}
        for k in range(self.steps):
            attention = self.attention[0 if self.share_weights else k]
            name = f"attention{k + 1}"
            x, after[name] = attention.stream(x, state[name], mask)
            iterates.append(x)
        return self._choose(inputs, iterates, mask)[0], after

    def _start(self, inputs: Modalities) -> Any:
        xs = as_list(inputs, self.order)
        if self.normalize:
            xs = [unit_length(x) for x in xs]
        return like_inputs(inputs, self.order, xs)

    def _choose(
        self, inputs: Modalities, iterates: list[Any], mask: Any
    ) -> tuple[Any, dict[str, Any]]:
        """The outputs, and the weights of every level of gates."""
        masks = as_list(mask, self.order)
        by_modality = zip(
            *(as_list(x, self.order) for x in iterates), strict=True
        )
        outputs = []
        weights: dict[str, list[Tensor]] = {name: [] for name in self.gates}
        for i, x in enumerate(by_modality):
            used = self._levels(i, list(x), masks[i])
            outputs.append(used.pop("output"))
            for name, weight in used.items():
                weights[name].append(weight)
        return like_inputs(inputs, self.order, outputs), {
            name: like_inputs(inputs, self.order, values)
            for name, values in weights.items()
        }

    def _levels(
        self, i: int, x: list[Tensor], mask: Tensor | None
    ) -> dict[str, Tensor]:
        """Output of modality i and the weights that led to it."""
        weights: dict[str, Tensor] = {}

        def mix(name: str, source: Tensor, options: list[Tensor]) -> Tensor:
            logits = ops.cast(self.gates[name][i](source), "float32")
            w = ops.softmax(logits / self.temperature, axis=-1)
            weights[name] = mask_steps(w, mask)
            w = ops.cast(w, source.dtype)
            parts = [w[..., k : k + 1] * v for k, v in enumerate(options)]
            return ops.relu(sum(parts))

        if self.gate is None:
            return {"output": x[-1]}
        if self.gate == "flat":
            output = mix("gate", x[-1], x)
        else:
            levels = [
                mix(f"gate{j}", x[j], x[: j + 1])
                for j in range(1, self.steps + 1)
            ]
            output = levels[0]
            if self.steps > 1:
                output = mix("gate", x[-1], levels)
        # Masked steps of the iterates are zero already, but for x^0.
        return {"output": mask_steps(output, mask), **weights}

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

        def structure(shapes: list[Shape], dtype: str) -> Any:
            specs = [keras.KerasTensor(s, dtype=dtype) for s in shapes]
            return like_inputs(inputs, self.order, specs)

        fused = structure([x.shape for x in xs], self.compute_dtype)
        if not return_attention:
            return fused
        d = sum(x.shape[-1] for x in xs)
        return fused, {
            "gates": {
                name: structure([(*x.shape[:2], n) for x in xs], "float32")
                for name, n in self._choices().items()
            },
            "attention": {
                f"attention{k}": structure(
                    [(x.shape[0], x.shape[-1], d) for x in xs],
                    self.compute_dtype,
                )
                for k in range(1, self.steps + 1)
            },
        }

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "steps": self.steps,
            "gate": self.gate,
            "temperature": self.temperature,
            "dropout": self.dropout,
            "temporal_mixing": self.temporal_mixing,
            "kernel_size": self.kernel_size,
            "causal": self.causal,
            "share_weights": self.share_weights,
            "normalize": self.normalize,
            "modalities": self.modalities,
            "seed": self.seed,
        }


def unit_length(x: Tensor) -> Tensor:
    """x / |x| along the last axis; zero, with gradient zero, for x = 0."""
    squares = ops.square(ops.cast(x, "float32"))
    square = ops.sum(squares, axis=-1, keepdims=True)
    positive = square > 1e-24
    # The root is taken of a safe number, since its gradient at 0 is infinite.
    length = ops.sqrt(ops.where(positive, square, 1.0))
    return x * ops.cast(ops.where(positive, 1 / length, 0.0), x.dtype)


def _check_arguments(steps: int, gate: str | None, temperature: float) -> None:
    if not isinstance(steps, int) or steps < 1:
        raise ValueError(
            f"`steps` must be an integer of at least 1. Received: {steps!r}"
        )
    if gate not in GATES:
        raise ValueError(f"`gate` must be one of {GATES}. Received: {gate!r}")
    if not temperature > 0:
        raise ValueError(
            f"`temperature` must be positive. Received: {temperature}"
        )
