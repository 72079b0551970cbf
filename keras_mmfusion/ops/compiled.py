"""Functions that XLA compiles; a place where code depends on the backend.

On a machine without a GPU Keras leaves TensorFlow's compiler off, so that a
loop over time calls the operations of each step one by one. There the loops
alone are compiled, in the steps of a model's own training and prediction: what
is exported must run where there is no compiler.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import keras

from keras_mmfusion.ops.device import on_cpu
from keras_mmfusion.types import Tensor

_in_a_step = ContextVar("in_a_step", default=False)


@contextmanager
def compiling() -> Iterator[None]:
    """Where functions made by `compiled` are compiled."""
    token = _in_a_step.set(True)
    try:
        yield
    finally:
        _in_a_step.reset(token)


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function` of tensors, under TensorFlow compiled within `compiling`.

    Where a length of the first tensor is open, but that of the batch, it is
    not compiled: it would be again for every length. In half precision it
    would be no faster.
    """
    if keras.backend.backend() != "tensorflow":
        return function
    by_xla = tf.function(function, jit_compile=True, autograph=False)

    def run(*tensors: Tensor) -> Any:
        by_steps = (
            not _in_a_step.get()
            or tf.executing_eagerly()
            or None in tensors[0].shape[1:]
            or tensors[0].dtype != "float32"
            or not on_cpu(tensors[0])
            or is_op_determinism_enabled()  # XLA refuses then.
        )
        return function(*tensors) if by_steps else by_xla(*tensors)

    return run


if keras.backend.backend() == "tensorflow":
    import tensorflow as tf
    from tensorflow.python.framework.config import is_op_determinism_enabled
