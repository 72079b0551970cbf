"""Type aliases: a backend's tensor and its shape have no common Python type."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

Tensor: TypeAlias = Any
Shape: TypeAlias = tuple[int | None, ...]
Modalities: TypeAlias = Mapping[str, Tensor] | Sequence[Tensor]
