"""Three LSTMs in one loop over time, or each in a loop of its own.

    KERAS_BACKEND=jax python benchmarks/joint_loop.py

The first and the second LSTMs of MSAF's CMU-MOSEI network on as many cores as
the process may have, x_t W of all steps given. Medians of milliseconds.
"""

import os
import statistics
import time
from typing import Any

import jax
import numpy as np

from keras_mmfusion.types import Tensor

UNITS = (128, 64, 32)
BATCH, STEPS, ROUNDS = 16, 50, 99


def cell(state: Any, x: Tensor, matrix: Tensor) -> Any:
    h, c = state
    i, f, g, o = jax.numpy.split(x + h @ matrix, 4, axis=-1)
    c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jax.numpy.tanh(g)
    h = jax.nn.sigmoid(o) * jax.numpy.tanh(c)
    return (h, c), h


def one_loop_each(inputs: list[Tensor], matrices: list[Tensor]) -> Any:
    return [
        jax.lax.scan(lambda s, x, u=u: cell(s, x, u), start(x, u), x)[1]
        for x, u in zip(inputs, matrices, strict=True)
    ]


def one_loop(inputs: list[Tensor], matrices: list[Tensor]) -> Any:
    def step(states: Any, x: Any) -> Any:
        found = [*map(cell, states, x, matrices)]
        return [state for state, _ in found], [h for _, h in found]

    starts = [*map(start, inputs, matrices)]
    return jax.lax.scan(step, starts, inputs)[1]


def start(x: Tensor, matrix: Tensor) -> Any:
    zeros = jax.numpy.zeros((x.shape[1], matrix.shape[0]))
    return zeros, zeros


def main() -> None:
    rng = np.random.default_rng(0)

    def normal(*shape: int) -> Any:
        return jax.numpy.asarray(rng.normal(size=shape).astype("float32"))

    inputs = [normal(STEPS, BATCH, 4 * units) for units in UNITS]
    matrices = [normal(units, 4 * units) / units**0.5 for units in UNITS]
    jobs: dict[str, Any] = {}
    for forward in (one_loop_each, one_loop):
        name = forward.__name__.replace("_", " ")
        jobs[name] = jax.jit(forward)
        jobs[f"{name}, with gradients"] = jax.jit(
            jax.grad(lambda x, u, f=forward: sum(h.sum() for h in f(x, u)), 1)
        )
    times: dict[str, list[float]] = {name: [] for name in jobs}
    for _ in range(ROUNDS):
        for name, job in jobs.items():
            begin = time.perf_counter()
            jax.block_until_ready(job(inputs, matrices))
            times[name].append(1000 * (time.perf_counter() - begin))
    cores = len(os.sched_getaffinity(0))
    print(f"{cores} cores")
    for name, measured in times.items():
        print(f"{name}: {statistics.median(measured):.2f}")


if __name__ == "__main__":
    main()
