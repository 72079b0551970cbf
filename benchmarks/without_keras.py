"""What the CMU-MOSEI network's prediction takes under PyTorch without Keras.

    OMP_NUM_THREADS=1 KERAS_BACKEND=torch python -m benchmarks.without_keras

The operations that a prediction calls in PyTorch are recorded, and called
again one by one, as they were but for Keras around them. The rest of a
prediction's time is Keras' own. Medians in milliseconds, all in turns, beside
plain PyTorch.
"""

import statistics
import time
from collections.abc import Callable
from typing import Any

import keras
import torch
from torch.fx.experimental.proxy_tensor import make_fx

import keras_mmfusion as mmf
from benchmarks import msaf, steps

ROUNDS = 60


@torch.no_grad()
def main() -> None:
    torch.set_num_threads(1)
    model = mmf.models.MSAF.from_preset("mosei", load_weights=False)
    arrays = steps.random_arrays(msaf.mosei_shapes(False))
    x = {k: keras.ops.convert_to_tensor(v) for k, v in arrays.items()}

    def predict(*tensors: torch.Tensor) -> Any:
        return model(dict(zip(x, tensors, strict=True)), training=False)

    recorded = make_fx(predict)(*x.values())
    torch.testing.assert_close(recorded(*x.values()), predict(*x.values()))
    jobs: dict[str, Callable[[], Any]] = {
        "ours": lambda: model.predict_on_batch(x),
        "its operations without Keras": lambda: recorded(*x.values()),
        "plain PyTorch": msaf.plain_mosei(False).infer,
    }
    times: dict[str, list[float]] = {name: [] for name in jobs}
    for _ in range(ROUNDS):
        for name, job in jobs.items():
            job()
            start = time.perf_counter()
            job()
            times[name].append(1000 * (time.perf_counter() - start))
    for name, found in times.items():
        print(f"{name}: {statistics.median(found):.1f}")
    calls = [n for n in recorded.graph.nodes if n.op == "call_function"]
    print(f"operations: {len(calls)}")


if __name__ == "__main__":
    main()
