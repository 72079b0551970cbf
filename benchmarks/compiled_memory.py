"""What a compiled training step of MEA needs for its arrays, under JAX.

    KERAS_BACKEND=jax python -m benchmarks.compiled_memory --cases mosi_8

XLA's own plan: arrays between a step's inputs and outputs. The resident size
of a process also holds what the allocator has not given back.
"""

import argparse
from typing import Any
from unittest import mock

import jax

from benchmarks.mea import CASES


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", nargs="+", choices=CASES, default=["mosi_8"])
    for name in parser.parse_args().cases:
        print(f"{CASES[name].text}: {planned_bytes(name) / 1e6:.0f} MB")


class Planned(Exception):  # noqa: N818 - no error.
    """Carries the plan of a step, instead of taking it."""


def planned_bytes(name: str) -> int:
    """Of the step that Keras compiles in a first `train_on_batch`."""

    def planning(function: Any, **settings: Any) -> Any:
        def call(*args: Any) -> Any:
            step = jax.jit(function, **settings).lower(*args).compile()
            raise Planned(step.memory_analysis().temp_size_in_bytes)

        return call

    step = CASES[name].ours(False)
    with mock.patch("keras.src.backend.jax.trainer.jit", planning):
        try:
            step.train()
        except Planned as plan:
            return int(plan.args[0])
    raise RuntimeError("Keras compiled no training step")


if __name__ == "__main__":
    main()
