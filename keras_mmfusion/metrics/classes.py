"""Metrics of classification: one class for each sample.

Labels `y` are class numbers (N,) from 0, or one-hot rows (N, C). Predictions
`p` are scores (N, C), probabilities or logits, whose highest column wins (the
first among equals), or class numbers (N,). A `ValueError` refuses empty
input, NaN, unequal lengths, and labels that `p` has no column for.

`f1_weighted` over the classes of one softmax with `accuracy` is MERBench's
protocol. MulT's IEMOCAP protocol is four separate yes-or-no tasks
(`iemocap_accuracy`, `iemocap_f1`); the two cannot be compared.
"""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from keras_mmfusion.metrics.additive import (
    additive,
    class_counts,
    f1_by_prediction,
    f1_by_truth,
    f1_unweighted,
    hits,
    mean_recall,
    ratio,
)
from keras_mmfusion.metrics.arrays import (
    Floats,
    Integers,
    as_array,
    as_classes,
    as_labels,
    as_table,
    check_finite,
)

# The order of MulT's columns.
IEMOCAP_EMOTIONS = ("neutral", "happy", "sad", "angry")


def _counts(y: ArrayLike, p: ArrayLike) -> Floats:
    truth, predicted, classes = as_classes(y, p)
    return class_counts(truth, predicted, truth >= 0, classes)


@additive(ratio)
def accuracy(y: ArrayLike, p: ArrayLike) -> Floats:
    """Share of samples whose predicted class is the true one.

    Args:
        y: Class numbers (N,) or one-hot rows (N, C).
        p: Scores (N, C) or class numbers (N,).

    Returns:
        A fraction.

    Example:

    ```python
    from keras_mmfusion.metrics import accuracy

    print(accuracy([0, 1, 2, 1], [0, 1, 1, 1]))  # 0.75
    ```
    """
    truth, predicted, _ = as_classes(y, p)
    return hits(truth, predicted, truth >= 0)


@additive(ratio)
def top_k_accuracy(y: ArrayLike, p: ArrayLike, k: int = 5) -> Floats:
    """Share of samples with fewer than k classes scored above the true one.

    A class that ties with the true one counts as above it, so a network that
    gives every class the same score gets nothing.

    Args:
        y: Class numbers (N,) or one-hot rows (N, C).
        p: Scores (N, C); class numbers do not suffice.
        k: How many guesses each sample has, fewer than C.

    Returns:
        A fraction.

    Raises:
        ValueError: Also if `p` is not (N, C) or `k` is not in 1 .. C - 1.

    Example:

    ```python
    from keras_mmfusion.metrics import top_k_accuracy

    scores = [[0.5, 0.3, 0.2], [0.1, 0.2, 0.7]]
    print(top_k_accuracy([1, 0], scores, k=2))  # 0.5
    ```
    """
    truth, _, classes = as_classes(y, p)
    scores = as_array(p, "p")
    if scores.ndim != 2 or scores.shape[1] == 1:
        raise ValueError(
            "Expected `p` as scores of shape (N, classes) for top-k accuracy. "
            f"Received: shape {scores.shape}."
        )
    if not 1 <= k < classes:
        raise ValueError(
            f"Expected `k` from 1 to {classes - 1} with {classes} classes. "
            f"Received: {k}."
        )
    own = np.take_along_axis(scores, truth[:, None], axis=1)
    rank = (scores >= own).sum(axis=1)
    return np.stack([rank <= k, np.ones(len(truth))], axis=1).astype(float)


@additive(mean_recall)
def balanced_accuracy(y: ArrayLike, p: ArrayLike) -> Floats:
    """Recall of each class, averaged over the classes that occur in y.

    Also called unweighted average recall (UAR). For two classes it is the
    weighted accuracy (tp n / p + tn) / (2 n) of CMU-MOSEI's emotions.

    Args:
        y: Class numbers (N,) or one-hot rows (N, C).
        p: Scores (N, C) or class numbers (N,).

    Returns:
        A fraction.

    Example:

    ```python
    from keras_mmfusion.metrics import balanced_accuracy

    print(balanced_accuracy([0, 0, 0, 1], [0, 0, 0, 0]))  # 0.5
    ```
    """
    return _counts(y, p)


@additive(f1_by_truth)
def f1_weighted(y: ArrayLike, p: ArrayLike) -> Floats:
    """F1 = 2 tp / (true + predicted) per class, averaged by true class size.

    Args:
        y: Class numbers (N,) or one-hot rows (N, C).
        p: Scores (N, C) or class numbers (N,).

    Returns:
        A fraction.

    Example:

    ```python
    from keras_mmfusion.metrics import f1_weighted

    print(round(f1_weighted([0, 1, 1, 1], [1, 1, 1, 1]), 3))  # 0.643
    ```
    """
    return _counts(y, p)


