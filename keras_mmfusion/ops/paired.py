"""Labels, predictions and weights as Keras hands them to losses and metrics."""

from typing import Any

from keras import ops
from keras.src.backend import get_keras_mask

from keras_mmfusion.types import Tensor


def paired(
    y_true: Any,
    y_pred: Any,
    sample_weight: Any,
    dtype: str,
    ignore_value: float | None = None,
) -> tuple[Tensor, Tensor, Tensor]:
    """Truth, prediction and weight of one shape.

    Weights are zero where the mask that Keras attached to `y_pred` is False
    or the label is `ignore_value`. What has no weight is set to zero, so that
    NaN in padding reaches nothing.

    Raises:
        ValueError: If the shapes differ by more than axes of length one at
            the end.
    """
    y = ops.cast(ops.convert_to_tensor(y_true), dtype)
    p = ops.cast(ops.convert_to_tensor(y_pred), dtype)
    y = _same_rank(y, len(p.shape))
    p = _same_rank(p, len(y.shape))
    _check_shapes(y, p)
    weight = ops.ones_like(p)
    for factor in (sample_weight, get_keras_mask(y_pred)):
        if factor is not None:
            factor = ops.cast(ops.convert_to_tensor(factor), dtype)
            weight = weight * _same_rank(factor, len(p.shape))
    if ignore_value is not None:
        weight = ops.where(y == ignore_value, 0.0, weight)
    counted = weight > 0
    return ops.where(counted, y, 0.0), ops.where(counted, p, 0.0), weight


def _same_rank(x: Tensor, rank: int) -> Tensor:
    """Adds or removes trailing axes of length one until `x` has the rank."""
    while len(x.shape) < rank:
        x = ops.expand_dims(x, axis=-1)
    while len(x.shape) > rank and x.shape[-1] == 1:
        x = ops.squeeze(x, axis=-1)
    return x


def _check_shapes(y: Tensor, p: Tensor) -> None:
    agree = len(y.shape) == len(p.shape) and all(
        a == b or a is None or b is None
        for a, b in zip(y.shape, p.shape, strict=True)
    )
    if not agree:
        raise ValueError(
            "Expected `y_true` and `y_pred` of the same shape, but for a last "
            f"axis of length one. Received: {tuple(y.shape)} and "
            f"{tuple(p.shape)}."
        )
