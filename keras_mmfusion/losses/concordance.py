"""One minus the concordance correlation, as a loss to train with."""

from typing import Any

import keras
from keras import ops

from keras_mmfusion.ops.paired import paired
from keras_mmfusion.types import Tensor

FORMS = ("window", "batch")
ESTIMATORS = ("lin", "rja_loss", "rja_rho", "rjcma")

# Added to what is divided by, so that constant labels give finite gradients.
_EPSILON = 1e-8


@keras.saving.register_keras_serializable(package="keras_mmfusion")
class ConcordanceLoss(keras.losses.Loss):
    """1 - concordance correlation, per window or over the whole batch.

    With means my, mp, variances vy, vp and covariance cov over the frames,

        loss = 1 - 2 cov / (vy + vp + (my - mp)^2)

    for every output, then the mean over outputs and windows. A constant label
    or prediction has covariance 0, loss 1 and gradients that stay finite.

    Args:
        form: "window" takes the moments over the frames of each sample, as
            GRJCA; "batch" over all frames of the batch, as RJCA and for
            models with one output per sample.
        estimator: "lin" for population moments. For the published numbers
            "rjcma" (GRJCA), "rja_rho" or "rja_loss" (RJCA); the table in
            `keras_mmfusion.metrics.concordance` has their formulas.
        outputs: Outputs on the last axis, 2 for valence and arousal. With 1
            every element is a frame of the same output, whatever the shape.
        ignore_value: Label of frames that are not annotated, -5 in Aff-Wild2.
            None keeps all frames; choose it if -5 is a real label.
        name: Name in the logs.
        dtype: Type of the computation.

    Call arguments:
        y_true: Labels, shape (B, T) or (B, T, outputs); for "batch" also (B,)
            or (B, outputs).
        y_pred: Predictions, same shape up to a last axis of one.
        sample_weight: Optional weights or mask, shape (B,) or (B, T). Frames
            of weight zero count as not annotated.

    Returns:
        A scalar in [0, 2]. Windows with fewer than two annotated frames are
        left out; if none is left, 0.

    Raises:
        ValueError: For an unknown form or estimator, shapes that do not pair
            up, or windows of one frame.

    Example:

    ```python
    import numpy as np
    import keras_mmfusion as mmf

    loss = mmf.losses.ConcordanceLoss()
    y = np.array([[0.0, 1.0, 2.0, -5.0]])
    p = np.array([[0.5, 1.5, 2.5, 9.0]])
    print(round(float(loss(y, p)), 4))  # 0.1579
    ```

    Source: Lin, "A concordance correlation coefficient to evaluate
    reproducibility", Biometrics 45 (1989).
    """

    def __init__(
        self,
        form: str = "window",
        estimator: str = "lin",
        outputs: int = 1,
        ignore_value: float | None = -5.0,
        name: str = "concordance_loss",
        dtype: Any = None,
    ) -> None:
        super().__init__(name=name, dtype=dtype)
        for argument, value, known in (
            ("form", form, FORMS),
            ("estimator", estimator, ESTIMATORS),
        ):
            if value not in known:
                raise ValueError(
                    f"`{argument}` must be one of {known}. "
                    f"Received: {argument}={value!r}"
                )
        if outputs < 1:
            raise ValueError(
                f"`outputs` must be at least 1. Received: outputs={outputs}"
            )
        self.form = form
        self.estimator = estimator
        self.outputs = outputs
        self.ignore_value = ignore_value

    def __call__(
        self, y_true: Any, y_pred: Any, sample_weight: Any = None
    ) -> Tensor:
        # Weights of single frames must act inside the moments, so the
        # reduction of the base class, which comes after, cannot be used.
        with keras.name_scope(self.name):
            y, p, weight = self._groups(y_true, y_pred, sample_weight)
            frames = ops.sum(ops.cast(weight > 0, self.dtype), axis=1)
            value = 1 - self._concordance(y, p, weight, frames)
            counted = frames >= 2
            mean_weight = ops.sum(weight, axis=1) / ops.maximum(frames, 1)
            mean_weight = ops.where(counted, mean_weight, 0.0)
            total = ops.sum(mean_weight)
            above = ops.sum(mean_weight * ops.where(counted, value, 0.0))
            return above / ops.where(total > 0, total, 1.0)

    def call(self, y_true: Any, y_pred: Any) -> Tensor:
        """The loss without weights."""
        return self(y_true, y_pred)

    def _groups(
        self, y_true: Any, y_pred: Any, sample_weight: Any
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Truth, prediction, weight as (groups, frames, outputs)."""
        y, p, weight = paired(
            y_true, y_pred, sample_weight, self.dtype, self.ignore_value
        )
        self._check_shape(p)
        groups = ops.shape(p)[0] if self.form == "window" else 1
        shape = (groups, -1, self.outputs)
        return (
            ops.reshape(y, shape),
            ops.reshape(p, shape),
            ops.reshape(weight, shape),
        )

    def _check_shape(self, p: Tensor) -> None:
        last = 1 if len(p.shape) < 2 else p.shape[-1]
        if self.outputs > 1 and last not in (self.outputs, None):
            raise ValueError(
                f"Expected predictions with {self.outputs} outputs on the "
                f"last axis. Received: {tuple(p.shape)}"
            )
        frames = p.shape[1:] if self.outputs == 1 else p.shape[1:-1]
        if self.form == "window" and all(size == 1 for size in frames):
            raise ValueError(
                "A window needs two or more frames, (B, T) or (B, T, outputs)."
                f" Received: {tuple(p.shape)}. For one prediction per sample "
                'choose form="batch".'
            )

    def _concordance(
        self, y: Tensor, p: Tensor, weight: Tensor, frames: Tensor
    ) -> Tensor:
        """Concordance of every group and output."""
        weights = ops.sum(weight, axis=1)
        count = ops.where(weights > 0, weights, 1.0)
        my = ops.sum(weight * y, axis=1) / count
        mp = ops.sum(weight * p, axis=1) / count
        dy, dp = y - my[:, None], p - mp[:, None]
        cov = ops.sum(weight * dy * dp, axis=1) / count
        vy = ops.sum(weight * dy * dy, axis=1) / count
        vp = ops.sum(weight * dp * dp, axis=1) / count
        bessel = frames / ops.maximum(frames - 1, 1)
        spread = vy + vp if self.estimator == "lin" else bessel * (vy + vp)
        below = spread + ops.square(my - mp) + _EPSILON
        if self.estimator == "rja_rho":
            product = vy * vp
            # The root is taken of a safe number: its gradient at 0 is infinite.
            deviations = ops.where(
                product > 0, ops.sqrt(ops.where(product > 0, product, 1.0)), 0.0
            )
            rho = frames * cov / (frames * deviations + _EPSILON)
            return 2 * rho * bessel * deviations / below
        return 2 * cov / below

    def get_config(self) -> dict[str, Any]:
        return {
            "form": self.form,
            "estimator": self.estimator,
            "outputs": self.outputs,
            "ignore_value": self.ignore_value,
            "name": self.name,
        }
