"""Loops over sequences; a place where code depends on the backend.

XLA on a CPU reads and writes a step of a bfloat16 sequence in float32: it
copies the whole sequence for that, once before the loop or even once a step.
Sequences of integers with the same bits are not copied.
"""

from collections.abc import Callable
from typing import Any

import keras
from keras import ops


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


def map_rows(function: Callable[[Any], Any], rows: Any) -> Any:
    """`ops.map`."""
    if keras.backend.backend() != "jax":
        return ops.map(function, rows)
    _, outputs = scan(lambda state, x: (state, function(x)), (), rows)
    return outputs


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
