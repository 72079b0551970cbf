"""Official checkpoint files, read without running anything in them."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

# Where training scripts put the weights, beside epoch and optimizer.
WRAPPERS = ("state_dict", "model_state_dict", "model", "net")
# What `torch.nn.DataParallel` puts before every name.
PARALLEL = "module."


def read_weights(weights: Any) -> dict[str, Any]:
    """Official name to array, from a checkpoint file or from its content.

    Args:
        weights: Path of a PyTorch file, the state dict, or a dict that holds
            it under one of `WRAPPERS`.

    Raises:
        ValueError: If the file cannot be read or holds no state dict.
    """
    where = "The state dict"
    if isinstance(weights, str | os.PathLike):
        where = str(weights)
        weights = _load(Path(weights))
    return _state_dict(weights, where)


def _state_dict(content: Any, where: str) -> dict[str, Any]:
    found = content
    while isinstance(found, Mapping):
        inside = [found.get(key) for key in WRAPPERS]
        dicts = [value for value in inside if isinstance(value, Mapping)]
        if not dicts:
            break
        found = dicts[0]
    if not isinstance(found, Mapping):
        raise ValueError(
            f"{where} should hold a state dict, a dict of official name to "
            f"array, alone or under one of {list(WRAPPERS)}. Received: "
            f"{type(found).__name__}. Save model.state_dict()."
        )
    odd = [
        key
        for key, value in found.items()
        if not isinstance(key, str)
        or not (isinstance(value, list) or hasattr(value, "shape"))
    ]
    if odd:
        raise ValueError(
            f"{where} should hold a state dict, with an array for every name. "
            f"Received something else under {odd[:5]}."
        )
    if found and all(key.startswith(PARALLEL) for key in found):
        return {k.removeprefix(PARALLEL): v for k, v in found.items()}
    return dict(found)


def _load(path: Path) -> Any:
    if not path.is_file():
        raise ValueError(f"There is no checkpoint file {path}.")
    try:
        import torch
    except ImportError as error:
        raise ValueError(
            f"{path} is read with PyTorch, which is not installed: pip install "
            "'keras_mmfusion[torch]'. Without it, pass a dict of official "
            "name to NumPy array."
        ) from error
    try:
        with torch.serialization.safe_globals(_numbers()):
            return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        reason = str(error).split("\n")[0][:200]
        raise ValueError(
            f"{path} is no PyTorch checkpoint of tensors alone, and was not "
            "loaded: it is damaged, or asks for code to be run. If you trust "
            "it, load it yourself and pass its state dict. "
            f"({type(error).__name__}: {reason})"
        ) from error


def _numbers() -> list[Any]:
    """What NumPy numbers are pickled as: scores beside the weights may be."""
    scalar = type(np.float64(0)).__reduce__(np.float64(0))[0]
    kinds = {type(np.dtype(kind)) for kind in ("f8", "f4", "i8", "i4", "b1")}
    names = ("numpy.core.multiarray", "numpy._core.multiarray")
    return [
        np.dtype,
        *kinds,
        *((scalar, f"{name}.scalar") for name in names),
    ]
