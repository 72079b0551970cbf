"""PyTorch's fused attention; a place where code depends on the backend."""

from keras import ops

from keras_mmfusion.ops.attention import MASKED_SCORE
from keras_mmfusion.types import Tensor

# The kernels want channels and keys in multiples of these.
CHANNELS, KEYS = 8, 16


def fused_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    key_mask: Tensor | None = None,
    rate: float = 0.0,
) -> Tensor:
    """dropout(softmax(Qᵀ K)) V for K heads, in one kernel on a GPU.

    Unlike other dropout, this one draws from PyTorch's own generator, which
    `keras.utils.set_random_seed` sets.

    Args:
        query: Q, scaled, (B, K, d_k, T).
        key: K, (B, K, d_k, S).
        value: V, (B, K, d_v, S).
        key_mask: (B, S); `None` for all valid.
        rate: Of dropout.

    Returns:
        (B, K, d_v, T).
    """
    import torch
    from torch.nn import functional

    batch, _, channels, keys = value.shape
    more = -keys % KEYS

    def rows(x: torch.Tensor, more: int) -> torch.Tensor:
        x = functional.pad(x, (0, more, 0, -x.shape[2] % CHANNELS))
        return x.transpose(2, 3).contiguous()

    if key_mask is None:
        key_mask = ops.ones((batch, keys), "bool")
    valid = ops.convert_to_tensor(key_mask, "bool")
    valid = functional.pad(valid, (0, more))
    # Half precision ends before MASKED_SCORE.
    lowest = max(MASKED_SCORE, torch.finfo(query.dtype).min / 2)
    bias = torch.zeros(valid.shape, dtype=query.dtype, device=value.device)
    bias = bias.masked_fill(~valid, lowest)[:, None, None]
    y = functional.scaled_dot_product_attention(
        rows(query, 0),
        rows(key, more),
        rows(value, more),
        attn_mask=bias,
        dropout_p=rate,
        scale=1.0,
    )
    return y.transpose(2, 3)[:, :, :channels]
