"""Labels, predictions and weights as a Keras metric receives them."""

from typing import Any

from keras import ops
from keras.src.backend import get_keras_mask

from keras_mmfusion.types import Tensor


def _same_rank(x: Tensor, rank: int) -> Tensor:
    """Adds or removes trailing axes of length one until `x` has the rank."""
    while len(x.shape) < rank:
        x = ops.expand_dims(x, axis=-1)
    while len(x.shape) > rank and x.shape[-1] == 1:
        x = ops.squeeze(x, axis=-1)
    return x


def _check_shapes(y: Tensor, p: Tensor, outputs: int) -> None:
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
    if outputs > 1 and p.shape[-1] not in (outputs, None):
        raise ValueError(
            f"Expected {outputs} values on the last axis of `y_pred`, because "
            f"the metric has outputs={outputs}. Received: shape "
            f"{tuple(p.shape)}."
        )


def paired_rows(
    y_true: Any,
    y_pred: Any,
    sample_weight: Any,
    dtype: str,
    outputs: int = 1,
    ignore_value: float | None = None,
) -> tuple[Tensor, Tensor, Tensor]:
    """Truth, prediction and weight as matrices (rows, outputs).

    Weights are zero where the mask that Keras attached to `y_pred` is False
    or the label is `ignore_value`. Rows without weight are set to zero, so
    that NaN in padding reaches nothing.
    """
    mask = get_keras_mask(y_pred)
    y = ops.cast(ops.convert_to_tensor(y_true), dtype)
    p = ops.cast(ops.convert_to_tensor(y_pred), dtype)
    y = _same_rank(y, len(p.shape))
    p = _same_rank(p, len(y.shape))
    _check_shapes(y, p, outputs)
    weight = ops.ones_like(p)
    for factor in (sample_weight, mask):
        if factor is not None:
            factor = ops.cast(ops.convert_to_tensor(factor), dtype)
            weight = weight * _same_rank(factor, len(p.shape))
    if ignore_value is not None:
        weight = ops.where(y == ignore_value, 0.0, weight)
    rows = (-1, outputs)
    y, p, weight = (ops.reshape(x, rows) for x in (y, p, weight))
    counted = weight > 0
    return ops.where(counted, y, 0.0), ops.where(counted, p, 0.0), weight
