"""Labels, predictions and weights as a Keras metric receives them."""

from typing import Any

from keras import ops

from keras_mmfusion.ops.paired import paired
from keras_mmfusion.types import Tensor


def paired_rows(
    y_true: Any,
    y_pred: Any,
    sample_weight: Any,
    dtype: str,
    outputs: int = 1,
    ignore_value: float | None = None,
) -> tuple[Tensor, Tensor, Tensor]:
    """Truth, prediction and weight of `paired` as matrices (rows, outputs).

    Raises:
        ValueError: If the shapes do not fit each other or the outputs.
    """
    y, p, weight = paired(y_true, y_pred, sample_weight, dtype, ignore_value)
    if outputs > 1 and p.shape[-1] not in (outputs, None):
        raise ValueError(
            f"Expected {outputs} values on the last axis of `y_pred`, because "
            f"the metric has outputs={outputs}. Received: shape "
            f"{tuple(p.shape)}."
        )
    rows = (-1, outputs)
    return ops.reshape(y, rows), ops.reshape(p, rows), ops.reshape(weight, rows)
