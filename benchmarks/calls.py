"""What a call of Keras takes beside PyTorch's, without the work in it.

    KERAS_BACKEND=torch OMP_NUM_THREADS=1 python benchmarks/calls.py

Microseconds of processor time, mean of 2,000 calls on 2 x 3 x 4 values.
"""

import time
from collections.abc import Callable
from typing import Any

import keras
import torch
from keras import ops

CALLS = 2000


def jobs() -> dict[str, Callable[[], Any]]:
    x = torch.randn(2, 3, 4)
    dense = keras.layers.Dense(4)
    dense(x)
    kernel = dense.kernel.value
    return {
        "Dense": lambda: dense(x),
        "Dense.call": lambda: dense.call(x),
        "ops.matmul": lambda: ops.matmul(x, kernel),
        "@": lambda: x @ kernel,
        "ops.reshape": lambda: ops.reshape(x, (6, 4)),
        "torch.reshape": lambda: torch.reshape(x, (6, 4)),
        "ops.sum": lambda: ops.sum(x, axis=1),
        "torch.sum": lambda: torch.sum(x, dim=1),
    }


@torch.no_grad()
def main() -> None:
    torch.set_num_threads(1)
    for name, job in jobs().items():
        for _ in range(50):
            job()
        start = time.process_time()
        for _ in range(CALLS):
            job()
        spent = (time.process_time() - start) / CALLS
        print(f"{name:14} {1e6 * spent:6.1f} µs")


if __name__ == "__main__":
    main()
