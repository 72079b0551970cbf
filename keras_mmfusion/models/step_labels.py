"""Whether labels of steps, or numbers within a range, suit a model."""

from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from keras_mmfusion.data.checks import check_labels
from keras_mmfusion.data.padding import NOT_ANNOTATED
from keras_mmfusion.data.split import Split
from keras_mmfusion.losses.concordance import ConcordanceLoss


def check_step_labels(
    labels: NDArray[Any],
    expected: tuple[int, Any],
    num_targets: int,
    num_classes: int | None,
    loss: Any,
) -> None:
    """Raises unless labels are (B, T, targets), or (B, T) for one target.

    Args:
        labels: The labels of a batch.
        expected: B and T.
        num_targets: Regression targets of the model.
        num_classes: Number of classes; `None` for regression.
        loss: What the model was compiled with.
    """
    targets = num_targets if num_classes is None else 1
    shapes = [(*expected, targets), *([expected] if targets == 1 else [])]
    if labels.shape not in shapes:
        raise ValueError(
            "Labels of every time step must have shape "
            f"{' or '.join(map(str, shapes))}. Received: {labels.shape}. For "
            "one label per sample build the model with per_step=False."
        )
    shape = (len(labels), -1) if num_classes is None else (-1,)
    check_labels(labels.reshape(shape), num_classes=num_classes)
    if num_classes is None:
        _check_annotated(labels, loss)


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
    _check_annotated(labels, loss)


def check_range(
    labels: NDArray[Any], bound: float, per_step: bool, loss: Any
) -> None:
    """Raises if a model cannot predict some of its labels.

    Args:
        labels: Real labels; -5 of steps means that there is no label.
        bound: The model's outputs lie within ± this.
        per_step: Whether there is a label for every step.
        loss: What the model was compiled with; one that is neither Keras' nor
            ours may have labels of another scale.
    """
    if not (_counts_every_label(loss) or isinstance(loss, ConcordanceLoss)):
        return
    known = labels[labels != NOT_ANNOTATED] if per_step else labels
    if known.size and np.abs(known).max() > bound * (1 + 1e-6):
        raise ValueError(
            f"The model predicts from {-bound:g} to {bound:g}, but there are "
            f"labels from {known.min():g} to {known.max():g}. Build it with "
            "an `output_range` that holds them, or output_range=None for "
            "outputs without a bound."
        )


def _check_annotated(labels: NDArray[Any], loss: Any) -> None:
    if _counts_every_label(loss) and np.any(labels == NOT_ANNOTATED):
        raise ValueError(
            "There are steps that are not annotated "
            f"({NOT_ANNOTATED:g}), which this loss would take for labels. "
            f"Compile with ConcordanceLoss. Received: loss={loss!r}"
        )


def _counts_every_label(loss: Any) -> bool:
    """Whether it is one of Keras' own losses; those know no such value."""
    module = getattr(loss, "__module__", type(loss).__module__)
    return isinstance(loss, str) or module.split(".")[0] == keras.__name__
