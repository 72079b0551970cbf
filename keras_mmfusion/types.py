"""Type aliases; a backend's tensor and its shape have no common Python type."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from numpy.typing import NDArray

Tensor: TypeAlias = Any
Shape: TypeAlias = tuple[int | None, ...]
Modalities: TypeAlias = Mapping[str, Tensor] | Sequence[Tensor]

Array: TypeAlias = NDArray[Any]
# Of labels and predictions, NumPy arrays.
Metric: TypeAlias = Callable[..., float]
