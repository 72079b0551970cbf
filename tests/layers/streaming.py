"""Runs a layer's `stream` over pieces of a sequence."""

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np

from tests.backend import numpy_of


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function; under JAX compiled as one, and without side effects."""
    if keras.backend.backend() != "jax":
        return function
    import jax

    def stateless(*arguments: Any) -> Any:
        with keras.StatelessScope():
            return function(*arguments)

    return jax.jit(stateless)


def stream(layer: Any, x: Any, sizes: Sequence[int], mask: Any = None) -> Any:
    """Outputs of all pieces of these sizes, put together again."""
    tree = keras.tree
    step = compiled(layer.stream)
    state = layer.initial_state(len(tree.flatten(x)[0]))
    pieces, start = [], 0
    for size in sizes:
        x_part, mask_part = (
            None if v is None else _cut(v, slice(start, start + size))
            for v in (x, mask)
        )
        y, state = step(x_part, state, mask_part)
        pieces.append(tree.map_structure(numpy_of, y))
        start += size
    return tree.map_structure(lambda *y: np.concatenate(y, axis=1), *pieces)


def _cut(values: Any, steps: slice) -> Any:
    return keras.tree.map_structure(
        lambda v: keras.ops.convert_to_tensor(v[:, steps]), values
    )
