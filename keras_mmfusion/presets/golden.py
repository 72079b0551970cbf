"""A small input with its output, to recognise exchanged weights.

Two tensors of one shape can be exchanged, and every hash be recomputed
after them; only the output then tells. The input is a formula and not data,
so that it costs nothing to store and is the same on every machine.
"""

import math
from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np

from keras_mmfusion.presets.errors import PresetFileError

Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]

# Share of the largest output. Wide enough for accelerators that multiply
# float32 with a short mantissa; exchanged tensors change far more.
TOLERANCE = 0.01
_MIXED_PRECISION_FACTOR = 10.0
_BATCH = 2
_STEPS = 16
_MAX_VALUES = 2**26


def default_shapes(model: Any) -> dict[str, list[int]]:
    """Returns an input shape per model input: 2 samples, 16 free steps."""
    if not getattr(model, "inputs", None):
        raise ValueError(
            f"{type(model).__name__} has no symbolic inputs. Presets hold "
            "functional models."
        )
    return {
        tensor.name: [_BATCH, *(_STEPS if n is None else n for n in shape)]
        for tensor, shape in ((t, t.shape[1:]) for t in model.inputs)
    }


def inputs(model: Any, shapes: Mapping[str, Any]) -> dict[str, Array]:
    """Returns the golden input: values in [-1, 1) from integer arithmetic.

    The second sample is one quarter shorter where the model takes sequences,
    so that the masks take part.
    """
    expected = {tensor.name: tensor for tensor in model.inputs}
    if set(shapes) != set(expected):
        raise ValueError(
            f"The golden input must have the modalities {sorted(expected)}. "
            f"Received: {sorted(shapes)}"
        )
    result: dict[str, Array] = {}
    for index, name in enumerate(sorted(shapes)):
        shape = _checked_shape(name, shapes[name], expected[name].shape)
        count = np.arange(int(np.prod(shape)), dtype=np.uint64)
        mixed = (count + np.uint64(1 + 7919 * index)) * np.uint64(2654435761)
        mixed = (mixed ^ (mixed >> np.uint64(15))) * np.uint64(2246822519)
        mixed = ((mixed ^ (mixed >> np.uint64(13))) >> np.uint64(8)) % 65536
        if "int" in str(expected[name].dtype):
            values = (mixed % 2).astype(expected[name].dtype)
        else:
            values = (mixed.astype("float32") / 32768 - 1).astype("float32")
        values = values.reshape(shape)
        if len(shape) > 2 and expected[name].shape[1] is None:
            values[-1, shape[1] - shape[1] // 4 :] = 0
        result[name] = values
    return result


def _checked_shape(
    name: str, shape: Any, expected: tuple[int | None, ...]
) -> tuple[int, ...]:
    fits = (
        isinstance(shape, list | tuple)
        and len(shape) == len(expected)
        and all(
            type(n) is int and n > 0 and (m is None or n == m)
            for n, m in zip(shape, expected, strict=True)
        )
    )
    if not fits or math.prod(shape) > _MAX_VALUES:
        raise ValueError(
            f"The golden input '{name}' must have a shape like {expected} "
            f"and at most {_MAX_VALUES} values. Received: {shape}"
        )
    return tuple(shape)


def outputs(model: Any, shapes: Mapping[str, Any]) -> dict[str, Array]:
    """Returns the model's outputs for the golden input, by path."""
    # Compiled as a whole: on JAX an eager call compiles every operation.
    result = model.predict_on_batch(inputs(model, shapes))
    flat: dict[str, Array] = {}
    _flatten(result, "output", flat)
    return flat


def make(model: Any, shapes: Mapping[str, Any] | None) -> dict[str, Any]:
    """Returns the `golden` entry of a preset's metadata."""
    shapes = shapes or default_shapes(model)
    computed = outputs(model, shapes)
    for name, array in computed.items():
        if not np.isfinite(array).all():
            raise ValueError(
                f"{type(model).__name__} gives NaN or infinite values in "
                f"'{name}' for the golden input; it is not saved."
            )
    return {
        "inputs": {name: list(shape) for name, shape in shapes.items()},
        "outputs": {
            name: {
                "shape": list(array.shape),
                "values": [float(f"{x:.9g}") for x in array.ravel().tolist()],
            }
            for name, array in computed.items()
        },
        "tolerance": TOLERANCE,
    }


def difference(model: Any, golden: Mapping[str, Any], label: str) -> float:
    """Returns the largest difference as a share of the largest output.

    Raises:
        PresetFileError: If the entry is malformed or has other outputs.
    """
    try:
        expected = {
            name: np.asarray(entry["values"], "float64").reshape(entry["shape"])
            for name, entry in golden["outputs"].items()
        }
        computed = outputs(model, golden["inputs"])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise PresetFileError(
            f"{label}: the golden input or output does not fit the model: "
            f"{error}"
        ) from error
    worst = 0.0
    for name in expected.keys() | computed.keys():
        left, right = expected.get(name), computed.get(name)
        if left is None or right is None or left.shape != right.shape:
            raise PresetFileError(
                f"{label}: golden output '{name}' has shape "
                f"{None if left is None else left.shape}, the model gives "
                f"{None if right is None else right.shape}."
            )
        scale = float(np.max(np.abs(left), initial=1e-6))
        gap = float(np.max(np.abs(left - right), initial=0.0))
        worst = float(np.maximum(worst, gap / scale))
    return worst


def check(model: Any, golden: Mapping[str, Any], label: str) -> float:
    """Recomputes the golden output and returns the difference.

    Raises:
        PresetFileError: If it is larger than the tolerance.
    """
    tolerance = golden.get("tolerance", TOLERANCE)
    if type(tolerance) not in (int, float) or not 0 < tolerance <= 0.1:
        raise PresetFileError(
            f"{label}: the golden tolerance must be a number above 0 and at "
            f"most 0.1. Received: {tolerance!r}"
        )
    if _mixed_precision(model):
        tolerance *= _MIXED_PRECISION_FACTOR
    found = difference(model, golden, label)
    if not found <= tolerance:
        raise PresetFileError(
            f"{label}: the weights do not give the golden output (difference "
            f"{found:.3g} of its largest value, at most {tolerance:.3g} is "
            "allowed). Some tensors may be exchanged or altered; get the "
            "preset again."
        )
    return found


def _mixed_precision(model: Any) -> bool:
    dtypes = {layer.compute_dtype for layer in model._flatten_layers()}
    return bool(dtypes & {"float16", "bfloat16"})


def _flatten(value: Any, name: str, flat: dict[str, Array]) -> None:
    if isinstance(value, Mapping):
        for key in sorted(value):
            _flatten(value[key], f"{name}/{key}", flat)
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            _flatten(item, f"{name}/{index}", flat)
    else:
        # By way of float32, because bfloat16 is foreign to NumPy.
        flat[name] = np.asarray(value).astype("float32").astype("float64")
