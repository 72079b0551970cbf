"""Length masks of right-padded sequences, and what follows from them.

A mask has shape (B, T) for a sequence and (B,) for a vector. It is True where
the sample has data.
"""

from collections.abc import Sequence

from keras import ops

from keras_mmfusion.types import Tensor


def valid_steps(x: Tensor) -> Tensor:
    """Mask of the steps up to the last one that is not all zero.

    Holes inside a sequence stay valid; a vector is valid unless it is all
    zero. An all-zero sample has no valid step: its modality is missing.

    Args:
        x: Tensor of shape (B, T, ...) or (B, C).

    Returns:
        Boolean tensor of shape (B, T), or (B,) for a vector.

    Example:

    ```python
    import numpy as np
    from keras_mmfusion.ops.masking import valid_steps

    x = np.array([[[1.0], [0.0], [2.0], [0.0]]], "float32")
    print(np.array(valid_steps(x)))  # [[ True  True  True False]]
    ```
    """
    rank = len(x.shape)
    # PyTorch's `any` takes five times as long as this. A value that is not a
    # number is not zero.
    axes = tuple(range(min(rank - 1, 2), rank))
    nonzero = ops.max(ops.abs(x), axis=axes) != 0
    if rank == 2:
        return nonzero
    count = ops.cumsum(ops.ones_like(nonzero, "int32"), axis=1)
    last = ops.max(ops.where(nonzero, count, 0), axis=1, keepdims=True)
    return count <= last


def last_valid_step(mask: Tensor) -> Tensor:
    """One-hot position of the last valid step of (B, T); zero if none is."""
    mask = ops.cast(mask, "bool")
    # Longer before it is shorter: an exporter would take T - 1 for a constant.
    longer = ops.concatenate([mask, ops.zeros_like(mask[:, :1])], axis=1)
    return mask & ~longer[:, 1:]


def segment_membership(mask: Tensor, segments: int) -> Tensor:
    """One-hot segment of every valid step; all zero for padding.

    Step t of a sample of length n (last valid step + 1) belongs to segment
    min(t // max(n // segments, 1), segments - 1).

    Args:
        mask: Boolean tensor of shape (B, T), True up to the sample's length.
        segments: Number of segments S.

    Returns:
        Boolean tensor of shape (B, T, S).
    """
    valid = ops.cast(mask, "int32")
    count = ops.cumsum(ops.ones_like(valid), axis=1)
    length = ops.max(count * valid, axis=1, keepdims=True)
    width = ops.maximum(length // segments, 1)
    segment = ops.minimum((count - 1) // width, segments - 1)
    return (segment[..., None] == ops.arange(segments)) & mask[..., None]


def mask_steps(x: Tensor, mask: Tensor | None) -> Tensor:
    """x (B, T, ...), zero where the mask (B, T) is not set."""
    if mask is None:
        return x
    mask = ops.cast(mask, x.dtype)
    for _ in range(len(x.shape) - len(mask.shape)):
        mask = ops.expand_dims(mask, axis=-1)
    return x * mask


def strided_mask(mask: Tensor | None, stride: int) -> Tensor | None:
    """Mask (B, ceil(T / stride)) of every `stride`-th step, from the first."""
    return mask if mask is None or stride == 1 else mask[:, ::stride]


def any_mask(masks: Sequence[Tensor | None]) -> Tensor | None:
    """Steps at which any modality is valid; `None` for all."""
    result = None
    for mask in masks:
        if mask is None:
            return None
        mask = ops.cast(mask, "bool")
        result = mask if result is None else ops.logical_or(result, mask)
    return result
