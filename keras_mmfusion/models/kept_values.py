"""A model keeps its values when training or prediction fails under JAX.

Keras' trainer takes the values out of the variables, hands them from step to
step and puts them back at the end. If an error ends it before, be it a bad
batch or Ctrl-C, the model is left without values and cannot even be saved.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import keras


@contextmanager
def kept_values(model: keras.Model) -> Iterator[None]:
    """Puts the values of the last whole step back if an error passes."""
    if keras.backend.backend() != "jax":
        yield
        return
    # Costs no memory: a training step takes these arrays for its results, and
    # the other steps hand them on.
    before = [(v, v.value) for v in _variables(model)]
    try:
        yield
    except BaseException:
        model.jax_state_sync()
        model._jax_state = None  # A later failure must not bring it back.
        for variable, value in before:
            if _is_lost(variable):
                variable.assign(value)
        model.reset_metrics()  # Theirs were taken out, too.
        raise


def _variables(model: keras.Model) -> list[Any]:
    optimizer = getattr(model, "optimizer", None)
    return [
        *model.trainable_variables,
        *model.non_trainable_variables,
        *(optimizer.variables if optimizer is not None else []),
    ]


def _is_lost(variable: Any) -> bool:
    """Whether its value was taken out, or given away to a step."""
    value = variable._value
    return value is None or value.is_deleted()
