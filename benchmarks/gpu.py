"""Times and memory on a GPU, of the cases of the other benchmarks.

    python -m benchmarks.gpu --cases msaf.mosei mea.mosi mea.mosi_bfloat16

Ours under JAX and PyTorch and, where there is one, the plain PyTorch
rendering; one process each, by the clock, until the results are there. Memory
is the peak that the framework's allocator gave out on the device.
"""

import argparse
import importlib
import json
import os
import statistics
import subprocess
import sys
import time
from typing import Any

SIDES = ("plain", "torch", "jax")
FEWEST, SECONDS = 5, 2


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--cases", nargs="+", required=True)
    parser.add_argument("--sides", nargs="+", choices=SIDES, default=SIDES)
    parser.add_argument("--tiny", action="store_true", help="tiny sizes")
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    a = parser.parse_args()
    if a.one:
        print(json.dumps(measure(a.cases[0], a.sides[0], a.tiny)))
        return
    print("| case | side | train ms | infer ms | peak MB | device |")
    print("| --- " * 6 + "|")
    for case in a.cases:
        for side in a.sides:
            row = in_process(case, side, a.tiny)
            print(f"| `{case}` | {side} | {row} |", flush=True)


def in_process(case: str, side: str, tiny: bool) -> str:
    """The cells of a row, or why there are none."""
    command = [sys.executable, "-m", "benchmarks.gpu", "--one"]
    command += ["--cases", case, "--sides", side] + ["--tiny"] * tiny
    backend = "torch" if side == "plain" else side
    done = subprocess.run(  # noqa: S603
        command,
        capture_output=True,
        text=True,
        env={
            **os.environ,
            "KERAS_BACKEND": backend,
            "XLA_PYTHON_CLIENT_PREALLOCATE": "false",
        },
    )
    if done.returncode:
        said = done.stderr.strip().splitlines() or ["ended by a signal"]
        return said[-1][:200] + " | | |"
    found = json.loads(done.stdout.splitlines()[-1])
    return (
        f"{found['train']:.2f} | {found['infer']:.2f} | {found['peak']:.0f} "
        f"| {found['device']}"
    )


def measure(name: str, side: str, tiny: bool) -> dict[str, Any]:
    module, case_name = name.split(".")
    case = importlib.import_module(f"benchmarks.{module}").CASES[case_name]
    make = case.plain if side == "plain" else case.ours
    if make is None:
        raise SystemExit(f"{name} has no plain form")
    device, wait, peak = _jax() if side == "jax" else _torch()
    steps = make(tiny)
    seconds = 0 if tiny else SECONDS
    train = _milliseconds(steps.train, wait, seconds)
    found = {"train": train, "peak": peak() / 1e6}
    infer = _milliseconds(steps.infer, wait, seconds)
    return {**found, "infer": infer, "device": device}


def _milliseconds(job: Any, wait: Any, seconds: float) -> float:
    """Median after three calls, which may compile."""
    for _ in range(3):
        job()
    wait()
    times: list[float] = []
    start = time.perf_counter()
    while len(times) < FEWEST or time.perf_counter() - start < seconds:
        before = time.perf_counter()
        job()
        wait()
        times.append(time.perf_counter() - before)
    return 1000 * statistics.median(times)


def _torch() -> tuple[str, Any, Any]:
    import torch

    if not torch.cuda.is_available():
        return "cpu", lambda: None, lambda: float("nan")
    torch.set_default_device("cuda")  # For what plain modules make.
    name = torch.cuda.get_device_name()
    return name, torch.cuda.synchronize, torch.cuda.max_memory_allocated


def _jax() -> tuple[str, Any, Any]:
    import jax

    device = jax.devices()[0]

    def peak() -> float:
        stats = device.memory_stats() or {}
        return stats.get("peak_bytes_in_use", float("nan"))

    # Steps return what they have computed, so there is nothing to wait for.
    return device.device_kind, lambda: None, peak


if __name__ == "__main__":
    main()
