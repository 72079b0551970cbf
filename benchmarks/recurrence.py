"""One training step of an LSTM: ours, Keras', and on PyTorch torch.nn.LSTM.

    KERAS_BACKEND=torch OMP_NUM_THREADS=1 python benchmarks/recurrence.py

By default the text branch of MSAF's CMU-MOSEI network: batch 16, 50 steps, 768
to 128. Medians; compare ratios within one run only.
"""

import argparse
import os
import statistics
import time
from collections.abc import Callable
from typing import Any

import keras
import numpy as np

import keras_mmfusion as mmf


def model_step(
    layer: keras.layers.Layer, batch: int, steps: int, features: int
) -> Callable[[], Any]:
    model = keras.Sequential(
        [keras.Input((None, features)), layer, keras.layers.Dense(1)]
    )
    model.compile("adam", "mse")
    x = np.random.default_rng(0).normal(size=(batch, steps, features))
    y = np.zeros((batch, 1))
    return lambda: model.train_on_batch(x.astype("float32"), y)


def torch_step(
    batch: int, steps: int, features: int, units: int
) -> Callable[[], Any]:
    import torch

    lstm = torch.nn.LSTM(features, units, batch_first=True)
    head = torch.nn.Linear(units, 1)
    optimizer = torch.optim.Adam([*lstm.parameters(), *head.parameters()])
    x = torch.randn(batch, steps, features)

    def step() -> None:
        optimizer.zero_grad()
        head(lstm(x)[0][:, -1]).square().mean().backward()
        optimizer.step()

    return step


def milliseconds(step: Callable[[], Any], repeats: int) -> float:
    for _ in range(3):
        step()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        step()
        times.append(time.perf_counter() - start)
    return 1000 * statistics.median(times)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=30)
    parser.add_argument(
        "--sizes",
        nargs=4,
        type=int,
        default=(16, 50, 768, 128),
        metavar=("BATCH", "STEPS", "FEATURES", "UNITS"),
    )
    parser.add_argument("--policy", default="float32", help="ours and Keras'")
    arguments = parser.parse_args()
    keras.mixed_precision.set_dtype_policy(arguments.policy)
    *shape, units = arguments.sizes
    backend = keras.backend.backend()
    steps = {
        "keras_mmfusion": model_step(mmf.layers.LSTM(units), *shape),
        "keras": model_step(keras.layers.LSTM(units), *shape),
    }
    if backend == "torch":
        import torch

        torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
        steps["torch.nn"] = torch_step(*shape, units)
    for name, step in steps.items():
        spent = milliseconds(step, arguments.repeats)
        print(f"{backend:10} {name:15} {spent:8.1f} ms")


if __name__ == "__main__":
    main()
