"""Settings that must stand before any backend is imported."""

import os
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pytest

os.environ.setdefault("KERAS_BACKEND", "jax")
os.environ.setdefault("OMP_NUM_THREADS", "1")
# Compilation dominates these small tests under JAX; without the emitters it
# takes 0.6 of the time (measured with test_every_model.py).
os.environ.setdefault("JAX_DISABLE_MOST_OPTIMIZATIONS", "1")
# JAX 0.11 no longer knows them, and an unknown flag ends the process.
try:
    knows_emitters = version("jax").startswith("0.10.")
except PackageNotFoundError:
    knows_emitters = False
if knows_emitters:
    flag = "--xla_cpu_use_fusion_emitters=false"
    os.environ["XLA_FLAGS"] = f"{flag} {os.environ.get('XLA_FLAGS', '')}"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("MPLBACKEND", "Agg")
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")

BACKEND = os.environ["KERAS_BACKEND"]
if BACKEND == "torch":
    import torch

    torch.set_num_threads(1)
elif BACKEND == "tensorflow":
    import tensorflow as tf

    # A quarter of the time of a first training step.
    tf.config.optimizer.set_experimental_options(
        {"disable_meta_optimizer": True}
    )

# These hold NumPy only, so one run of them is enough.
BACKEND_FREE = ("reference", "goldens", "data/formats")
TESTS = Path(__file__).parent


def belongs_here(item: pytest.Item) -> bool:
    """Whether a test runs under this backend: `once("torch")` only there."""
    once = item.get_closest_marker("once")
    if once is not None:
        return (once.args[0] if once.args else "jax") == BACKEND
    folder = item.path.parent.relative_to(TESTS).as_posix()
    return BACKEND == "jax" or not folder.startswith(BACKEND_FREE)


@pytest.fixture(autouse=True)
def memory_of_other_tests():
    """Or a process of TensorFlow's grows to 13 GB."""
    if BACKEND != "tensorflow":
        yield
        return
    from keras_mmfusion.evaluation.memory import traces_freed

    with traces_freed():
        yield


def pytest_collection_modifyitems(
    config: pytest.Config, items: list[pytest.Item]
) -> None:
    """Leaves tests that need no backend, or take long, to one of the runs."""
    left_out = [item for item in items if not belongs_here(item)]
    items[:] = [item for item in items if belongs_here(item)]
    config.hook.pytest_deselected(items=left_out)
