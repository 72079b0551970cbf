"""The 3 x 3 convolution of maps that are products, without the maps.

The map of head h is L_h(i, j) = Σ_c q_hc(i) k_hc(j). Convolved, with K heads
as channels, it is a product again:

    C_o(i, j) = b_o + Σ_yx Σ_h W_yxho L_h(i + y, j + x)
              = b_o + Σ_xhc [Σ_y W_yxho q_hc(i + y)] k_hc(j + x)

with as many terms as three times the channels of all heads.
"""

from keras import ops

from keras_mmfusion.ops.product import einsum
from keras_mmfusion.types import Tensor


def convolved_products(
    query: Tensor, key: Tensor, kernel: Tensor, bias: Tensor
) -> tuple[Tensor, Tensor]:
    """Q' and K' with C = Q'ᵀ K', for the maps Qᵀ K of all heads.

    Args:
        query: (B, K, d_k, T), zero at padded steps.
        key: (B, K, d_k, S), zero at padded steps.
        kernel: W, (3, 3, K, K).
        bias: b, (K,).

    Returns:
        Float tensors (B, K, 3 K d_k + 1, T) and (B, K, 3 K d_k + 1, S).
    """
    heads = query.shape[1]
    batch = ops.shape(query)[0]
    steps, keys = ops.shape(query)[3], ops.shape(key)[3]
    predicted_query = einsum("ybhct,yxho->boxhct", _neighbours(query), kernel)
    predicted_query = ops.reshape(predicted_query, (batch, heads, -1, steps))
    predicted_key = ops.moveaxis(_neighbours(key), 0, 1)
    predicted_key = ops.reshape(predicted_key, (batch, 1, -1, keys))
    # The bias is one more term.
    b = ops.ones((batch, heads, 1, steps), query.dtype) * bias[:, None, None]
    one = ops.ones((batch, 1, 1, keys), key.dtype)
    predicted_query = ops.concatenate([predicted_query, b], axis=2)
    predicted_key = ops.concatenate([predicted_key, one], axis=2)
    return predicted_query, ops.tile(predicted_key, (1, heads, 1, 1))


def _neighbours(x: Tensor) -> Tensor:
    """(3, B, K, d_k, T): the step before, the step itself, the one after."""
    steps = ops.shape(x)[3]
    padded = ops.pad(x, [[0, 0], [0, 0], [0, 0], [1, 1]])
    return ops.stack([padded[..., i : i + steps] for i in range(3)])
