"""Memory that TensorFlow would keep; code that depends on the backend."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import keras


@contextmanager
def traces_freed() -> Iterator[None]:
    """Frees the traced graphs of models that live inside only.

    TensorFlow enters every custom gradient that it traces into a registry,
    which holds its graph for as long as the process runs, also after the
    model is gone: for a small `MEA` some 100 MB each. What was entered
    outside stays.
    """
    entries = _gradient_registry()
    before = set(entries)
    try:
        yield
    finally:
        traced = set(entries) - before
        for name in traced:
            if name.startswith("CustomGradient-"):
                del entries[name]
        # Models are cycles of objects. Under TensorFlow one that was traced
        # has an entry at least.
        if traced or not entries:
            gc.collect()


def _gradient_registry() -> dict[str, Any]:
    if keras.backend.backend() != "tensorflow":
        return {}
    from tensorflow.python.framework import ops

    # There is no public way; where it is called otherwise, nothing is freed.
    return getattr(ops.gradient_registry, "_registry", {})
