"""Whether labels of every step suit a model that predicts every step."""

from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from keras_mmfusion.data.checks import check_labels
from keras_mmfusion.data.padding import NOT_ANNOTATED
from keras_mmfusion.data.split import Split


def check_step_labels(
    labels: NDArray[Any], expected: tuple[int, Any], num_classes: int | None
) -> None:
    """Raises unless labels are (B, T) or (B, T, targets).

    Args:
        labels: The labels of a batch.
        expected: B and T.
        num_classes: Number of classes; `None` for regression.
    """
    if labels.ndim not in (2, 3) or labels.shape[:2] != expected:
        raise ValueError(
            f"Labels of every time step have shape {expected} or "
            f"{(*expected, 'targets')}. Received: {labels.shape}. For one "
            "label per sample build the model with per_step=False."
        )
    shape = (-1,) if num_classes else (len(labels), -1)
    check_labels(labels.reshape(shape), num_classes=num_classes)


def check_split_labels(
    split: Split, num_targets: int, num_classes: int | None, loss: Any
) -> None:
    """Raises unless a split has labels of every step that suit the model.

    Args:
        split: The split.
        num_targets: Regression targets of the model.
        num_classes: Number of classes; `None` for regression.
        loss: What the model was compiled with.
    """
    labels = split.labels
    if num_classes or not split.per_step or labels.shape[2] != num_targets:
        wanted = (len(labels), "T", num_targets)
        raise ValueError(
            "A model that predicts every step takes splits with real labels "
            f"{wanted}. Received: {labels.shape}, {labels.dtype}"
            f"{' for a model of classes' if num_classes else ''}. For one "
            "label per sample build the model with per_step=False."
        )
    if _counts_every_label(loss) and np.any(labels == NOT_ANNOTATED):
        raise ValueError(
            f"The split has steps that are not annotated ({NOT_ANNOTATED:g}), "
            "which this loss would take for labels. Compile with "
            f"ConcordanceLoss. Received: loss={loss!r}"
        )


def _counts_every_label(loss: Any) -> bool:
    """Whether it is one of Keras' own losses; those know no such value."""
    module = getattr(loss, "__module__", type(loss).__module__)
    return isinstance(loss, str) or module.split(".")[0] == keras.__name__
