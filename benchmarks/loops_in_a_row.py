"""Whether the LSTMs' loops of the CMU-MOSEI network run side by side.

    OMP_NUM_THREADS=2 KERAS_BACKEND=jax python -m benchmarks.loops_in_a_row

A training step on two cores under JAX or TensorFlow, and from traces of a few
others: how long the loops take in all, and for how much of that two ran at
once. Medians, in milliseconds.
"""

import glob
import gzip
import json
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import keras

from benchmarks.msaf import mosei

ROUNDS = 30
TRACES = 5


def main() -> None:
    step = mosei(False).train
    for _ in range(5):
        step()
    print(
        f"step: {statistics.median(_clocked(step) for _ in range(ROUNDS))} ms"
    )
    loops = (
        _jax_loops if keras.backend.backend() == "jax" else _tensorflow_loops
    )
    found = [_together(loops(step)) for _ in range(TRACES)]
    for text, values in zip(
        ("loops", "all of them", "two at once", "from first to last"),
        zip(*found, strict=True),
        strict=True,
    ):
        print(f"{text}: {statistics.median(values):.1f}")


def _together(
    loops: list[tuple[float, float]],
) -> tuple[int, float, float, float]:
    """Number, sum, overlap and whole span of loops with start and end."""
    loops = sorted(loops)
    together, end = 0.0, 0.0
    for start, stop in loops:
        together += max(0.0, min(stop, end) - start)
        end = max(end, stop)
    total = sum(stop - start for start, stop in loops)
    return len(loops), total, together, end - loops[0][0]


def _clocked(step: Any) -> float:
    start = time.perf_counter()
    step()
    return round(1000 * (time.perf_counter() - start), 1)


def _jax_loops(step: Any) -> list[tuple[float, float]]:
    """Start and end of every loop in a step."""
    import jax

    with tempfile.TemporaryDirectory() as folder:
        with jax.profiler.trace(folder, create_perfetto_trace=True):
            step()
        pattern = f"{folder}/plugins/profile/*/perfetto_trace.json.gz"
        (file,) = glob.glob(pattern)
        with gzip.open(file) as trace:
            events = json.load(trace)["traceEvents"]
    return [
        (e["ts"] / 1000, (e["ts"] + e["dur"]) / 1000)
        for e in events
        if e.get("ph") == "X" and e["name"].startswith("while.")
    ]


def _tensorflow_loops(step: Any) -> list[tuple[float, float]]:
    """Start and end of every compiled function, each around one loop."""
    import tensorflow as tf
    from tensorflow.tsl.profiler.protobuf.xplane_pb2 import XSpace

    with tempfile.TemporaryDirectory() as folder:
        with tf.profiler.experimental.Profile(folder):
            step()
        (file,) = glob.glob(f"{folder}/plugins/profile/*/*.xplane.pb")
        space = XSpace.FromString(Path(file).read_bytes())
    found = []
    for plane in space.planes:
        for line in plane.lines:
            for event in line.events:
                name = plane.event_metadata[event.metadata_id].name
                if name == "CpuExecutable::ExecuteAsyncOnStream":
                    start = line.timestamp_ns / 1e6 + event.offset_ps / 1e9
                    found.append((start, start + event.duration_ps / 1e9))
    return found


if __name__ == "__main__":
    main()
