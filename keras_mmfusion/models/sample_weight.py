"""Weights and labels, where a model predicts more than once per sample."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from keras import ops

from keras_mmfusion.data.checks import check_byte_order


def for_every_output(weight: Any, outputs: Any) -> Any:
    """Weights (B,) or (B, 1) as (B, ...) of all predictions of a sample.

    Keras would hold weights (B,) against the last axis of losses (B, T), or
    of yes/no heads (B, heads).

    Args:
        weight: Weights, (B,), (B, 1) or of every prediction, or `None`; a
            dict by output if the outputs are one.
        outputs: Predictions, (B, ..., values), or a dict of such.
    """
    if isinstance(weight, Mapping) and isinstance(outputs, Mapping):
        return {
            name: for_every_output(weight[name], output)
            if name in weight
            else None
            for name, output in outputs.items()
        }
    if not hasattr(weight, "shape") or not hasattr(outputs, "shape"):
        return weight
    if len(weight.shape) == 2 and weight.shape[1] == 1:
        weight = ops.reshape(weight, (-1,))
    missing = len(outputs.shape) - 1 - len(weight.shape)
    if len(weight.shape) != 1 or missing < 1:
        return weight
    sizes = ops.shape(outputs)[:-1]
    weight = ops.reshape(weight, (-1, *[1] * missing))
    # No `broadcast_to`: Keras multiplies weights in place under PyTorch.
    return weight * ops.ones(sizes, dtype=weight.dtype)


def with_target_axis(y: Any, outputs: Any) -> Any:
    """Labels (B, T) of a single target as (B, T, 1), like the outputs.

    Keras would take T for the targets, and hold one loss per sample against
    a mask of steps.
    """
    if not hasattr(y, "shape") or not hasattr(outputs, "shape"):
        return y
    if len(outputs.shape) == 3 and outputs.shape[2] == 1:
        # TensorFlow may not know the rank of labels.
        return ops.reshape(y, ops.shape(outputs))
    return y


def check_sample_weight(weight: Any, labels: Any = None) -> None:
    """Raises for weights that would spoil what is learned; arrays only.

    Args:
        weight: Weights of samples, or of every label; a dict by output.
        labels: The labels, (N, ...).

    Raises:
        ValueError: If one is NaN, infinite or negative, or their shape is
            none that the labels begin with.
    """
    for values in weight.values() if isinstance(weight, Mapping) else [weight]:
        check_byte_order("Sample weights", values)
        if not isinstance(values, np.ndarray) or values.dtype.kind not in "fi":
            continue
        if isinstance(labels, np.ndarray):
            _check_weight_shape(values.shape, labels.shape)
        wrong = ~((values >= 0) & (values < np.inf))
        if wrong.any():
            first = tuple(int(i[0]) for i in np.nonzero(wrong))
            raise ValueError(
                "Sample weights must be finite numbers of at least 0. "
                f"Received: {np.count_nonzero(wrong)} others, such as "
                f"{values[first]} at {list(first)}. What shall not count has "
                "the weight 0."
            )


def _check_weight_shape(
    weight: tuple[int, ...], labels: tuple[int, ...]
) -> None:
    """Other shapes would broadcast: (N, N) over (N,), without a word."""
    shape = weight
    while len(shape) > 1 and shape[-1] == 1:
        shape = shape[:-1]
    if not shape or shape != labels[: len(shape)]:
        raise ValueError(
            "Sample weights are one for each sample, or for each label. "
            f"Received: weights of shape {weight} for labels of shape {labels}"
        )


def refuse_class_weight(
    class_weight: Any, outputs: Any, num_classes: int | None
) -> None:
    """Raises for weights of classes without classes, or with several labels.

    Keras would take numbers for classes, and a row of labels for one-hot.
    """
    if class_weight is None:
        return
    if num_classes is None:
        raise ValueError(
            "`class_weight` needs a model of classes, and this one predicts "
            "numbers. Pass `sample_weight`, one weight for each sample, "
            f"instead. Received: class_weight={class_weight}"
        )
    if any(len(x.shape) > 2 for x in outputs):
        raise ValueError(
            "`class_weight` needs one label per sample, and this model "
            "predicts several. Pass `sample_weight` of the labels' shape "
            "instead, as in numpy.take(weights_of_classes, labels). Received: "
            f"class_weight={class_weight}"
        )
    weights = [*class_weight.values()]
    kinds = int | float | np.integer | np.floating
    if not all(isinstance(w, kinds) and 0 <= w < np.inf for w in weights):
        raise ValueError(
            "Weights of classes must be finite numbers of at least 0. "
            f"Received: class_weight={class_weight}"
        )
    unknown = [k for k in class_weight if k not in range(num_classes)]
    if unknown:
        raise ValueError(
            f"`class_weight` maps classes 0 to {num_classes - 1} to weights. "
            f"Received: weights of {unknown}"
        )
