"""One vector from the vectors of several modalities, by graph attention."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from keras_mmfusion.layers.feed_forward import gelu
from keras_mmfusion.layers.modality_dict import (
    as_list,
    modality_order,
    modality_shapes,
)
from keras_mmfusion.ops.attention import softmax_over_present
from keras_mmfusion.registry import register
from keras_mmfusion.types import Modalities, Tensor


@register()
class DecoupledGraphFusion(keras.layers.Layer):
    """Fuses modalities as the nodes of a directed, attended graph.

        δ_ij = Q [W h_i ; W h_j] + b;   ξ_ij = softmax over j of GeLU(δ_ij)
        y = Σ_i sigmoid(Σ_j ξ_ij W h_j)

    j runs over the other modalities, with `self_loops` over i as well. A
    missing modality sends nothing and still receives; a node to which nothing
    is sent counts as sigmoid(0).

    Args:
        units: Width of W h.
        self_loops: Whether a node is its own neighbour; `None` for two
            modalities alone, where ξ would be 1 without it.
        modalities: Order of the nodes when the inputs are a dict; sorted by
            name if `None`.

    Call arguments:
        inputs: Dict or list of two or more float tensors (B, d), one width.
        mask: Optional dict or list of boolean tensors (B,), false where the
            modality is missing.
        return_attention: Also return ξ.

    Returns:
        Float tensor (B, units) in (0, M). With `return_attention`, a pair of
        it and ξ, float32 (B, M, M), receiver before sender.

    Raises:
        ValueError: If `units` is less than 1 or the widths differ.

    Example:

    ```python
    import numpy as np
    import keras_mmfusion as mmf

    h = {"text": np.ones((2, 8)), "audio": np.zeros((2, 8))}
    print(mmf.layers.DecoupledGraphFusion(units=4)(h).shape)  # (2, 4)
    ```

    Reference:
        Yang et al., arXiv 2407.04955, Eq. 17-19.
    """

    def __init__(
        self,
        units: int = 64,
        self_loops: bool | None = None,
        modalities: Sequence[str] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if units < 1:
            raise ValueError(
                f"`units` must be at least 1. Received: units={units}"
            )
        self.units = units
        self.self_loops = self_loops
        self.modalities = None if modalities is None else list(modalities)
        self.supports_masking = True
        policy = self.dtype_policy
        self.node = keras.layers.Dense(
            units, use_bias=False, name="node", dtype=policy
        )
        self.edge = keras.layers.Dense(1, gelu, name="edge", dtype=policy)

    def build(self, input_shape: Any) -> None:
        self.order = modality_order(input_shape, self.modalities, self.name)
        shapes = modality_shapes(input_shape, self.order)
        if len({len(s) for s in shapes} | {2}) > 1 or (
            len({s[-1] for s in shapes}) > 1
        ):
            raise ValueError(
                "All modalities must be vectors (batch, width) of the same "
                "width. Received: "
                f"{dict(zip(self.order, shapes, strict=True))}"
            )
        count = len(self.order)
        self.node.build((None, count, shapes[0][-1]))
        self.edge.build((None, count, count, 2 * self.units))
        self.built = True

    def call(
        self,
        inputs: Modalities,
        mask: Any = None,
        return_attention: bool = False,
    ) -> Any:
        messages = self.node(ops.stack(as_list(inputs, self.order), axis=1))
        count = len(self.order)
        receiver = ops.tile(messages[:, :, None], (1, 1, count, 1))
        sender = ops.tile(messages[:, None], (1, count, 1, 1))
        scores = self.edge(ops.concatenate([receiver, sender], axis=-1))
        xi = softmax_over_present(
            scores[..., 0], self._edges(messages, as_list(mask, self.order))
        )
        received = ops.matmul(ops.cast(xi, messages.dtype), messages)
        fused = ops.sum(ops.sigmoid(received), axis=1)
        return (fused, xi) if return_attention else fused

    def _edges(self, messages: Tensor, masks: list[Tensor | None]) -> Tensor:
        """Which edges there are, boolean (B, M, M) or (1, M, M)."""
        count = len(self.order)
        loops = count == 2 if self.self_loops is None else self.self_loops
        node = ops.arange(count)
        edges = ops.logical_or(node[:, None] != node, loops)[None]
        if all(mask is None for mask in masks):
            return edges
        every = ops.ones_like(messages[:, 0, 0], dtype="bool")
        present = [
            every if mask is None else ops.cast(mask, "bool") for mask in masks
        ]
        return ops.logical_and(edges, ops.stack(present, axis=1)[:, None])

    def compute_mask(self, inputs: Modalities, mask: Any = None) -> Any:
        return None

    def compute_output_spec(
        self,
        inputs: Modalities,
        mask: Any = None,
        return_attention: bool = False,
    ) -> Any:
        batch, count = as_list(inputs, self.order)[0].shape[0], len(self.order)
        fused = keras.KerasTensor((batch, self.units), dtype=self.compute_dtype)
        if not return_attention:
            return fused
        return fused, keras.KerasTensor((batch, count, count), dtype="float32")

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "units": self.units,
            "self_loops": self.self_loops,
            "modalities": self.modalities,
        }
