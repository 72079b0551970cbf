"""Checks at the data boundary, with errors that say what to do."""

import difflib
import warnings
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

ItemShape = Sequence[int | None]

# Finiteness is checked block by block: `np.isfinite` of a whole array would
# need a quarter of its memory again.
_BLOCK_VALUES = 2**18


def check_inputs(
    inputs: Mapping[str, Any],
    shapes: Mapping[str, ItemShape],
    axes: Mapping[str, Sequence[str]] | None = None,
) -> None:
    """Check a batch of inputs against the shapes a model expects.

    NumPy arrays are checked for their type, shape and values. Tensors of a
    backend and symbolic tensors are checked for their shape alone.

    Args:
        inputs: modality name to array, the samples along the first axis.
        shapes: modality name to the shape of one sample; None stands for
            any size, as in `{"audio": (None, 40), "image": (4,)}`.
        axes: modality name to what the sizes of one sample count, such as
            frames and joints, for the messages.

    Raises:
        ValueError: for a missing or unknown modality, a wrong rank or width,
            an empty axis, batch sizes that differ, an empty batch, values
            that are not real numbers, NaN, infinity or beyond float32, a
            foreign byte order.

    Example:

    ```python
    import numpy as np
    from keras_mmfusion.data import check_inputs

    check_inputs({"audio": np.zeros((2, 7, 40))}, {"audio": (None, 40)})
    ```
    """
    _check_names(inputs, shapes)
    for name, shape in shapes.items():
        _check_shape(name, inputs[name], shape, (axes or {}).get(name, ()))
    _check_batch_sizes({name: _shape(inputs[name])[0] for name in shapes})
    for name in shapes:
        if isinstance(inputs[name], np.ndarray):
            check_byte_order(f"Modality {name!r}", inputs[name])
            _check_finite(name, inputs[name])


def plain(values: Any) -> Any:
    """Arrays in place of what pandas holds, to be checked as these.

    Args:
        values: an array, a column or table, or a dict of such; anything else
            is given back.

    Raises:
        ValueError: for a masked array, whose mask no model would see.
    """
    if isinstance(values, Mapping):
        return {name: plain(value) for name, value in values.items()}
    if isinstance(values, np.ma.MaskedArray):
        raise ValueError(
            "Models do not see the mask of a masked array. Fill in what is "
            "missing: zeros are padding, a missing modality is all zeros. "
            f"Received: a masked array of shape {values.shape}"
        )
    library = type(values).__module__.partition(".")[0]
    return np.asarray(values) if library == "pandas" else values


def check_labels(
    labels: Any,
    num_samples: int | None = None,
    num_classes: int | None = None,
    num_outputs: int | None = None,
) -> None:
    """Check the labels of a batch or split.

    Args:
        labels: array of shape (N,) or (N, K). Anything but a NumPy array or
            a list is taken as it is.
        num_samples: expected N.
        num_classes: labels must be whole numbers in 0..num_classes - 1, of
            shape (N,) or (N, 1).
        num_outputs: expected K, for regression and binary heads; (N,) counts
            as K = 1.

    Raises:
        ValueError: if the labels are not numbers, not finite, too many or
            too few, or out of range.

    Example:

    ```python
    import numpy as np
    from keras_mmfusion.data import check_labels

    check_labels(np.array([0, 2, 1]), num_samples=3, num_classes=3)
    ```
    """
    if not isinstance(labels, np.ndarray | list | tuple):
        return
    array = _label_array(labels)
    check_byte_order("Labels", array)
    if num_samples is not None and len(array) != num_samples:
        raise ValueError(
            f"Expected {num_samples} labels, one for each sample of the "
            f"inputs. Received: {len(array)} labels"
        )
    if num_outputs is not None:
        width = array.shape[1] if array.ndim == 2 else 1
        if width != num_outputs:
            raise ValueError(
                f"Expected labels of shape (N, {num_outputs}), one column "
                f"for each output. Received: labels of shape {array.shape}"
            )
    _check_finite("labels", array, what="labels")
    if num_classes is not None:
        _check_classes(array, num_classes)


def _check_names(
    inputs: Mapping[str, Any], shapes: Mapping[str, ItemShape]
) -> None:
    expected = list(shapes)
    if not isinstance(inputs, Mapping):
        raise ValueError(
            "Inputs must be a dict from modality to array, with the keys "
            f"{expected}. Received: {type(inputs).__name__}"
        )
    missing = [name for name in expected if name not in inputs]
    unknown = [name for name in inputs if name not in shapes]
    if not missing and not unknown:
        return
    text = f"Inputs must have exactly the modalities {expected}. Received: "
    text += f"{list(inputs)}."
    if missing:
        text += f" Missing: {missing}."
    if unknown:
        text += f" Unknown: {unknown}."
    for name in unknown:
        close = difflib.get_close_matches(str(name), missing or expected, n=1)
        if close:
            text += f" Did you mean {close[0]!r} instead of {name!r}?"
    if missing and not unknown:
        text += " Give a modality that is absent from the data as all zeros."
    raise ValueError(text)


