"""Building a model without believing its config.

Variables are created inside `keras.StatelessScope`, where they have a name
and a shape but no memory. Only when the caller's check has passed are they
filled, so that a config with absurd sizes is refused before it allocates.

Keras cannot make an optimizer inside that scope. A model that compiles
itself in its constructor hands the call to `postpone`.
"""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple

import keras
import numpy as np

from keras_mmfusion import registry
from keras_mmfusion.presets.errors import PresetFileError

_pending = threading.local()


class WeightSpec(NamedTuple):
    """Shape and dtype of one weight."""

    shape: tuple[int, ...]
    dtype: str


def build(
    data: Mapping[str, Any],
    check: Callable[[Any], None],
    subclass: type | None = None,
) -> Any:
    """Builds a registered model and runs `check` before memory is used.

    Args:
        data: `{"class_name": ..., "config": ...}`.
        check: Called with the model whose variables are still empty. What
            it raises ends the construction.
        subclass: A subclass of the registered one to build in its place.

    Returns:
        The built model with its initial weights.
    """
    outer = getattr(_pending, "calls", None)
    calls: list[Callable[[], object]] = []
    _pending.calls = calls
    try:
        with _deferred_variables():
            model = registry.from_config(data, subclass)
            check(model)
    finally:
        _pending.calls = outer
    for call in calls:
        call()
    return model


def postpone(call: Callable[[], object]) -> bool:
    """Keeps a call until the model under construction has its variables.

    For a `compile` that a constructor calls:

    ```python
    from keras_mmfusion import presets

    class Compiled:
        def compile(self, optimizer="adam"):
            if presets.postpone(lambda: self.compile(optimizer)):
                return
            self.optimizer = optimizer

    model = Compiled()
    model.compile()
    assert model.optimizer == "adam"
    ```

    Args:
        call: Run after the construction; dropped if that fails.

    Returns:
        Whether a preset is being built, so that the call was kept.
    """
    calls = getattr(_pending, "calls", None)
    if calls is None:
        return False
    calls.append(call)
    return True


def start_from(variable: Any, array: Any) -> None:
    """Makes an empty variable start as `array` instead of at random.

    On JAX every random start of another shape is compiled anew, which took
    most of the time of loading. This only saves that time: weights are
    assigned and read back in any case.

    Args:
        variable: A variable under construction, in the `check` of `build`.
        array: Its value, of the same shape; copied.
    """

    def value(shape: Any, dtype: Any = None) -> Any:
        return keras.ops.convert_to_tensor(np.array(array), dtype=dtype)

    variable._initializer = value


def weight_specs(
    data: Mapping[str, Any], named_weights: Callable[[Any], dict[str, Any]]
) -> dict[str, WeightSpec]:
    """Returns what weights a config would build, without building them."""
    specs: dict[str, WeightSpec] = {}

    def collect(model: Any) -> None:
        specs.update(specs_of(named_weights(model)))
        raise _EnoughSeenError

    with suppress(_EnoughSeenError):
        build(data, collect)
    return specs


def specs_of(weights: Mapping[str, Any]) -> dict[str, WeightSpec]:
    """Returns the shape and stored dtype of named variables."""
    return {
        name: WeightSpec(tuple(weight.shape), stored_dtype(weight.dtype))
        for name, weight in weights.items()
    }


def stored_dtype(dtype: str) -> str:
    """Returns the dtype of a variable in files, the same on all backends."""
    if "float" in dtype:
        return "float32"
    return "int32" if "int" in dtype else dtype


def compare(
    found: Mapping[str, WeightSpec],
    expected: Mapping[str, WeightSpec],
    message: str,
) -> None:
    """Raises `PresetFileError` listing every difference, if any."""
    problems = differences(found, expected)
    if problems:
        raise PresetFileError(f"{message}: {'; '.join(problems)}.")


def differences(
    found: Mapping[str, WeightSpec], expected: Mapping[str, WeightSpec]
) -> list[str]:
    """Returns what differs between two sets of weights, in words."""
    missing = [f"missing '{n}'" for n in sorted(expected.keys() - found.keys())]
    extra = [
        f"unexpected '{n}'" for n in sorted(found.keys() - expected.keys())
    ]
    other = [
        f"'{n}' is {found[n].dtype} {found[n].shape}, expected "
        f"{expected[n].dtype} {expected[n].shape}"
        for n in sorted(found.keys() & expected.keys())
        if found[n] != expected[n]
    ]
    return missing + extra + other


class _EnoughSeenError(Exception):
    """Leaves the scope after a dry construction."""


@contextmanager
def _deferred_variables() -> Iterator[None]:
    try:
        with keras.StatelessScope() as scope:
            try:
                yield
            except BaseException as error:
                scope.initialize_variables = False
                if "while in a stateless scope" in str(error):
                    error.add_note(
                        "The constructor makes an optimizer or a variable "
                        "with a fixed value. If it calls compile(), hand "
                        "that call to keras_mmfusion.presets.postpone."
                    )
                raise
    except BaseException:
        _forget_pending_variables()
        raise


def _forget_pending_variables() -> None:
    # Keras would otherwise fill the refused variables on the next occasion.
    # There is no public way to drop them.
    from keras.src.backend.common import global_state

    global_state.set_global_attribute("uninitialized_variables", [])
