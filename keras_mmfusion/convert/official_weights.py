"""An official PyTorch state dict, read with complete accounting."""

import re
from collections.abc import Mapping
from typing import Any

import numpy as np

Assignments = list[tuple[Any, np.ndarray]]


class OfficialWeights:
    """Hands out the entries of a state dict and remembers which were taken.

    Args:
        state_dict: Official name to array or PyTorch tensor.
    """

    def __init__(self, state_dict: Mapping[str, Any]) -> None:
        # Counters of PyTorch's normalisation, which Keras has not.
        counters = "num_batches_tracked"
        self.skipped = [k for k in state_dict if k.endswith(counters)]
        self._left = {
            key: to_numpy(value, key)
            for key, value in state_dict.items()
            if key not in self.skipped
        }
        self._missing: list[str] = []

    def skip(self, pattern: str) -> None:
        """Skips the entries whose whole name fits the regular expression."""
        dead = [key for key in self._left if re.fullmatch(pattern, key)]
        self.skipped += dead
        for key in dead:
            del self._left[key]

    def names(self) -> list[str]:
        """Names of the entries that are neither taken nor skipped yet."""
        return list(self._left)

    def take(self, name: str, shape: tuple[int, ...]) -> np.ndarray:
        """The entry `name`, which must have this shape (PyTorch's layout)."""
        value = self._left.pop(name, None)
        if value is None:
            self._missing.append(name)
            return np.zeros(shape, "float32")
        if value.shape != shape:
            raise ValueError(
                f"Official weight '{name}' should have shape {shape}. "
                f"Received: {value.shape}. The state dict is of another "
                "configuration than the model."
            )
        return value

    def finish(self) -> None:
        """Raises if a name was missing or is left over."""
        if self._missing or self._left:
            raise ValueError(
                "The state dict does not fit. Missing: "
                f"{_few(self._missing)}; unexpected: {_few(list(self._left))}."
            )


def assign_all(assignments: Assignments) -> None:
    """Assigns every variable, after all shapes have been checked."""
    for variable, value in assignments:
        if tuple(variable.shape) != value.shape:
            raise ValueError(
                f"Variable '{variable.path}' has shape "
                f"{tuple(variable.shape)}. Received: {value.shape}"
            )
    for variable, value in assignments:
        variable.assign(value.astype("float32"))


def to_numpy(value: Any, name: str = "weight") -> np.ndarray:
    """Finite numbers of a NumPy array or a PyTorch tensor on any device."""
    try:
        if hasattr(value, "detach"):
            value = value.detach().cpu()
            if str(value.dtype) == "torch.bfloat16":  # foreign to NumPy
                value = value.float()
        array = np.asarray(value)
    except (TypeError, ValueError, RuntimeError) as error:
        raise ValueError(
            f"Official weight '{name}' should be an array of numbers. "
            f"Received: {type(value).__name__} ({error})"
        ) from error
    if array.dtype.kind not in "fiub" or not np.isfinite(array).all():
        raise ValueError(
            f"Official weight '{name}' should hold finite real numbers. "
            f"Received: {array.dtype} with NaN, infinity or other values."
        )
    return array


def _few(names: list[str], most: int = 8) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return f"{names[:most]}{more}"
