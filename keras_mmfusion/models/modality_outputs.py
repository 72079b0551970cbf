"""Models that give an output for every modality, of the same labels."""

from collections.abc import Mapping
from typing import Any

import keras

from keras_mmfusion import presets
from keras_mmfusion.models.fusion_model import FusionModel


class ModalityOutputs(FusionModel):
    """Base of models that may have a head for every modality.

    With `combine="none"` the outputs are a dict, and every modality learns
    the same labels, which are given once.
    """

    combine: str

    @property
    def _share_labels(self) -> bool:
        """Whether there are several outputs of the same labels."""
        return self.combine == "none"

    def compile(
        self,
        optimizer: Any = "auto",
        loss: Any = "auto",
        *,
        metrics: Any = "auto",
        **kwargs: Any,
    ) -> None:
        """As `FusionModel.compile`; for every output with `combine="none"`.

        A loss that is not a dict then holds for every modality, and training
        minimises the sum over the modalities. Metrics that are not a dict are
        reported for every modality, such as "video_accuracy", and those of a
        classifier for the sum of the logits too, as "sum_accuracy".

        Args:
            optimizer: "auto" is Adam with a learning rate of 1e-3.
            loss: "auto" as in `FusionModel`.
            metrics: "auto" as in `FusionModel`.
            **kwargs: As in `keras.Model.compile`; `loss_weights` is a dict of
                the modalities.
        """
        settings = {"optimizer": optimizer, "loss": loss, "metrics": metrics}
        if presets.postpone(lambda: self.compile(**settings, **kwargs)):
            return
        if self._share_labels:
            if metrics == "auto":
                metrics = self._default_metrics(loss)
            metrics = self._for_outputs(metrics)
            weighted = kwargs.get("weighted_metrics")
            kwargs["weighted_metrics"] = self._for_outputs(weighted)
            if not isinstance(loss, Mapping):
                loss = self._default_loss() if loss == "auto" else loss
                loss = dict.fromkeys(self.modalities, loss)
        super().compile(optimizer, loss, metrics=metrics, **kwargs)

    def _for_outputs(self, metrics: Any) -> Any:
        """The same metrics for every modality, each with its own state."""
        if metrics is None or isinstance(metrics, Mapping):
            return metrics
        names = [*self.modalities, *(["sum"] if self.num_classes else [])]
        return {
            name: [
                type(one).from_config(one.get_config())
                if isinstance(one, keras.metrics.Metric)
                else one
                for one in metrics
            ]
            for name in names
        }

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> Any:
        if self._share_labels:
            y = same_labels(y, y_pred)
        return super().compute_loss(x, y, y_pred, sample_weight, training)

    def compute_metrics(
        self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None
    ) -> Any:
        if self._share_labels:
            if self.num_classes:
                y_pred = {**y_pred, "sum": sum(y_pred.values())}
            y = same_labels(y, y_pred)
        return super().compute_metrics(x, y, y_pred, sample_weight)


def same_labels(y: Any, outputs: Mapping[str, Any]) -> Any:
    """The labels for every output."""
    if isinstance(y, Mapping):
        raise ValueError(
            "Give the labels once, as one array: every modality of "
            f'combine="none" learns the same. Received: a dict of {sorted(y)}'
        )
    return None if y is None else dict.fromkeys(outputs, y)
