"""What a run depends on, as plain JSON that can be compared later."""

import functools
import platform
import re
from collections.abc import Iterator, Mapping
from importlib import metadata
from typing import Any

import keras
import numpy as np

from keras_mmfusion.data import Split
from keras_mmfusion.evaluation.files import sha256

# Keras numbers names by how many it has given out in this process.
_AUTOMATIC_NUMBER = re.compile(r"_\d+$")
_SAMPLES = 64
_NUMBERS = (bool, int, float, str, np.generic, np.ndarray)
_VALUES = (*_NUMBERS, list, tuple, Mapping)
_MISSING = object()


def describe_environment() -> dict[str, str]:
    """Versions and machine that a run was made with."""
    import keras_mmfusion

    backend = keras.backend.backend()
    return {
        "backend": backend,
        f"{backend} version": _version(backend),
        "keras version": keras.__version__,
        "keras_mmfusion version": keras_mmfusion.__version__,
        "numpy version": np.__version__,
        "python version": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}",
        "precision": keras.config.dtype_policy().name,
    }


def describe_model(model: Any) -> dict[str, Any]:
    """Architecture, compile settings and initial weights of a model.

    Code is not seen: a custom layer whose `call` was changed looks the same.
    Nor are weights that an optimizer was told to leave out of its decay.

    Args:
        model: A compiled Keras model with weights.

    Returns:
        Plain JSON. Automatic numbers in names do not count.
    """
    try:
        config = plain(model.get_config())
    except NotImplementedError:
        config = None  # A subclassed model without get_config().
    return {
        "class": type(model).__name__,
        "parameters": model.count_params(),
        "config": config,
        "optimizer": plain(model.optimizer),
        "loss": plain(model.loss),
        "compile": _compile_arguments(model),
        "trainable weights": [
            i for i, weight in enumerate(model.weights) if weight.trainable
        ],
        "initial weights": _weights_digest(model.get_weights()),
    }


def describe_split(split: Split) -> dict[str, Any]:
    """Counts, shapes and digests of a split.

    All labels and ids, but only 64 evenly spaced samples are digested:
    reading all of a large set would take as long as an epoch.
    """
    rows = np.unique(np.linspace(0, len(split) - 1, _SAMPLES).astype(int))
    return {
        "samples": len(split),
        "shapes": {k: list(c.item_shape) for k, c in split.features.items()},
        "labels": sha256(np.ascontiguousarray(split.labels).tobytes()),
        "ids": sha256("\n".join(split.ids).encode()),
        "content": {
            name: sha256(b"".join(column[int(i)].tobytes() for i in rows))
            for name, column in split.features.items()
        },
    }


def plain(value: Any) -> Any:
    """Plain JSON that says what an object is: class and settings.

    Args:
        value: A setting: a number, a Keras object, a function, a transform.

    Returns:
        Numbers and texts as they are, arrays as digests, functions by name,
        objects by class with their config or their plain attributes.
    """
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, str):
        return _AUTOMATIC_NUMBER.sub("", value)
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        array = np.ascontiguousarray(value)
        return {"shape": list(array.shape), "digest": sha256(array.tobytes())}
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        items = sorted(value) if isinstance(value, set | frozenset) else value
        return [plain(item) for item in items]
    if isinstance(value, functools.partial):
        inner = {"arguments": plain(value.args), **plain(value.keywords)}
        return {"function": plain(value.func), **inner}
    if hasattr(value, "__qualname__"):
        return _function(value)
    return {"class": type(value).__name__, **_settings(value)}


def differences(
    old: Any, new: Any, path: str = ""
) -> Iterator[tuple[str, Any, Any]]:
    """Places where two plain JSON values differ: (path, old, new)."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in [*old, *(k for k in new if k not in old)]:
            a, b = old.get(key, _MISSING), new.get(key, _MISSING)
            yield from differences(a, b, f"{path}.{key}" if path else key)
    elif (
        isinstance(old, list) and isinstance(new, list) and len(old) == len(new)
    ):
        for index, (a, b) in enumerate(zip(old, new, strict=True)):
            yield from differences(a, b, f"{path}[{index}]")
    elif old != new:
        yield path, _shown(old), _shown(new)


def _shown(value: Any) -> str:
    text = "nothing" if value is _MISSING else repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _compile_arguments(model: Any) -> dict[str, Any]:
    """What changes numbers, of all that `compile` was given."""
    given = model._compile_config.config
    wanted = ("loss_weights", "metrics", "weighted_metrics")
    return {name: plain(given[name]) for name in wanted}


def _function(value: Any) -> Any:
    """Its name, and the plain values that it closes over."""
    name = f"{value.__module__}.{value.__qualname__}"
    cells = getattr(value, "__closure__", None) or ()
    closed = [plain(c.cell_contents) for c in cells if _is_plain(c)]
    return {"function": name, "closure": closed} if closed else name


def _is_plain(cell: Any) -> bool:
    try:
        return isinstance(cell.cell_contents, _NUMBERS)
    except ValueError:  # Not filled yet.
        return False


def _settings(value: Any) -> dict[str, Any]:
    if hasattr(value, "get_config"):
        return {"config": plain(value.get_config())}
    attributes = getattr(value, "__dict__", {})
    return {
        name: plain(item)
        for name, item in attributes.items()
        # What can be called may be a transform. A data set cannot.
        if isinstance(item, _VALUES) or callable(item)
    }


def _weights_digest(weights: list[Any]) -> str:
    """Digest of shapes and rounded projections of the initial weights.

    Rounded, because another number of threads changes the last bits.
    """
    parts = []
    for weight in weights:
        array = np.asarray(weight).astype(np.float64).ravel()
        norm = float(np.linalg.norm(array))
        wave = float(array @ np.cos(np.arange(array.size)))
        share = wave / norm if norm else 0.0
        parts.append(f"{np.shape(weight)} {norm:.4g} {share:.3f}")
    return sha256("\n".join(parts).encode())


def _version(backend: str) -> str:
    # The installed package may be tensorflow, tensorflow-cpu, ...
    for package in (backend, f"{backend}-cpu"):
        try:
            return metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return "unknown"
