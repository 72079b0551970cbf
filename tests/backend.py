"""Gradients and comparisons that work under each backend."""

import itertools
from collections.abc import Callable
from typing import Any

import keras
import numpy as np


def numpy_of(x: Any) -> np.ndarray:
    return keras.ops.convert_to_numpy(x)


def call(layer: Any, inputs: Any, **kwargs: Any) -> Any:
    """`layer(inputs, **kwargs)`; one compilation under JAX, where every
    operation of an eager call is compiled alone. State is left as it is."""
    if keras.backend.backend() != "jax":
        return layer(inputs, **kwargs)
    import jax

    if not layer.built:
        layer.build(keras.tree.map_structure(lambda x: x.shape, inputs))
    tensors = {k: v for k, v in kwargs.items() if not isinstance(v, bool)}
    flags = {k: v for k, v in kwargs.items() if isinstance(v, bool)}

    def stateless(x: Any, tensors: dict[str, Any]) -> Any:
        with keras.StatelessScope():
            return layer(x, **tensors, **flags)

    return jax.jit(stateless)(inputs, tensors)


def spare_tracing(model: Any) -> Any:
    """`model`, for tests that train but are not about how. TensorFlow takes
    21 s to trace a training step of MEA, and 2 s to run it eagerly; JAX, which
    compiles every operation of an eager step alone, 11 s and 22 s."""
    if keras.backend.backend() == "tensorflow":
        model.run_eagerly = True
    return model


def input_gradients(
    function: Callable[[dict[str, Any]], Any], inputs: dict[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """Gradient of the scalar `function(inputs)` with respect to each input."""
    tensors = {
        k: keras.ops.convert_to_tensor(v, dtype="float32")
        for k, v in inputs.items()
    }
    backend = keras.backend.backend()
    if backend == "jax":
        import jax

        def stateless(values: dict[str, Any]) -> Any:
            with keras.StatelessScope():
                return function(values)

        grads = jax.jit(jax.grad(stateless))(tensors)
    elif backend == "tensorflow":
        import tensorflow as tf

        with tf.GradientTape() as tape:
            tape.watch(tensors)
            value = function(tensors)
        grads = tape.gradient(value, tensors)
    else:
        tensors = {k: v.requires_grad_(True) for k, v in tensors.items()}
        function(tensors).backward()
        grads = {k: v.grad for k, v in tensors.items()}
    return {k: numpy_of(v) for k, v in grads.items()}


def relative_error(value: Any, expected: Any) -> float:
    """Largest difference, relative to the largest expected magnitude."""
    value = np.asarray(numpy_of(value), "float64")
    expected = np.asarray(expected, "float64")
    assert value.shape == expected.shape, (value.shape, expected.shape)
    scale = max(float(np.abs(expected).max()), 1e-30)
    return float(np.abs(value - expected).max()) / scale


def copied_weights(weights: list[Any]) -> list[tuple[str, str]]:
    """Pairs of weights that begin alike, up to a factor, though random."""
    drawn = {w.path: numpy_of(w).ravel() for w in weights if w.ndim}
    drawn = {k: v for k, v in drawn.items() if len(set(v.tolist())) > 4}
    pairs = []
    for (first, a), (second, b) in itertools.combinations(drawn.items(), 2):
        size = min(a.size, b.size)
        if abs(np.corrcoef(a[:size], b[:size])[0, 1]) > 0.9999:
            pairs.append((first, second))
    return pairs
