"""Checked NumPy arrays: what every metric accepts and refuses."""

import math
from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats: TypeAlias = NDArray[np.floating[Any]]
Integers: TypeAlias = NDArray[np.int64]
Booleans: TypeAlias = NDArray[np.bool_]


def as_array(values: ArrayLike, name: str) -> NDArray[Any]:
    """Number array of `values`; a `ValueError` names what cannot be one."""
    try:
        array = np.asarray(values)
    except (TypeError, ValueError, RuntimeError) as error:
        raise ValueError(
            f"Expected `{name}` to be an array of numbers. Received: "
            f"{type(values).__name__} that NumPy cannot read ({error}). "
            "Detach PyTorch tensors and give rows of equal length."
        ) from error
    if array.dtype == bool:
        array = array.astype(np.int64)
    if not np.issubdtype(array.dtype, np.number) or np.iscomplexobj(array):
        # JAX and TensorFlow hand out bfloat16 as a type NumPy cannot sort in.
        if "float" not in array.dtype.name:
            raise ValueError(
                f"Expected `{name}` to hold real numbers. Received: dtype "
                f"{array.dtype}."
            )
        array = array.astype(np.float32)
    if array.size == 0:
        raise ValueError(
            f"Expected `{name}` to hold at least one sample. Received: an "
            f"empty array of shape {array.shape}."
        )
    return array


def check_finite(array: NDArray[Any], name: str) -> None:
    """Raises a `ValueError` that counts and locates NaN and infinity."""
    bad = ~np.isfinite(array)
    if bad.any():
        first = tuple(int(i) for i in np.argwhere(bad)[0])
        raise ValueError(
            f"Expected finite numbers in `{name}`. Received: {int(bad.sum())} "
            f"NaN or infinite of {array.size}, the first at index {first}. "
            "Remove these samples, or find out why the model returned them."
        )


def as_column(values: ArrayLike, name: str) -> Floats:
    """Finite vector (N,) from (N,), (N, 1) or (N, 1, 1).

    float32 stays float32, because published code compares with thresholds
    such as 0.1 in that precision; everything else becomes float64.
    """
    array = as_array(values, name)
    if array.ndim == 0 or array.size != array.shape[0]:
        raise ValueError(
            f"Expected `{name}` with one number for each sample: shape (N,) or "
            f"(N, 1). Received: shape {array.shape}. For class scores of shape "
            "(N, classes) use the classification metrics."
        )
    check_finite(array, name)
    dtype = np.float32 if array.dtype == np.float32 else np.float64
    return array.reshape(-1).astype(dtype, copy=False)


def as_pair(y: ArrayLike, p: ArrayLike) -> tuple[Floats, Floats]:
    """Truth and prediction as finite vectors (N,) of equal length."""
    truth, predicted = as_column(y, "y"), as_column(p, "p")
    if len(truth) != len(predicted):
        raise ValueError(
            "Expected as many predictions as labels. Received: "
            f"{len(truth)} labels `y` and {len(predicted)} predictions `p`."
        )
    return truth, predicted


def check_range(y: Floats, low: float, high: float, name: str) -> None:
    """Raises a `ValueError` unless all labels lie in [low, high]."""
    # Labels stored in half precision or scaled back miss the end by rounding.
    slack = 1e-3
    if y.min() < low - slack or y.max() > high + slack:
        raise ValueError(
            f"Expected labels `y` in [{low:g}, {high:g}] for {name}. Received: "
            f"{y.min():g} to {y.max():g}. Rescale the labels, or check that "
            "`y` is the truth and `p` the prediction."
        )


def as_labels(values: ArrayLike, name: str) -> Integers:
    """Class numbers (N,) from integers (N,), (N, 1) or one-hot (N, C)."""
    array = as_array(values, name)
    check_finite(array, name)
    if array.ndim == 2 and array.shape[1] > 1:
        one_hot = np.isin(array, (0, 1)).all() and (array.sum(1) == 1).all()
        if not one_hot:
            raise ValueError(
                f"Expected `{name}` as class numbers (N,) or one-hot rows "
                f"(N, classes). Received: shape {array.shape} with rows that "
                "are not one-hot."
            )
        return array.argmax(axis=1).astype(np.int64)
    if array.ndim == 0 or array.size != array.shape[0]:
        raise ValueError(
            f"Expected `{name}` as class numbers (N,) or one-hot rows "
            f"(N, classes). Received: shape {array.shape}."
        )
    array = array.reshape(-1)
    whole = array.astype(np.int64)
    if (whole != array).any() or whole.min() < 0:
        raise ValueError(
            f"Expected `{name}` as class numbers 0, 1, 2, ... Received: values "
            f"from {array.min():g} to {array.max():g} that are negative or "
            "not whole. Map labels to 0 .. classes - 1; turn one probability "
            "per sample into a class with your threshold first."
        )
    return whole


def as_classes(y: ArrayLike, p: ArrayLike) -> tuple[Integers, Integers, int]:
    """Truth, predicted class and the number of classes.

    `p` is either class numbers (N,) or scores (N, C): probabilities or
    logits, of which the highest is taken, the first among equals.
    """
    truth = as_labels(y, "y")
    scores = as_array(p, "p")
    check_finite(scores, "p")
    if scores.ndim == 2 and scores.shape[1] > 1:
        classes = scores.shape[1]
        predicted = scores.argmax(axis=1).astype(np.int64)
    else:
        predicted = as_labels(p, "p")
        classes = int(max(truth.max(), predicted.max())) + 1
    if len(truth) != len(predicted):
        raise ValueError(
            "Expected as many predictions as labels. Received: "
            f"{len(truth)} labels `y` and {len(predicted)} predictions `p`."
        )
    if truth.max() >= classes:
        raise ValueError(
            f"Expected labels from 0 to {classes - 1}, because `p` has "
            f"{classes} columns. Received: labels up to {truth.max()}. Labels "
            "that start at 1 must be shifted."
        )
    return truth, predicted, classes


def as_table(values: ArrayLike, shape: Sequence[int], name: str) -> Floats:
    """Finite float64 array (N, *shape)."""
    array = as_array(values, name)
    if array.shape[1:] != tuple(shape) or array.ndim != len(shape) + 1:
        wanted = ", ".join(["N", *map(str, shape)])
        raise ValueError(
            f"Expected `{name}` of shape ({wanted}). Received: shape "
            f"{array.shape}."
        )
    check_finite(array, name)
    return array.astype(np.float64)


def one_json_number(value: float) -> float | None:
    """The number, or None where it is not finite: JSON knows no NaN."""
    return float(value) if math.isfinite(value) else None
