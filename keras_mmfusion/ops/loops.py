"""Loops over sequences; a place where code depends on the backend.

XLA on a CPU reads and writes a step of a bfloat16 sequence in float32: it
copies the whole sequence for that, once before the loop or even once a step.
Sequences of integers with the same bits are not copied.
"""

from collections.abc import Callable, Mapping
from typing import Any

import keras
from keras import ops

from keras_mmfusion.types import Tensor


def scan(
    step: Callable[[Any, Any], Any],
    state: Any,
    sequences: Any,
    reverse: bool = False,
) -> Any:
    """`ops.scan`."""
    if keras.backend.backend() != "jax":
        return ops.scan(step, state, sequences, reverse=reverse)
    half_sequences = _half(sequences)
    half_outputs: Any = None

    def step_of_bits(state: Any, x: Any) -> Any:
        nonlocal half_outputs
        state, y = step(state, _view(x, half_sequences, "bfloat16"))
        half_outputs = _half(y)
        return state, _view(y, half_outputs, "uint16")

    bits = _view(sequences, half_sequences, "uint16")
    state, outputs = ops.scan(step_of_bits, state, bits, reverse=reverse)
    return state, _view(outputs, half_outputs, "bfloat16")


def map_rows(function: Callable[[Any], Any], rows: Mapping[str, Tensor]) -> Any:
    """`ops.map`, with room for the results once the last of `rows` is there."""
    if keras.backend.backend() != "jax":
        return ops.map(function, rows)
    half_rows = _half(rows)
    bits = _view(rows, half_rows, "uint16")

    def row(i: Any) -> Any:
        x = keras.tree.map_structure(lambda x: x[i], bits)
        return function(_view(x, half_rows, "bfloat16"))

    results = jax.eval_shape(row, 0)
    half_results = _half(results)
    # JAX begins with zeros. XLA makes them when the training step begins, so
    # those of a gradient's loop would be in memory until it runs.
    *_, last = rows.values()
    filling = ops.ravel(last)[0]
    count = last.shape[0]

    def room(y: Any, half: bool) -> Any:
        dtype = "uint16" if half else y.dtype
        return ops.full((count, *y.shape), ops.cast(filling, dtype), dtype)

    def write(i: Any, found: Any) -> Any:
        y = _view(row(i), half_results, "uint16")
        return keras.tree.map_structure(lambda f, y: f.at[i].set(y), found, y)

    start = keras.tree.map_structure(room, results, half_results)
    found = jax.lax.fori_loop(0, count, write, start)
    return _view(found, half_results, "bfloat16")


def _half(tensors: Any) -> Any:
    """Which tensors of a structure are bfloat16."""
    return keras.tree.map_structure(
        lambda x: keras.backend.standardize_dtype(x.dtype) == "bfloat16",
        tensors,
    )


def _view(tensors: Any, half: Any, dtype: str) -> Any:
    return keras.tree.map_structure(
        lambda x, half: ops.view(x, dtype) if half else x, tensors, half
    )


if keras.backend.backend() == "jax":
    import jax
