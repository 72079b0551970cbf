"""Settings that must stand before any backend is imported."""

import os
from pathlib import Path

import pytest

os.environ.setdefault("KERAS_BACKEND", "jax")
os.environ.setdefault("OMP_NUM_THREADS", "1")
# Compilation dominates these small tests under JAX.
os.environ.setdefault("JAX_DISABLE_MOST_OPTIMIZATIONS", "1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("MPLBACKEND", "Agg")
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")

if os.environ["KERAS_BACKEND"] == "torch":
    import torch

    torch.set_num_threads(1)

# These hold NumPy only, so one run of them is enough.
BACKEND_FREE = ("reference", "goldens", "data/formats")
TESTS = Path(__file__).parent


def pytest_collection_modifyitems(
    config: pytest.Config, items: list[pytest.Item]
) -> None:
    """Leaves tests that need no backend to the run under JAX."""
    if os.environ["KERAS_BACKEND"] == "jax":
        return
    again, left_out = [], []
    for item in items:
        folder = item.path.parent.relative_to(TESTS).as_posix()
        once = item.get_closest_marker("once") or folder.startswith(
            BACKEND_FREE
        )
        (left_out if once else again).append(item)
    items[:] = again
    config.hook.pytest_deselected(items=left_out)
