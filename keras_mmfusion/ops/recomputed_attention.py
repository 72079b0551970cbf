"""Attention that never holds more than a few maps, in training too.

A map has as many elements as two lengths have as a product: for 32 clips of
500 frames, 925 steps to attend to and 8 heads all maps take 0.5 GB, and
automatic differentiation keeps several such tensors per layer. Here the
gradient makes each map again from its queries and keys, a few maps at a time.
"""

from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from keras_mmfusion.ops.attention import MASKED_SCORE
from keras_mmfusion.ops.chunking import in_chunks
from keras_mmfusion.ops.device import on_cpu
from keras_mmfusion.ops.fused_attention import fused_attention
from keras_mmfusion.ops.gelu import gelu_slope
from keras_mmfusion.ops.map_dropout import kept, map_seeds
from keras_mmfusion.ops.product import gradient_matmul, matmul
from keras_mmfusion.types import Tensor

# Elements of the maps that are worked on at a time, if a map is not larger:
# more would not stay in a processor's cache, fewer would leave a GPU idle.
CHUNK = 2**17
GPU_CHUNK = 2**25


def few_maps(query: Tensor, key: Tensor) -> bool:
    """Whether all maps of a call are so small that they may well be kept.

    Then automatic differentiation costs less. `False` if TensorFlow leaves a
    length open; `True` if the others do, to export a model: their graphs have
    no loops over maps of a number that is not known.
    """
    batch, heads, _, steps = ops.shape(query)
    size = batch * heads * steps * ops.shape(key)[3]
    # PyTorch calls every operation by itself, and to make maps again is many.
    backend = keras.backend.backend()
    if not isinstance(size, int):
        return backend != "tensorflow"
    return size <= (8 * CHUNK if backend == "torch" else CHUNK)


def recomputed_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    key_mask: Tensor | None = None,
    rate: float = 0.0,
    seed: Any = None,
    predicted: tuple[Tensor, Tensor] | None = None,
    mix: float = 0.0,
    mixing: str = "paper",
) -> Tensor:
    """dropout(A) V for K heads, of which no map A is kept.

        S = Qᵀ K;   P = GeLU(Q'ᵀ K')
        A = softmax(S)                                    predicted=None
        A = softmax(mix P + (1 - mix) softmax(S))         mixing="paper"
        A = softmax(mix P + (1 - mix) S)                  mixing="logits"

    Softmax is in float32, over valid keys. Has a first derivative only. On a
    GPU under PyTorch `fused_attention` does it where no map is predicted; its
    dropout does not come from `seed`.

    Args:
        query: Q, scaled, (B, K, d_k, T): steps last, for products of long
            and narrow matrices are several times faster in this order.
        key: K, (B, K, d_k, S).
        value: V, (B, K, d_v, S).
        key_mask: (B, S); `None` for all valid.
        rate: Of dropout.
        seed: A `SeedGenerator`, if there is dropout.
        predicted: Q' and K', (B, K, e, T) and (B, K, e, S).
        mix: Share of the predicted map.
        mixing: Where the predicted map comes in.

    Returns:
        (B, K, d_v, T).
    """
    cpu = on_cpu(query)
    if predicted is None and keras.backend.backend() == "torch" and not cpu:
        return fused_attention(query, key, value, key_mask, rate)
    batch, heads = ops.shape(query)[0], query.shape[1]
    steps, keys = ops.shape(query)[3], ops.shape(key)[3]
    maps = batch * heads
    chunk = CHUNK if cpu else GPU_CHUNK
    # Rounded up: also where lengths are tensors, it is one map at least.
    size = (chunk + steps * keys - 1) // (steps * keys)
    rule = _Rule(rate, mix, mixing)
    fixed = {}
    if key_mask is not None:
        bias = ops.where(ops.cast(key_mask, "bool"), 0.0, MASKED_SCORE)
        fixed["bias"] = ops.repeat(bias, heads, axis=0)[:, None]
    if rate > 0:
        fixed["seed"] = map_seeds(seed.next(), maps)

    @ops.custom_gradient
    def outputs(*factors: Tensor) -> Any:
        names = ("query", "key", "value", "predicted_query", "predicted_key")
        # What is made last comes last, here and in the gradient (`map_rows`).
        arrays = {**fixed, **dict(zip(names, factors, strict=False))}
        y = in_chunks(rule.outputs, arrays, size)
        # Under PyTorch a graph that holds its own output is never freed.
        found = ops.stop_gradient(y)

        def gradient(*given: Tensor, upstream: Any = None) -> Any:
            # PyTorch gives the arguments too, and the gradient by name.
            dy = given[0] if upstream is None else upstream
            return in_chunks(
                rule.gradients, {**arrays, "y": found, "dy": dy}, size
            )

        return y, gradient

    def flat(x: Tensor) -> Tensor:
        return ops.reshape(x, (maps, *ops.shape(x)[2:]))

    y = outputs(*[flat(x) for x in (query, key, value, *(predicted or ()))])
    return ops.reshape(y, (batch, heads, *ops.shape(y)[1:]))


