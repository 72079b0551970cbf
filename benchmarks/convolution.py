"""3D convolutions as `volume_convolution` and as Keras make them.

    KERAS_BACKEND=jax OMP_NUM_THREADS=1 python -m benchmarks.convolution

One clip, forward and with the gradients of both factors, compiled. Medians of
processor time; compare ratios within one run only.
"""

import statistics
import time
from typing import Any

import jax
import numpy as np
from keras import ops

from keras_mmfusion.ops.volume_convolution import volume_convolution

ROUNDS = 5
# Input, kernel, strides: two of ResNeXt's blocks, two of I3D's.
CASES = (
    ((1, 17, 58, 58, 32), (3, 3, 3, 32, 32), (1, 1, 1)),
    ((1, 17, 30, 30, 16), (3, 3, 3, 16, 16), (2, 2, 2)),
    ((1, 18, 30, 30, 96), (3, 3, 3, 96, 128), (1, 1, 1)),
    ((1, 6, 9, 9, 192), (3, 3, 3, 192, 384), (1, 1, 1)),
)


def keras_convolution(x: Any, kernel: Any, strides: Any) -> Any:
    return ops.conv(x, kernel, strides, "valid", data_format="channels_last")


def milliseconds(conv: Any, x: Any, kernel: Any, strides: Any) -> list[float]:
    """Of the sum of squares, and of its gradients."""

    def total(x: Any, kernel: Any) -> Any:
        return ops.sum(conv(x, kernel, strides) ** 2)

    found = []
    for job in (jax.jit(total), jax.jit(jax.grad(total, argnums=(0, 1)))):
        spent = []
        for _ in range(1 + ROUNDS):
            start = time.process_time()
            jax.block_until_ready(job(x, kernel))
            spent.append(1000 * (time.process_time() - start))
        found.append(statistics.median(spent[1:]))  # The first compiles.
    return found


def main() -> None:
    rng = np.random.default_rng(0)
    for x_shape, kernel_shape, strides in CASES:
        x = rng.normal(size=x_shape).astype("float32")
        kernel = rng.normal(size=kernel_shape).astype("float32")
        print(f"{x_shape} with {kernel_shape}, strides {strides}")
        for name, conv in (
            ("Keras", keras_convolution),
            ("ours", volume_convolution),
        ):
            forward, gradients = milliseconds(conv, x, kernel, strides)
            print(f"  {name:6} {forward:6.1f} ms, gradients {gradients:6.1f}")


if __name__ == "__main__":
    main()
