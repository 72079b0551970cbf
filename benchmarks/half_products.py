"""Products of bfloat16 matrices under JAX, with and without a float32 result.

KERAS_BACKEND=jax python -m benchmarks.half_products
"""

import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

SHAPES = ((1024, 1024, 1024), (4000, 40, 160), (800, 768, 512))


def best_seconds(function: Callable[..., Any], *args: jax.Array) -> float:
    """Least processor time of eight calls of the compiled function."""
    compiled = jax.jit(function)
    jax.block_until_ready(compiled(*args))
    seconds = []
    for _ in range(8):
        start = time.process_time()
        jax.block_until_ready(compiled(*args))
        seconds.append(time.process_time() - start)
    return min(seconds)


def main() -> None:
    print("| product | float32 | bfloat16 | as float32 first |")
    print("| --- | --- | --- | --- |")
    for m, k, n in SHAPES:
        gflop = 2e-9 * m * k * n
        a, b = jnp.ones((m, k)), jnp.ones((k, n))
        half = a.astype("bfloat16"), b.astype("bfloat16")
        rates = [
            gflop / best_seconds(jnp.matmul, a, b),
            gflop / best_seconds(jnp.matmul, *half),
            gflop / best_seconds(_as_float32_first, *half),
        ]
        row = " | ".join(f"{rate:.0f}" for rate in rates)
        print(f"| {m} x {k} x {n} | {row} |")


def _as_float32_first(a: jax.Array, b: jax.Array) -> jax.Array:
    y = jnp.matmul(a, b, preferred_element_type=jnp.float32)
    return y.astype(a.dtype)


if __name__ == "__main__":
    main()
