"""Sentiment accuracy and F1 as Keras metrics."""

from typing import Any

import keras
from keras import ops

from keras_mmfusion.metrics.keras_inputs import paired_rows
from keras_mmfusion.metrics.rules import ACCURACIES, F1_SCORES, RULES
from keras_mmfusion.types import Tensor


def _check_kind(kind: str, kinds: dict[str, Any]) -> None:
    if kind not in kinds:
        raise ValueError(
            f"Expected `kind` among {', '.join(kinds)}. Received: {kind!r}."
        )


def _quotient(above: Tensor, below: Tensor) -> Tensor:
    """Quotient, zero where nothing was counted."""
    return ops.where(below > 0, above / ops.where(below > 0, below, 1.0), 0.0)


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class SentimentAccuracy(keras.metrics.Metric):
    """Accuracy of a sentiment score under one published form.

    The value over all batches of an epoch equals the function of the same
    name in `keras_mmfusion.metrics`. Counts are exact up to 16.7 million
    samples in float32.

    Args:
        kind: Name of the function: "acc2_nonneg", "acc2_pos",
            "acc2_pos_nonpos", "acc2_mag", "acc2_msaf", "acc7", "acc5",
            "acc3", "sims_acc2", "sims_acc3" or "sims_acc5".
        name: Name in the logs; by default the kind.
        dtype: Precision of the state; by default Keras's float type.

    Call arguments:
        y_true: Labels, shape (B,) or (B, 1).
        y_pred: Predictions, same shape.
        sample_weight: Optional weights, shape (B,).

    Returns:
        A fraction; 0 if no sample was counted.

    Raises:
        ValueError: For an unknown kind or shapes that do not pair up.

    Example:

    ```python
    from keras_mmfusion.metrics import SentimentAccuracy

    metric = SentimentAccuracy(kind="acc2_pos")
    metric.update_state([-1.0, 0.0, 2.0, 1.0], [-0.5, 0.1, 1.0, 0.3])
    print(float(metric.result()))  # 1.0
    ```
    """

    def __init__(
        self,
        kind: str = "acc2_nonneg",
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        _check_kind(kind, ACCURACIES)
        super().__init__(name=name or kind, dtype=dtype)
        self.kind = kind
        self.counts = self.add_variable((2,), "zeros", name="counts")

    def update_state(
        self, y_true: Any, y_pred: Any, sample_weight: Any = None
    ) -> None:
        """Adds a batch."""
        y, p, weight = paired_rows(y_true, y_pred, sample_weight, self.dtype)
        rule = RULES[ACCURACIES[self.kind]]
        truth, predicted, kept = rule.decide(ops, y, p)
        kept = ops.logical_and(kept, predicted >= 0)
        weight = weight * ops.cast(kept, self.dtype)
        right = ops.cast(ops.equal(truth, predicted), self.dtype)
        batch = ops.stack([ops.sum(weight * right), ops.sum(weight)])
        self.counts.assign(self.counts + batch)

    def result(self) -> Tensor:
        """Share of right samples among those counted."""
        return _quotient(self.counts[0], self.counts[1])

    def get_config(self) -> dict[str, Any]:
        """Arguments that rebuild the metric."""
        return {**super().get_config(), "kind": self.kind}


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class SentimentF1(keras.metrics.Metric):
    """Weighted F1 of a sentiment score under one published form.

    The value over all batches of an epoch equals the function of the same
    name in `keras_mmfusion.metrics`; it is not the mean of batch values.

    Args:
        kind: Name of the function: "f1_nonneg", "f1_pos", "f1_pos_swapped",
            "f1_pos_nonpos_swapped", "f1_mag", "f1_msaf" or "sims_f1".
        name: Name in the logs; by default the kind.
        dtype: Precision of the state; by default Keras's float type.

    Call arguments:
        y_true: Labels, shape (B,) or (B, 1).
        y_pred: Predictions, same shape.
        sample_weight: Optional weights, shape (B,).

    Returns:
        A fraction; 0 if no sample was counted.

    Raises:
        ValueError: For an unknown kind or shapes that do not pair up.

    Example:

    ```python
    from keras_mmfusion.metrics import SentimentF1

    metric = SentimentF1(kind="f1_nonneg")
    metric.update_state([-1.0, 0.0, 2.0], [-0.5, 0.1, 1.0])
    print(float(metric.result()))  # 1.0
    ```
    """

    def __init__(
        self,
        kind: str = "f1_nonneg",
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        _check_kind(kind, F1_SCORES)
        super().__init__(name=name or kind, dtype=dtype)
        self.kind = kind
        self._rule = RULES[F1_SCORES[kind][0]]
        shape = (3, self._rule.classes)
        self.counts = self.add_variable(shape, "zeros", name="counts")

    def update_state(
        self, y_true: Any, y_pred: Any, sample_weight: Any = None
    ) -> None:
        """Adds a batch."""
        y, p, weight = paired_rows(y_true, y_pred, sample_weight, self.dtype)
        truth, predicted, kept = self._rule.decide(ops, y, p)
        weight = weight * ops.cast(kept, self.dtype)
        numbers = ops.arange(self._rule.classes, dtype="int32")
        is_true = ops.cast(ops.equal(truth, numbers), self.dtype)
        is_predicted = ops.cast(ops.equal(predicted, numbers), self.dtype)
        columns = (is_true * is_predicted, is_true, is_predicted)
        batch = ops.stack([ops.sum(weight * c, axis=0) for c in columns])
        self.counts.assign(self.counts + batch)

    def result(self) -> Tensor:
        """F1 per class, averaged by class size."""
        hit, members, predicted = self.counts[0], self.counts[1], self.counts[2]
        f1 = _quotient(2 * hit, members + predicted)
        _, swapped = F1_SCORES[self.kind]
        sizes = predicted if swapped else members
        return _quotient(ops.sum(f1 * sizes), ops.sum(sizes))

    def get_config(self) -> dict[str, Any]:
        """Arguments that rebuild the metric."""
        return {**super().get_config(), "kind": self.kind}
