"""A sequence that attends to another one."""

from typing import Any

import keras
from keras import ops

from keras_mmfusion.layers.dense import Dense
from keras_mmfusion.layers.feed_forward import (
    FeedForward,
    layer_norm,
    projected,
)
from keras_mmfusion.layers.modality_dict import check_batch_sizes
from keras_mmfusion.layers.predictive_self_attention import check_heads
from keras_mmfusion.layers.uniform_dropout import UniformDropout
from keras_mmfusion.ops.attention import (
    join_heads,
    masked_softmax,
    products,
    split_heads,
    valid_map,
    weighted_sums,
)
from keras_mmfusion.ops.masking import mask_steps
from keras_mmfusion.ops.recomputed_attention import (
    few_maps,
    recomputed_attention,
)
from keras_mmfusion.rates import dropout_rate
from keras_mmfusion.registry import register
from keras_mmfusion.seeds import part_seed
from keras_mmfusion.types import Shape, Tensor


@register()
class ModalityReinforcement(keras.layers.Layer):
    """Reinforces a target sequence by what a source sequence holds.

        R = LN(t) + softmax(Q Kᵀ / sqrt(d_k)) V W_o;   y = R + F(LN(R))

    with queries Q from LN(t), keys K and values V from LN'(s), and F two
    dense layers, 4 d wide in between, with GeLU. Source and target may have
    different lengths. Without a valid source step, y = LN(t). Many maps are
    not kept: they are made a few at a time, and anew for the gradient.

    Args:
        num_heads: Number of heads; must divide d.
        dropout: Rate of dropout on the attention map.
        residual_dropout: Rate of dropout on what W_o gives and on F.
        seed: Integer seed of the dropouts, or `None`.

    Call arguments:
        target: t, float tensor of shape (B, T, d).
        source: s, float tensor of shape (B, S, d); the target if `None`.
        target_mask: Boolean tensor of shape (B, T); `None` for all valid.
        source_mask: Boolean tensor of shape (B, S); `None` for all valid.
        training: Whether to drop.
        return_attention: Also return the attention map.

    Returns:
        Float tensor (B, T, d), zero at padded steps. With `return_attention`,
        a pair of it and the map, float32 (B, heads, T, S), zero at padded
        steps of either.

    Raises:
        ValueError: If `num_heads` is less than 1 or does not divide d.

    Example:

    ```python
    import numpy as np
    import keras_mmfusion as mmf

    text, audio = np.ones((2, 5, 8)), np.ones((2, 9, 8))
    layer = mmf.layers.ModalityReinforcement(num_heads=2)
    print(layer(text, source=audio).shape)  # (2, 5, 8)
    ```

    Reference:
        Yang et al., arXiv 2407.04955, Eq. 7-9.
    """

    def __init__(
        self,
        num_heads: int,
        dropout: float = 0.0,
        residual_dropout: float = 0.0,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if num_heads < 1:
            raise ValueError(
                "`num_heads` must be at least 1. Received: "
                f"num_heads={num_heads}"
            )
        self.num_heads = num_heads
        self.rate = dropout_rate("dropout", dropout)
        self.residual_dropout = dropout_rate(
            "residual_dropout", residual_dropout
        )
        self.seed = seed
        policy = self.dtype_policy
        self.target_norm = layer_norm("target_norm", policy)
        self.source_norm = layer_norm("source_norm", policy)
        self.dropout = keras.layers.Dropout(
            dropout, seed=seed, name="dropout", dtype=policy
        )
        self.context_dropout = UniformDropout(
            residual_dropout,
            seed=part_seed(seed, "context_dropout"),
            name="context_dropout",
            dtype=policy,
        )
        self.feed = FeedForward(
            residual_dropout,
            seed=part_seed(seed, "feed"),
            name="feed",
            dtype=policy,
        )

    def build(
        self, target_shape: Shape, source_shape: Shape | None = None
    ) -> None:
        width = int(target_shape[-1] or 0)
        check_heads(width, self.num_heads)
        source_shape = source_shape or target_shape
        if source_shape[-1] != width:
            raise ValueError(
                "Target and source must have the same number of channels. "
                f"Received: {tuple(target_shape)} and {tuple(source_shape)}"
            )
        self.target_norm.build(target_shape)
        self.source_norm.build(source_shape)
        for name in ("query", "key", "value", "context"):
            layer = Dense(width, name=name, dtype=self.dtype_policy)
            layer.build(target_shape)
            setattr(self, name, layer)
        self.feed.build(target_shape)
        self.built = True

    def call(
        self,
        target: Tensor,
        source: Tensor | None = None,
        target_mask: Tensor | None = None,
        source_mask: Tensor | None = None,
        training: bool | None = None,
        return_attention: bool = False,
    ) -> Any:
        if source is None:
            source, source_mask = target, target_mask
        check_batch_sizes({"target": target, "source": source})
        x, query = projected(self.target_norm, (self.query,), target)
        _, key, value = projected(
            self.source_norm, (self.key, self.value), source
        )
        query = query * (query.shape[-1] // self.num_heads) ** -0.5
        query, key, value = (
            split_heads(y, self.num_heads) for y in (query, key, value)
        )
        attention = None
        keep = return_attention or few_maps(query, key)
        if not keep:
            rate = self.rate if training else 0
            seed = self.dropout.seed_generator if rate else None
            context = recomputed_attention(
                query, key, value, source_mask, rate, seed
            )
        else:
            attention = masked_softmax(products(query, key), source_mask)
            kept = ops.cast(attention, x.dtype)
            kept = self.dropout(kept, training=training)
            context = weighted_sums(kept, value)
        context = self.context(join_heads(context))
        residual = x + self.context_dropout(context, training=training)
        y = self.feed(residual, training=training)
        if source_mask is not None:
            has_source = ops.any(source_mask, axis=1)[:, None, None]
            y = ops.where(has_source, y, x)
        y = mask_steps(y, target_mask)
        if not return_attention:
            return y
        return y, valid_map(attention, target_mask, source_mask)

    def compute_mask(self, *args: Any, **kwargs: Any) -> Any:
        return None

    def compute_output_spec(
        self,
        target: Tensor,
        source: Tensor | None = None,
        target_mask: Tensor | None = None,
        source_mask: Tensor | None = None,
        training: bool | None = None,
        return_attention: bool = False,
    ) -> Any:
        y = keras.KerasTensor(target.shape, dtype=self.compute_dtype)
        if not return_attention:
            return y
        batch, steps, _ = target.shape
        keys = steps if source is None else source.shape[1]
        shape = (batch, self.num_heads, steps, keys)
        return y, keras.KerasTensor(shape, dtype="float32")

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "num_heads": self.num_heads,
            "dropout": self.rate,
            "residual_dropout": self.residual_dropout,
            "seed": self.seed,
        }