class _Rule:
    """The equations for some maps (one per row) and their gradients."""

    def __init__(self, rate: float, mix: float, mixing: str) -> None:
        self.rate = rate
        self.mix = mix
        self.nested = mixing == "paper"

    def outputs(self, value: Tensor, **arrays: Tensor) -> Tensor:
        shares = self._shares(matmul, **arrays)["shares"]
        if "seed" in arrays:
            shares = shares * self._kept(shares, arrays["seed"])
        y = matmul(value, _turned(ops.cast(shares, value.dtype)))
        return y * (1 / (1 - self.rate))

    def _kept(self, shares: Tensor, seed: Tensor) -> Tensor:
        _, steps, keys = ops.shape(shares)
        return ops.cast(kept(seed, steps, keys, self.rate), shares.dtype)

    def _shares(
        self,
        product: Callable[[Tensor, Tensor], Tensor],
        query: Tensor,
        key: Tensor,
        predicted_query: Tensor | None = None,
        predicted_key: Tensor | None = None,
        bias: Tensor | None = None,
        **_: Tensor,
    ) -> dict[str, Tensor]:
        """A, as `shares`, and what it was made of."""

        def softmax(scores: Tensor) -> Tensor:
            return ops.softmax(scores if bias is None else scores + bias)

        scores = _scores(product, query, key)
        if predicted_query is None:
            return {"shares": softmax(scores)}
        convolved = _scores(product, predicted_query, predicted_key)
        current = softmax(scores) if self.nested else scores
        predicted = ops.gelu(convolved, approximate=False)
        mixed = self.mix * predicted + (1 - self.mix) * current
        return {
            "shares": softmax(mixed),
            "current": current,
            "convolved": convolved,
        }

    def gradients(
        self, value: Tensor, y: Tensor, dy: Tensor, **arrays: Tensor
    ) -> tuple[Tensor, ...]:
        """Of query, key, value and, where there are, the predicted ones."""
        made = self._shares(gradient_matmul, **arrays)
        shares = used = made["shares"]
        # Over the keys, Σ dA A is Σ dY Y over the channels.
        total = ops.sum(ops.cast(dy * y, shares.dtype), axis=1)[:, :, None]
        dy = dy * (1 / (1 - self.rate))
        dshares = _scores(gradient_matmul, dy, value)
        if "seed" in arrays:
            mask = self._kept(shares, arrays["seed"])
            used, dshares = shares * mask, dshares * mask
        dvalue = gradient_matmul(dy, ops.cast(used, value.dtype))
        dmixed = shares * (dshares - total)
        more: tuple[Tensor, ...] = ()
        if "convolved" in made:
            more = _factor_gradients(
                self.mix * dmixed * gelu_slope(made["convolved"]),
                arrays["predicted_query"],
                arrays["predicted_key"],
            )
            dmixed = (1 - self.mix) * dmixed
            if self.nested:
                s = made["current"]
                total = ops.sum(s * dmixed, axis=-1, keepdims=True)
                dmixed = s * (dmixed - total)
        return (
            *_factor_gradients(dmixed, arrays["query"], arrays["key"]),
            dvalue,
            *more,
        )


def _turned(x: Tensor) -> Tensor:
    return ops.transpose(x, (0, 2, 1))


def _scores(
    product: Callable[[Tensor, Tensor], Tensor], query: Tensor, key: Tensor
) -> Tensor:
    """Qᵀ K of every map, float32."""
    return ops.cast(product(_turned(query), key), "float32")


def _factor_gradients(
    gradient: Tensor, query: Tensor, key: Tensor
) -> tuple[Tensor, Tensor]:
    """Of both factors of Qᵀ K, from that of the product."""
    gradient = ops.cast(gradient, query.dtype)
    return (
        gradient_matmul(key, _turned(gradient)),
        gradient_matmul(query, gradient),
    )
