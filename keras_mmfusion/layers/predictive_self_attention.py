"""Self-attention whose map is partly predicted from the layer before."""

from typing import Any

import keras
from keras import ops

from keras_mmfusion.layers.feed_forward import FeedForward, gelu, layer_norm
from keras_mmfusion.ops.attention import (
    join_heads,
    masked_softmax,
    scaled_products,
    split_heads,
    valid_map,
)
from keras_mmfusion.ops.masking import mask_steps
from keras_mmfusion.registry import register
from keras_mmfusion.types import Shape, Tensor

MIXINGS = ("paper", "logits")
CHAINS = ("logits", "mixed")


@register()
class PredictiveSelfAttention(keras.layers.Layer):
    """Multi-head self-attention with predicted attention maps.

    With x = LN(z), K heads of width d_k, S = Q Kᵀ / sqrt(d_k) and the maps L
    that the layer before handed on,

        P = GeLU(conv3x3(L))                              K to K channels
        A = softmax(μ P + (1 - μ) softmax(S))             mixing="paper"
        A = softmax(μ P + (1 - μ) S)                      mixing="logits"
        R = x + A V W_o;   y = R + F(LN(R))

    and A = softmax(S) in a first layer, which gets no maps. F is two dense
    layers, 4 d wide in between, with GeLU.

    Args:
        num_heads: K; must divide d.
        mix: μ in [0, 1], weight of the predicted map.
        mixing: "paper" as printed: over many steps the softmax of a softmax
            is almost uniform, so the predicted map decides. "logits" mixes
            before the one softmax.
        chain: What is handed on: "logits" (S), or "mixed", what the outer
            softmax is taken of.
        dropout: Rate of dropout on the map A.
        residual_dropout: Rate of dropout on A V W_o and on F.
        seed: Integer seed of the dropouts, or `None`.

    Call arguments:
        inputs: z, float tensor of shape (B, T, d).
        previous: L, the second output of the layer before, (B, K, T, T), or
            `None`. The convolution exists if the layer is built with it.
        mask: Boolean tensor of shape (B, T), true up to the length of the
            sample; `None` for all valid.
        training: Whether to drop.
        return_attention: Also return what A was made of.

    Returns:
        A pair: y, float tensor (B, T, d), zero at padded steps, and the maps
        for the next layer, (B, K, T, T) float, zero in rows and columns of
        padded steps. With `return_attention` also a dict of such maps,
        float32, axis 2 the queries: "used", A; "current", softmax(S); and
        "predicted", P, if there are maps of a layer before.

    Raises:
        ValueError: If an argument is out of range, K does not divide d, or
            maps are passed to a layer that was built without.

    Example:

    ```python
    import numpy as np
    import keras_mmfusion as mmf

    x = np.random.normal(size=(2, 6, 8)).astype("float32")
    y, maps = mmf.layers.PredictiveSelfAttention(num_heads=2)(x)
    layer = mmf.layers.PredictiveSelfAttention(num_heads=2, mix=0.25)
    y, maps = layer(y, previous=maps)
    print(y.shape, maps.shape)  # (2, 6, 8) (2, 2, 6, 6)
    ```

    Reference:
        Yang et al., arXiv 2407.04955, Eq. 2-4. Where we decide: the scale is
        1 / sqrt(d_k), not 1 / sqrt(d); biases, W_o and padding are ours.
    """

    def __init__(
        self,
        num_heads: int,
        mix: float = 0.25,
        mixing: str = "paper",
        chain: str = "logits",
        dropout: float = 0.0,
        residual_dropout: float = 0.0,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        _check_arguments(num_heads, mix, mixing, chain)
        self.num_heads = num_heads
        self.mix = mix
        self.mixing = mixing
        self.chain = chain
        self.rate = dropout
        self.residual_dropout = residual_dropout
        self.seed = seed
        self.supports_masking = True
        policy = self.dtype_policy
        self.norm = layer_norm("norm", policy)
        self.dropout = keras.layers.Dropout(
            dropout, seed=seed, name="dropout", dtype=policy
        )
        self.context_dropout = keras.layers.Dropout(
            residual_dropout, seed=seed, name="context_dropout", dtype=policy
        )
        self.feed = FeedForward(
            residual_dropout, seed=seed, name="feed", dtype=policy
        )

    def build(
        self, inputs_shape: Shape, previous_shape: Shape | None = None
    ) -> None:
        width = int(inputs_shape[-1] or 0)
        check_heads(width, self.num_heads)
        self.norm.build(inputs_shape)
        for name in ("query", "key", "value", "context"):
            layer = keras.layers.Dense(
                width, name=name, dtype=self.dtype_policy
            )
            layer.build(inputs_shape)
            setattr(self, name, layer)
        self.predict = None
        if previous_shape is not None:
            self.predict = keras.layers.Conv2D(
                self.num_heads,
                3,
                padding="same",
                data_format="channels_last",
                activation=gelu,
                name="predict",
                dtype=self.dtype_policy,
            )
            self.predict.build((None, None, None, self.num_heads))
        self.feed.build(inputs_shape)
        self.built = True

    def call(
        self,
        inputs: Tensor,
        previous: Tensor | None = None,
        mask: Tensor | None = None,
        training: bool | None = None,
        return_attention: bool = False,
    ) -> Any:
        x = self.norm(inputs)
        query, key, value = (
            split_heads(project(x), self.num_heads)
            for project in (self.query, self.key, self.value)
        )
        logits = scaled_products(query, key)
        predicted = self._predicted(previous)
        mixed = self._mixed(logits, predicted, mask)
        attention = masked_softmax(mixed, mask)
        kept = self.dropout(ops.cast(attention, x.dtype), training=training)
        context = self.context(join_heads(ops.matmul(kept, value)))
        residual = x + self.context_dropout(context, training=training)
        output = mask_steps(self.feed(residual, training=training), mask)
        maps = ops.cast(mixed if self.chain == "mixed" else logits, x.dtype)
        maps = valid_map(maps, mask, mask)
        if not return_attention:
            return output, maps
        seen = {"used": attention, "current": masked_softmax(logits, mask)}
        if predicted is not None:
            seen["predicted"] = predicted
        return (
            output,
            maps,
            {k: valid_map(v, mask, mask) for k, v in seen.items()},
        )

    def _predicted(self, previous: Tensor | None) -> Tensor | None:
        """P, from the maps of the layer before; `None` in a first layer."""
        if previous is None:
            return None
        if self.predict is None:
            raise ValueError(
                f"Layer '{self.name}' was built as a first layer, without "
                "`previous`, and has no convolution for it. Make a layer of "
                "its own for every position in the stack."
            )
        image = self.predict(ops.transpose(previous, (0, 2, 3, 1)))
        return ops.cast(ops.transpose(image, (0, 3, 1, 2)), "float32")

    def _mixed(
        self, logits: Tensor, predicted: Tensor | None, mask: Tensor | None
    ) -> Tensor:
        """What the outer softmax is taken of."""
        if predicted is None:
            return logits
        current = ops.cast(logits, "float32")
        if self.mixing == "paper":
            current = masked_softmax(logits, mask)
        return self.mix * predicted + (1.0 - self.mix) * current

    def compute_mask(
        self, inputs: Tensor, previous: Any = None, mask: Any = None
    ) -> Any:
        return None

    def compute_output_spec(
        self,
        inputs: Tensor,
        previous: Tensor | None = None,
        mask: Tensor | None = None,
        training: bool | None = None,
        return_attention: bool = False,
    ) -> Any:
        batch, steps, _ = inputs.shape
        shape = (batch, self.num_heads, steps, steps)
        y = keras.KerasTensor(inputs.shape, dtype=self.compute_dtype)
        maps = keras.KerasTensor(shape, dtype=self.compute_dtype)
        if not return_attention:
            return y, maps
        names = ["used", "current"] + ["predicted"] * (previous is not None)
        seen = {n: keras.KerasTensor(shape, dtype="float32") for n in names}
        return y, maps, seen

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "num_heads": self.num_heads,
            "mix": self.mix,
            "mixing": self.mixing,
            "chain": self.chain,
            "dropout": self.rate,
            "residual_dropout": self.residual_dropout,
            "seed": self.seed,
        }


def check_heads(width: int, num_heads: int) -> None:
    """Raises unless the heads share the channels evenly."""
    if width % num_heads:
        raise ValueError(
            "The number of heads must divide the channels. Received: "
            f"num_heads={num_heads}, {width} channels"
        )


def _check_arguments(
    num_heads: int, mix: float, mixing: str, chain: str
) -> None:
    if num_heads < 1:
        raise ValueError(
            f"`num_heads` must be at least 1. Received: num_heads={num_heads}"
        )
    if not 0 <= mix <= 1:
        raise ValueError(f"`mix` must lie in [0, 1]. Received: mix={mix}")
    for name, value, known in (
        ("mixing", mixing, MIXINGS),
        ("chain", chain, CHAINS),
    ):
        if value not in known:
            raise ValueError(
                f"`{name}` must be one of {known}. Received: {name}={value!r}"
            )