@additive(f1_by_prediction)
def f1_weighted_swapped(y: ArrayLike, p: ArrayLike) -> Floats:
    """F1 per class, averaged by predicted class size.

    What a call with exchanged arguments gives. It rewards a model that always
    says one class.

    Args:
        y: Class numbers (N,) or one-hot rows (N, C).
        p: Scores (N, C) or class numbers (N,).

    Returns:
        A fraction.

    Example:

    ```python
    from keras_mmfusion.metrics import f1_weighted_swapped

    print(round(f1_weighted_swapped([0, 1, 1, 1], [1, 1, 1, 1]), 3))  # 0.857
    ```
    """
    return _counts(y, p)


@additive(f1_unweighted)
def f1_macro(y: ArrayLike, p: ArrayLike) -> Floats:
    """F1 per class, averaged over the classes that occur in y or p.

    Args:
        y: Class numbers (N,) or one-hot rows (N, C).
        p: Scores (N, C) or class numbers (N,).

    Returns:
        A fraction.

    Example:

    ```python
    from keras_mmfusion.metrics import f1_macro

    print(round(f1_macro([0, 1, 1, 1], [1, 1, 1, 1]), 3))  # 0.429
    ```
    """
    return _counts(y, p)


def confusion_matrix(y: ArrayLike, p: ArrayLike) -> Integers:
    """Counts of samples, true class by row and predicted class by column.

    Args:
        y: Class numbers (N,) or one-hot rows (N, C).
        p: Scores (N, C) or class numbers (N,).

    Returns:
        Integer array (C, C).

    Raises:
        ValueError: For what the module docstring names.

    Example:

    ```python
    from keras_mmfusion.metrics import confusion_matrix

    print(confusion_matrix([0, 1, 1], [0, 0, 1]).tolist())  # [[1, 0], [1, 1]]
    ```
    """
    truth, predicted, classes = as_classes(y, p)
    counts = np.bincount(truth * classes + predicted, minlength=classes**2)
    return counts.reshape(classes, classes).astype(np.int64)


def _emotion(y: ArrayLike, p: ArrayLike, emotion: str) -> tuple[Any, Any]:
    """Truth and prediction of one of MulT's four yes-or-no tasks."""
    if emotion not in IEMOCAP_EMOTIONS:
        raise ValueError(
            f"Expected `emotion` among {', '.join(IEMOCAP_EMOTIONS)}. "
            f"Received: {emotion!r}."
        )
    column = IEMOCAP_EMOTIONS.index(emotion)
    count = len(IEMOCAP_EMOTIONS)
    labels = as_array(y, "y")
    check_finite(labels, "y")
    if labels.ndim == 3:
        truth = as_labels(as_table(labels, (count, 2), "y")[:, column], "y")
    else:
        truth = as_labels(as_table(labels, (count,), "y")[:, column], "y")
    if truth.max() > 1:
        raise ValueError(
            "Expected labels 0 (absent) or 1 (present) for each emotion. "
            f"Received: {truth.max()}. One softmax over the emotions is "
            "another protocol: use `accuracy` and `f1_weighted`."
        )
    predicted = as_table(p, (count, 2), "p")[:, column].argmax(axis=-1)
    if len(truth) != len(predicted):
        raise ValueError(
            "Expected as many predictions as labels. Received: "
            f"{len(truth)} labels `y` and {len(predicted)} predictions `p`."
        )
    return truth, predicted


@additive(ratio)
def iemocap_accuracy(
    y: ArrayLike, p: ArrayLike, emotion: str = "neutral"
) -> Floats:
    """Accuracy of one of MulT's four yes-or-no emotion tasks on IEMOCAP.

    Args:
        y: Labels, one-hot (N, 4, 2) or 0 and 1 (N, 4), emotions in the order
            of `IEMOCAP_EMOTIONS`.
        p: Scores (N, 4, 2), absent and present.
        emotion: A name from `IEMOCAP_EMOTIONS`.

    Returns:
        A fraction.

    Example:

    ```python
    import numpy as np
    from keras_mmfusion.metrics import iemocap_accuracy

    y = np.array([[0, 1, 0, 0], [1, 0, 0, 0]])
    print(iemocap_accuracy(y, np.eye(2)[y], emotion="happy"))  # 1.0
    ```
    """
    truth, predicted = _emotion(y, p, emotion)
    return hits(truth, predicted, truth >= 0)


@additive(f1_by_truth)
def iemocap_f1(y: ArrayLike, p: ArrayLike, emotion: str = "neutral") -> Floats:
    """F1 of absent and present of one emotion, averaged by true class size.

    Args:
        y: Labels, one-hot (N, 4, 2) or 0 and 1 (N, 4), emotions in the order
            of `IEMOCAP_EMOTIONS`.
        p: Scores (N, 4, 2), absent and present.
        emotion: A name from `IEMOCAP_EMOTIONS`.

    Returns:
        A fraction.

    Example:

    ```python
    import numpy as np
    from keras_mmfusion.metrics import iemocap_f1

    y = np.array([[0, 1, 0, 0], [1, 0, 0, 0]])
    print(iemocap_f1(y, np.eye(2)[y], emotion="happy"))  # 1.0
    ```
    """
    truth, predicted = _emotion(y, p, emotion)
    return class_counts(truth, predicted, truth >= 0, 2)