def _check_shape(
    name: str, value: Any, shape: ItemShape, axes: Sequence[str]
) -> None:
    expected = f"({', '.join(['batch', *map(_size_text, shape)])})"
    if not hasattr(value, "shape"):
        raise ValueError(
            f"Modality {name!r} must be an array of shape {expected}. "
            f"Received: {type(value).__name__}. Convert it with numpy.array; "
            "pad sequences of different lengths with zeros first."
        )
    if isinstance(value, np.ndarray) and value.dtype.kind not in "fiub":
        raise ValueError(
            f"Modality {name!r} must hold real numbers. Received: dtype "
            f"{value.dtype}. Pad sequences of different lengths with zeros "
            "to one array and convert it to float32."
        )
    received = _shape(value)
    if len(received) != len(shape) + 1:
        raise ValueError(
            f"Modality {name!r} must have {len(shape) + 1} axes, "
            f"{expected}. Received: shape {received}."
            + _rank_advice(received, shape)
            + (f" The axes are batch, {', '.join(axes)}." if axes else "")
        )
    if 0 in received[1:]:
        raise ValueError(
            f"Modality {name!r} must not have an empty axis. Received: shape "
            f"{received}. Give a missing modality as one step of zeros."
        )
    for i, (size, wanted) in enumerate(zip(received[1:], shape, strict=True)):
        if wanted is not None and size is not None and size != wanted:
            counted = (
                f", {axes[i]} {size} instead of {wanted}; the axes are batch, "
                f"{', '.join(axes)}"
                if axes
                else ""
            )
            raise ValueError(
                f"Modality {name!r} must have shape {expected}. Received: "
                f"shape {received}{counted}. The model was built for other "
                "features, or the axes are in another order."
            )


def _rank_advice(received: tuple[int | None, ...], shape: ItemShape) -> str:
    if len(received) == len(shape):
        return " Add the batch axis to a single sample: array[None]."
    return ""


def differ(sizes: Iterable[int | None]) -> bool:
    """Whether sizes differ, as far as known.

    While PyTorch exports a model they may be symbols, which have no hash.
    """
    known = [size for size in sizes if size is not None]
    return any(size != known[0] for size in known)


def _check_batch_sizes(given: Mapping[str, int | None]) -> None:
    known = {name: size for name, size in given.items() if size is not None}
    if differ(known.values()):
        raise ValueError(
            "All modalities must hold the same samples. Received batch "
            "sizes: " + ", ".join(f"{k!r}: {n}" for k, n in known.items())
        )
    if 0 in known.values():
        raise ValueError(
            "The batch must hold at least one sample. Received: 0 samples."
        )


def warn_without_class_0(what: str, lowest: float) -> None:
    """Classes numbered from 1 would give a model an output too many."""
    if lowest > 0:
        warnings.warn(
            f"{what} has no sample of class 0: the lowest label is "
            f"{int(lowest)}. Classes are numbered from 0, so models get an "
            "output for it all the same. Subtract the lowest label, or give "
            "`class_names` if class 0 exists.",
            stacklevel=2,
        )


def check_byte_order(what: str, values: Any) -> None:
    """JAX reads the bytes of foreign order as they are: other numbers."""
    if isinstance(values, np.ndarray) and not values.dtype.isnative:
        raise ValueError(
            f"{what} must have this machine's byte order. Received: dtype "
            f"{values.dtype.str}. Convert with "
            "array.astype(array.dtype.newbyteorder('='))."
        )


def _check_finite(
    name: str, values: NDArray[Any], what: str | None = None
) -> None:
    """Raise with the count and the first sample of NaN or infinite values."""
    if values.dtype.kind != "f" or values.size == 0:
        return
    per_sample = max(values.size // len(values), 1)
    block = max(_BLOCK_VALUES // per_sample, 1)
    not_a_number, infinite, first = 0, 0, None
    for start in range(0, len(values), block):
        part = values[start : start + block]
        if what is None:
            # Models compute in float32, which has no numbers above 3.4e38.
            with np.errstate(over="ignore"):
                part = part.astype(np.float32, copy=False)
        finite = np.isfinite(part)
        if finite.all():
            continue
        nan = int(np.count_nonzero(np.isnan(part)))
        not_a_number += nan
        infinite += int(finite.size - np.count_nonzero(finite)) - nan
        if first is None:
            rows = finite.reshape(len(part), -1).all(axis=1)
            first = start + int(np.argmin(rows))
    if first is None:
        return
    raise ValueError(
        f"{what.capitalize() if what else f'Modality {name!r}'} must be "
        f"finite. Received: {not_a_number} NaN and {infinite} infinite "
        f"values, the first in sample {first}. "
        + (
            "Drop samples without a label."
            if what
            else "Replace them, for example with numpy.nan_to_num, or set "
            "the whole modality of that sample to zeros to mark it missing."
        )
    )


def _label_array(labels: Any) -> NDArray[Any]:
    try:
        array = np.asarray(labels)
    except ValueError as error:
        raise ValueError(
            "Labels must be numbers of shape (N,) or (N, K). Received: rows "
            "of different lengths"
        ) from error
    if array.dtype.kind not in "fiub" or array.ndim not in (1, 2):
        raise ValueError(
            "Labels must be numbers of shape (N,) or (N, K). Received: "
            f"dtype {array.dtype}, shape {array.shape}"
        )
    if len(array) == 0:
        raise ValueError("Expected at least one label. Received: 0 labels")
    return array


def _check_classes(labels: NDArray[Any], num_classes: int) -> None:
    if labels.ndim == 2 and labels.shape[1] != 1:
        raise ValueError(
            "Class labels must be whole numbers of shape (N,). Received: "
            f"labels of shape {labels.shape}. Turn one-hot rows into class "
            "numbers with labels.argmax(axis=1), or compile with a loss for "
            "rows, keras.losses.CategoricalCrossentropy(from_logits=True)."
        )
    flat = labels.reshape(-1)
    bad = (flat < 0) | (flat >= num_classes) | (flat != np.floor(flat))
    if bad.any():
        first = int(np.argmax(bad))
        raise ValueError(
            f"Class labels must be whole numbers in 0..{num_classes - 1}. "
            f"Received: {np.count_nonzero(bad)} others, the first is "
            f"{flat[first]} of sample {first}"
        )


def _size_text(size: int | None) -> str:
    return "any" if size is None else str(size)


def _shape(value: Any) -> tuple[int | None, ...]:
    return tuple(value.shape)
