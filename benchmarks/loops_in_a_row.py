"""Whether XLA runs the LSTMs' loops of the CMU-MOSEI network side by side.

    KERAS_BACKEND=jax python -m benchmarks.loops_in_a_row

A training step on two cores, and from a trace of another: how long its loops
take in all, and for how much of that two ran at once.
"""

import glob
import gzip
import json
import statistics
import tempfile
import time
from typing import Any

import jax

from benchmarks.msaf import mosei

ROUNDS = 30


def main() -> None:
    step = mosei(False).train
    for _ in range(5):
        step()
    print(
        f"step: {statistics.median(_clocked(step) for _ in range(ROUNDS))} ms"
    )
    with tempfile.TemporaryDirectory() as folder:
        with jax.profiler.trace(folder, create_perfetto_trace=True):
            step()
        loops = _loops(folder)
    together = 0.0
    end = 0.0
    for start, stop in sorted(loops):
        together += max(0.0, min(stop, end) - start)
        end = max(end, stop)
    total = sum(stop - start for start, stop in loops)
    print(f"{len(loops)} loops: {total:.1f} ms, {together:.1f} of them at once")


def _clocked(step: Any) -> float:
    start = time.perf_counter()
    step()
    return round(1000 * (time.perf_counter() - start), 1)


def _loops(folder: str) -> list[tuple[float, float]]:
    """Start and end of every loop, milliseconds."""
    (file,) = glob.glob(f"{folder}/plugins/profile/*/perfetto_trace.json.gz")
    with gzip.open(file) as trace:
        events = json.load(trace)["traceEvents"]
    return [
        (e["ts"] / 1000, (e["ts"] + e["dur"]) / 1000)
        for e in events
        if e.get("ph") == "X" and e["name"].startswith("while.")
    ]


if __name__ == "__main__":
    main()
