"""Multi-head attention with padding, in parts."""

from keras import ops

from keras_mmfusion.ops.product import matmul
from keras_mmfusion.types import Tensor

# Replaces the scores of padded keys: finite, so that a row without any valid
# key still gets numbers, and small enough in float32 to leave no share.
MASKED_SCORE = -1e9


def split_heads(x: Tensor, heads: int) -> Tensor:
    """(B, T, d) to (B, heads, d / heads, T); a head is a run of channels.

    Steps are last: products of a map and a narrow matrix are several times
    faster in this order.
    """
    x = ops.reshape(x, (-1, ops.shape(x)[1], heads, x.shape[-1] // heads))
    return ops.transpose(x, (0, 2, 3, 1))


def join_heads(x: Tensor) -> Tensor:
    """The inverse of `split_heads`."""
    heads, size = x.shape[1], x.shape[2]
    x = ops.transpose(x, (0, 3, 1, 2))
    return ops.reshape(x, (-1, ops.shape(x)[1], heads * size))


def products(query: Tensor, key: Tensor) -> Tensor:
    """Of all steps of two split sequences, (B, heads, T, S)."""
    return matmul(ops.transpose(query, (0, 1, 3, 2)), key)


def weighted_sums(shares: Tensor, value: Tensor) -> Tensor:
    """A V of every head, (B, heads, d / heads, T)."""
    return matmul(value, ops.transpose(shares, (0, 1, 3, 2)))


def masked_softmax(scores: Tensor, key_mask: Tensor | None) -> Tensor:
    """Softmax over the valid keys, in float32.

    Args:
        scores: (B, heads, T, S).
        key_mask: (B, S); `None` for all valid.
    """
    scores = ops.cast(scores, "float32")
    if key_mask is not None:
        valid = ops.cast(key_mask, "bool")[:, None, None, :]
        scores = ops.where(valid, scores, MASKED_SCORE)
    return ops.softmax(scores, axis=-1)


def valid_map(
    scores: Tensor, query_mask: Tensor | None, key_mask: Tensor | None
) -> Tensor:
    """(B, heads, T, S), zero in rows and columns of padded steps."""
    if query_mask is not None:
        scores = scores * ops.cast(query_mask, scores.dtype)[:, None, :, None]
    if key_mask is not None:
        scores = scores * ops.cast(key_mask, scores.dtype)[:, None, None]
    return scores


def softmax_over_present(scores: Tensor, present: Tensor) -> Tensor:
    """Softmax over the last axis of what is present, in float32.

    All 0 where nothing is present. `present` broadcasts to `scores`.
    """
    kept = ops.cast(ops.cast(present, "bool"), "float32")
    scores = ops.cast(scores, "float32")
    scores = ops.where(kept > 0, scores, MASKED_SCORE)
    return ops.softmax(scores, axis=-1) * kept
