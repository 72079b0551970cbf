"""Pearson and concordance correlation as Keras metrics over whole epochs."""

from typing import Any

import keras
from keras import ops

from keras_mmfusion.metrics.keras_inputs import paired_rows
from keras_mmfusion.types import Tensor

# Below this share of the second moment a float32 variance is rounding noise.
_NOISE = 1e-6


class _StreamingMoments(keras.metrics.Metric):
    """Sums of y, p, y^2, p^2, y p over all batches, for each output.

    Sums are taken about the first batch's means, so a large common offset
    cancels before squares are formed, and the rounding error of each addition
    is carried along in a second variable. Measured in float32 on a million
    frames against float64 NumPy: at most 2e-6 with batches of 100 to 1,000,000
    and common offsets up to a million standard deviations; 4e-6 with a million
    batches of one frame; 2e-5 if the first batch lies fifty standard
    deviations off, 3e-4 if it lies three hundred off.
    """

    def __init__(
        self,
        outputs: int = 1,
        column: int | None = None,
        ignore_value: float | None = None,
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        if outputs < 1:
            raise ValueError(
                f"Expected `outputs` of 1 or more. Received: {outputs}."
            )
        if column is not None and not 0 <= column < outputs:
            raise ValueError(
                f"Expected `column` from 0 to {outputs - 1} with "
                f"outputs={outputs}. Received: {column}."
            )
        super().__init__(name=name, dtype=dtype)
        self.outputs = outputs
        self.column = column
        self.ignore_value = ignore_value
        self.shift = self.add_variable((2, outputs), "zeros", name="shift")
        self.sums = self.add_variable((6, outputs), "zeros", name="sums")
        self.carry = self.add_variable((6, outputs), "zeros", name="carry")

    def update_state(
        self, y_true: Any, y_pred: Any, sample_weight: Any = None
    ) -> None:
        """Adds a batch."""
        y, p, weight = paired_rows(
            y_true,
            y_pred,
            sample_weight,
            self.dtype,
            self.outputs,
            self.ignore_value,
        )
        sums, old_shift = (
            ops.convert_to_tensor(v) for v in (self.sums, self.shift)
        )
        count = ops.sum(weight, axis=0)
        below = ops.where(count > 0, count, 1.0)
        means = [ops.sum(weight * x, axis=0) / below for x in (y, p)]
        # An output that has seen nothing yet takes its shift from this batch.
        shift = ops.where(sums[0] > 0, old_shift, ops.stack(means))
        dy, dp = y - shift[0], p - shift[1]
        terms = (ops.ones_like(dy), dy, dp, dy * dy, dp * dp, dy * dp)
        batch = ops.stack([ops.sum(weight * term, axis=0) for term in terms])
        # What float addition loses (Knuth's two-sum).
        total = sums + batch
        added = total - sums
        lost = (sums - (total - added)) + (batch - added)
        self.shift.assign(shift)
        self.carry.assign(self.carry + lost)
        self.sums.assign(total)

    def _moments(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Covariance, both variances and difference of means per output."""
        sums = self.sums + self.carry
        count = ops.where(sums[0] > 0, sums[0], 1.0)
        my, mp, yy, pp, yp = (sums[i] / count for i in range(1, 6))
        vy, vp = yy - my * my, pp - mp * mp
        vy = ops.where(vy <= _NOISE * yy, 0.0, vy)
        vp = ops.where(vp <= _NOISE * pp, 0.0, vp)
        varies = ops.logical_and(vy > 0, vp > 0)
        cov = ops.where(varies, yp - my * mp, 0.0)
        return cov, vy, vp, self.shift[0] - self.shift[1] + my - mp

    def _reduced(self, above: Tensor, below: Tensor) -> Tensor:
        """Quotient per output, zero for 0 / 0; mean, or one column.

        NaN stays NaN: a model whose predictions are must not score 0.
        """
        nothing = ops.equal(below, 0)
        values = ops.where(nothing, 0.0, above / ops.where(nothing, 1.0, below))
        return ops.mean(values) if self.column is None else values[self.column]

    def get_config(self) -> dict[str, Any]:
        """Arguments that rebuild the metric."""
        return {
            **super().get_config(),
            "outputs": self.outputs,
            "column": self.column,
            "ignore_value": self.ignore_value,
        }


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class PearsonCorrelation(_StreamingMoments):
    """Pearson correlation cov / (sy sp) over all samples of all batches.

    It equals `keras_mmfusion.metrics.pearson` on the whole epoch, not the
    mean of batch values. The state is not summable over replicas: run the
    evaluation on one replica.

    Args:
        outputs: Outputs on the last axis. With 1 every element is a sample of
            the same output, whatever the shape.
        column: Output to score alone; None takes the mean of all outputs.
        ignore_value: Label of samples to leave out; None keeps all.
        name: Name in the logs.
        dtype: Precision of the state; by default Keras's float type.

    Call arguments:
        y_true: Labels, shape (B,), (B, T) or (B, T, outputs).
        y_pred: Predictions, same shape.
        sample_weight: Optional weights or mask, shape (B,) or (B, T).

    Returns:
        A number in [-1, 1]; 0 where labels or predictions are constant, so
        that logs stay finite.

    Raises:
        ValueError: For shapes that do not pair up, or `column` out of range.

    Example:

    ```python
    from keras_mmfusion.metrics import PearsonCorrelation

    metric = PearsonCorrelation()
    metric.update_state([-1.0, 0.0], [-3.0, 0.0])
    metric.update_state([1.0], [3.0])
    print(round(float(metric.result()), 4))  # 1.0
    ```
    """

    def __init__(
        self,
        outputs: int = 1,
        column: int | None = None,
        ignore_value: float | None = None,
        name: str | None = "pearson",
        dtype: Any = None,
    ) -> None:
        super().__init__(outputs, column, ignore_value, name, dtype)

    def result(self) -> Tensor:
        """Correlation of what was seen so far."""
        cov, vy, vp, _ = self._moments()
        # One root each: the product of two small variances may underflow.
        return self._reduced(cov, ops.sqrt(vy) * ops.sqrt(vp))


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class ConcordanceCorrelation(_StreamingMoments):
    """Lin's concordance over all annotated frames of all batches.

    2 cov / (vy + vp + (my - mp)^2) with population moments. It equals
    `keras_mmfusion.metrics.concordance_annotated` on the whole epoch, not the
    mean over batches or videos. The state is not summable over replicas: run
    the evaluation on one replica.

    Args:
        outputs: Outputs on the last axis, 2 for valence and arousal. With 1
            every element is a frame of the same output, whatever the shape.
        column: Output to score alone; None takes the mean of all outputs.
        ignore_value: Label of frames that are not annotated, -5 in Aff-Wild2.
            None keeps all frames; choose it if -5 is a real label.
        name: Name in the logs.
        dtype: Precision of the state; by default Keras's float type.

    Call arguments:
        y_true: Labels, shape (B,), (B, T) or (B, T, outputs).
        y_pred: Predictions, same shape.
        sample_weight: Optional weights or mask, shape (B,) or (B, T).

    Returns:
        A number in [-1, 1]; 0 for a constant prediction, and 0 where labels
        and predictions are constant and equal.

    Raises:
        ValueError: For shapes that do not pair up, or `column` out of range.

    Example:

    ```python
    from keras_mmfusion.metrics import ConcordanceCorrelation

    metric = ConcordanceCorrelation()
    metric.update_state([[0.0, 1.0, -5.0]], [[0.5, 1.5, 9.0]])
    metric.update_state([[2.0]], [[2.5]])
    print(round(float(metric.result()), 4))  # 0.8421
    ```

    Source: Lin, "A concordance correlation coefficient to evaluate
    reproducibility", Biometrics 45 (1989).
    """

    def __init__(
        self,
        outputs: int = 1,
        column: int | None = None,
        ignore_value: float | None = -5.0,
        name: str | None = "concordance",
        dtype: Any = None,
    ) -> None:
        super().__init__(outputs, column, ignore_value, name, dtype)

    def result(self) -> Tensor:
        """Concordance of what was seen so far."""
        cov, vy, vp, bias = self._moments()
        return self._reduced(2 * cov, vy + vp + bias * bias)
