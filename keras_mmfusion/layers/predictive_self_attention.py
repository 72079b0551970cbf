"""Self-attention whose map is partly predicted from the layer before."""

from typing import Any

import keras
from keras import ops

from keras_mmfusion.layers.dense import Dense
from keras_mmfusion.layers.feed_forward import (
    FeedForward,
    gelu,
    layer_norm,
    projected,
)
from keras_mmfusion.layers.uniform_dropout import UniformDropout
from keras_mmfusion.ops.attention import (
    join_heads,
    masked_softmax,
    products,
    split_heads,
    valid_map,
    weighted_sums,
)
from keras_mmfusion.ops.map_convolution import convolved_products
from keras_mmfusion.ops.masking import mask_steps
from keras_mmfusion.ops.recomputed_attention import (
    few_maps,
    recomputed_attention,
)
from keras_mmfusion.rates import dropout_rate
from keras_mmfusion.registry import register
from keras_mmfusion.seeds import part_seed
from keras_mmfusion.types import Shape, Tensor

MIXINGS = ("paper", "logits")
CHAINS = ("logits", "mixed")


@register()
class PredictiveSelfAttention(keras.layers.Layer):
    """Multi-head self-attention with predicted attention maps.

    With x = LN(z), K heads of width d_k, S = Q Kᵀ / sqrt(d_k) and L the same
    of the layer before,

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
        chain: What L is: "logits", S of the layer before, or "mixed", what
            its outer softmax was taken of. Only "mixed" keeps maps in memory:
            S is handed on as Q and K, the convolution of their product is a
            product again, and many maps are not kept but made a few at a
            time, and anew for the gradient.
        dropout: Rate of dropout on the map A.
        residual_dropout: Rate of dropout on A V W_o and on F.
        seed: Integer seed of the dropouts, or `None`.

    Call arguments:
        inputs: z, float tensor of shape (B, T, d).
        previous: The second output of the layer before, or `None`. The
            convolution exists if the layer is built with it.
        mask: Boolean tensor of shape (B, T), true up to the length of the
            sample; `None` for all valid.
        training: Whether to drop.
        return_attention: Also return what A was made of.

    Returns:
        A pair of float tensors, zero at padded steps: y, (B, T, d), and what
        the next layer makes L of: the scaled Q and K, (B, T, 2 d), or with
        chain="mixed" L itself, (B, K, T, T). With `return_attention` also a
        dict of maps (B, K, T, T), float32, axis 2 the queries: "used", A;
        "current", softmax(S); and "predicted", P, if there is a layer before.

    Raises:
        ValueError: If an argument is out of range, K does not divide d,
            `previous` is from another kind of layer, or is passed to a layer
            that was built without.

    Example:

    ```python
    import numpy as np
    import keras_mmfusion as mmf

    x = np.random.normal(size=(2, 6, 8)).astype("float32")
    y, handed_on = mmf.layers.PredictiveSelfAttention(num_heads=2)(x)
    layer = mmf.layers.PredictiveSelfAttention(num_heads=2, mix=0.25)
    y, handed_on = layer(y, previous=handed_on)
    print(y.shape, handed_on.shape)  # (2, 6, 8) (2, 6, 16)
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
        self.rate = dropout_rate("dropout", dropout)
        self.residual_dropout = dropout_rate(
            "residual_dropout", residual_dropout
        )
        self.seed = seed
        self.supports_masking = True
        policy = self.dtype_policy
        self.norm = layer_norm("norm", policy)
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
        self, inputs_shape: Shape, previous_shape: Shape | None = None
    ) -> None:
        width = int(inputs_shape[-1] or 0)
        check_heads(width, self.num_heads)
        self.norm.build(inputs_shape)
        for name in ("query", "key", "value", "context"):
            layer = Dense(width, name=name, dtype=self.dtype_policy)
            layer.build(inputs_shape)
            setattr(self, name, layer)
        self.predict: Any = None
        if previous_shape is not None:
            self._check_previous(previous_shape, width)
            self.predict = keras.layers.Conv2D(
                self.num_heads,
                3,
                padding="same",
                data_format="channels_last",
                name="predict",
                dtype=self.dtype_policy,
            )
            self.predict.build((None, None, None, self.num_heads))
        self.feed.build(inputs_shape)
        self.built = True

    def _check_previous(self, shape: Shape, width: int) -> None:
        mixed = self.chain == "mixed"
        rank, axis = (4, 1) if mixed else (3, 2)
        size = self.num_heads if mixed else 2 * width
        if len(shape) != rank or shape[axis] != size:
            raise ValueError(
                "`previous` is the second output of a layer with the same "
                f"`num_heads`, width and chain='{self.chain}'. Received: "
                f"num_heads={self.num_heads}, width {width}, and `previous` "
                f"of shape {tuple(shape)}"
            )

    def call(
        self,
        inputs: Tensor,
        previous: Tensor | None = None,
        mask: Tensor | None = None,
        training: bool | None = None,
        return_attention: bool = False,
    ) -> Any:
        if previous is not None and self.predict is None:
            raise ValueError(
                f"Layer '{self.name}' was built as a first layer, without "
                "`previous`, and has no convolution for it. Make a layer of "
                "its own for every position in the stack."
            )
        x, query, key, value = projected(
            self.norm, (self.query, self.key, self.value), inputs
        )
        query = query * (query.shape[-1] // self.num_heads) ** -0.5
        handed_on = mask_steps(ops.concatenate([query, key], axis=-1), mask)
        parts = [split_heads(y, self.num_heads) for y in (query, key, value)]
        seen: dict[str, Tensor] = {}
        keep = return_attention or self.chain == "mixed" or few_maps(*parts[:2])
        if not keep:
            context = self._recomputed(parts, previous, mask, training)
        else:
            context, maps, seen = self._attended(
                parts, previous, mask, training
            )
            handed_on = maps if self.chain == "mixed" else handed_on
        context = self.context(join_heads(context))
        residual = x + self.context_dropout(context, training=training)
        output = mask_steps(self.feed(residual, training=training), mask)
        if not return_attention:
            return output, handed_on
        seen = {k: valid_map(v, mask, mask) for k, v in seen.items()}
        return output, handed_on, seen

    def _recomputed(
        self,
        parts: list[Tensor],
        previous: Tensor | None,
        mask: Tensor | None,
        training: bool | None,
    ) -> Tensor:
        """A V where keeping maps would need much memory."""
        query, key, value = parts
        rate = self.rate if training else 0.0
        return recomputed_attention(
            query,
            key,
            value,
            mask,
            rate,
            self.dropout.seed_generator if rate else None,
            None if previous is None else self._factors(previous),
            self.mix,
            self.mixing,
        )

    def _attended(
        self,
        parts: list[Tensor],
        previous: Tensor | None,
        mask: Tensor | None,
        training: bool | None,
    ) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
        """A V, what the outer softmax is taken of, and the maps to show."""
        query, key, value = parts
        scores = ops.cast(products(query, key), "float32")
        seen = {"current": masked_softmax(scores, mask)}
        mixed, seen["used"] = scores, seen["current"]
        if previous is not None:
            seen["predicted"] = self._predicted(previous)
            current = seen["current"] if self.mixing == "paper" else scores
            mixed = self.mix * seen["predicted"] + (1.0 - self.mix) * current
            seen["used"] = masked_softmax(mixed, mask)
        kept = ops.cast(seen["used"], value.dtype)
        kept = self.dropout(kept, training=training)
        maps = valid_map(ops.cast(mixed, value.dtype), mask, mask)
        return weighted_sums(kept, value), maps, seen

    def _predicted(self, previous: Tensor) -> Tensor:
        """P, float32, from what the layer before handed on."""
        if self.chain == "logits":
            image = products(*self._factors(previous))
        else:
            image = self.predict(ops.transpose(previous, (0, 2, 3, 1)))
            image = ops.transpose(image, (0, 3, 1, 2))
        return gelu(ops.cast(image, "float32"))

    def _factors(self, previous: Tensor) -> tuple[Tensor, Tensor]:
        """Two tensors whose product is the convolution of the maps L."""
        query, key = (
            split_heads(x, self.num_heads)
            for x in ops.split(previous, 2, axis=-1)
        )
        kernel, bias = self.predict.kernel, self.predict.bias
        return convolved_products(
            query,
            key,
            ops.cast(kernel, query.dtype),
            ops.cast(bias, query.dtype),
        )

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
        batch, steps, width = inputs.shape
        shape = (batch, self.num_heads, steps, steps)
        y = keras.KerasTensor(inputs.shape, dtype=self.compute_dtype)
        handed_on = keras.KerasTensor(
            shape if self.chain == "mixed" else (batch, steps, 2 * width),
            dtype=self.compute_dtype,
        )
        if not return_attention:
            return y, handed_on
        names = ["used", "current"] + ["predicted"] * (previous is not None)
        seen = {n: keras.KerasTensor(shape, dtype="float32") for n in names}
        return y, handed_on, seen

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
