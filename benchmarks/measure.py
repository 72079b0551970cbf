"""Times, memory and operation counts of cases, one process per measurement.

Ours and plain PyTorch take turns within one process, so that a busy machine
slows both; the processor's ceilings for a matrix product and a copy are
measured between them. Each runs twice in a row and the second is clocked, for
in training a step follows a step: threads of the other side, which wait busily
for a while, are asleep by then. With one thread the time on the processor is
what a quiet machine would take; the time on the wall also holds what others
took.
"""

import argparse
import ctypes
import datetime
import json
import math
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.tables import RESULTS, markdown

BACKENDS = ("jax", "tensorflow", "torch")


@dataclass(frozen=True)
class Case:
    """Something to measure.

    Args:
        text: What it is, for the table.
        ours: Makes our `Steps`; `True` for a tiny form of the same.
        plain: The same in plain PyTorch, or `None`.
        tensor_megabytes: Size of the inputs of a layer whose time goes into
            reading and writing them; `None` for one that multiplies matrices.
    """

    text: str
    ours: Callable[[bool], Any]
    plain: Callable[[bool], Any] | None = None
    tensor_megabytes: float | None = None


def main(cases: Mapping[str, Case], description: str | None, name: str) -> None:
    """The command line of a benchmark; `name` names its file of results."""
    parser = argparse.ArgumentParser(
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--cases", nargs="+", choices=cases, default=[*cases])
    parser.add_argument(
        "--backends", nargs="+", choices=BACKENDS, default=[*BACKENDS]
    )
    parser.add_argument("--seconds", type=float, default=20, help="per timing")
    parser.add_argument("--rounds", type=int, default=5, help="at least")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--tiny", action="store_true", help="tiny sizes")
    parser.add_argument("--out", type=Path, default=RESULTS / f"{name}.json")
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        case = cases[arguments.cases[0]]
        print(json.dumps(_measure(case, arguments)))
        return
    module = f"benchmarks.{name}"
    out = arguments.out
    results = json.loads(out.read_text()) if out.exists() else {}
    for case in arguments.cases:
        for result in _measurements(module, case, cases[case], arguments):
            results[case] = result
            out.parent.mkdir(parents=True, exist_ok=True)
            out.write_text(json.dumps(results) + "\n")
        print(markdown({case: results[case]}), flush=True)


def _measurements(
    module: str, name: str, case: Case, arguments: argparse.Namespace
) -> Iterator[dict[str, Any]]:
    """The results of one case, after each backend with those before."""

    def run(backend: str, measure: str) -> Any:
        command = [sys.executable, "-m", module, "--cases", name]
        command += ["--backends", backend, "--measure", measure]
        command += ["--seconds", str(arguments.seconds)]
        command += ["--rounds", str(arguments.rounds)]
        command += ["--threads", str(arguments.threads)]
        command += ["--tiny"] * arguments.tiny
        threads = str(arguments.threads)
        done = subprocess.run(  # noqa: S603
            command,
            check=True,
            stdout=subprocess.PIPE,
            text=True,
            env={
                **os.environ,
                "KERAS_BACKEND": backend,
                "OMP_NUM_THREADS": threads,
                "TF_CPP_MIN_LOG_LEVEL": "3",
            },
        )
        return json.loads(done.stdout.splitlines()[-1])

    results: dict[str, Any] = {
        "text": case.text,
        "tensor_megabytes": case.tensor_megabytes,
        "date": datetime.date.today().isoformat(),
        "processor": _processor(),
        "threads": arguments.threads,
        "counts": run("torch", "counts"),
        "backends": {},
    }
    if case.plain:
        results["plain_memory"] = run("torch", "plain_memory")
    for backend in arguments.backends:
        results["backends"][backend] = {
            **run(backend, "times"),
            "memory": run(backend, "memory"),
        }
        yield results


def _measure(case: Case, arguments: argparse.Namespace) -> dict[str, Any]:
    # The processes of XLA take as many threads as they may have processors.
    processors = sorted(os.sched_getaffinity(0))[-arguments.threads :]
    os.sched_setaffinity(0, processors)
    import torch

    torch.set_num_threads(arguments.threads)
    if arguments.measure == "counts":
        return _counts(case.ours(arguments.tiny))
    if arguments.measure == "times":
        return _times(case, arguments)
    make = case.plain if arguments.measure == "plain_memory" else case.ours
    return _memory(make, arguments.tiny)


def _times(case: Case, arguments: argparse.Namespace) -> dict[str, Any]:
    import torch

    sides = {"ours": case.ours(arguments.tiny)}
    if case.plain:
        sides["plain"] = case.plain(arguments.tiny)
    a = torch.rand(1024, 1024)
    block = torch.rand(2**24)
    target = torch.empty_like(block)
    jobs = {"matmul": lambda: a @ a, "copy": lambda: target.copy_(block)}
    for side, steps in sides.items():
        jobs[f"{side}_train"] = steps.train
        jobs[f"{side}_infer"] = steps.infer
    first = {name: _clocked(job)["wall"] for name, job in jobs.items()}
    for job in jobs.values():
        job()
    rounds: list[dict[str, dict[str, float]]] = []
    start = time.perf_counter()
    while len(rounds) < arguments.rounds or (
        time.perf_counter() - start < arguments.seconds and len(rounds) < 99
    ):
        rounds.append({name: _second(job) for name, job in jobs.items()})
    return {
        "milliseconds": {
            name: {
                clock: _quartiles([r[name][clock] for r in rounds])
                for clock in ("cpu", "wall")
            }
            for name in jobs
        },
        "first_call_milliseconds": _rounded(first),
        "rounds": len(rounds),
    }


def _clocked(job: Callable[[], Any]) -> dict[str, float]:
    """Milliseconds on the clock, and of those that it had a processor."""
    cpu, wall = time.process_time(), time.perf_counter()
    job()
    return {
        "cpu": 1000 * (time.process_time() - cpu),
        "wall": 1000 * (time.perf_counter() - wall),
    }


def _second(job: Callable[[], Any]) -> dict[str, float]:
    job()
    return _clocked(job)


def _quartiles(values: list[float]) -> list[float]:
    quartiles = statistics.quantiles(values, n=4, method="inclusive")
    return [round(q, 3) for q in quartiles]


def _memory(make: Any, tiny: bool) -> dict[str, float]:
    """Megabytes of a process that only trains; Linux tells them.

    `before` it began, at the `peak` of three steps, `between` the second and
    the third, when what the allocator had free is given back, and at the peak
    of the `third` alone. Also that step's processor time, for what has no
    room beside others.
    """
    import keras_mmfusion  # noqa: F401  both sides start from the same imports

    before = _megabytes("VmHWM")
    steps = make(tiny)
    steps.train()
    steps.train()
    peak = _megabytes("VmHWM")
    ctypes.CDLL(None).malloc_trim(0)
    between = _megabytes("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # The peak begins anew.
    milliseconds = _clocked(steps.train)["cpu"]
    third = _megabytes("VmHWM")
    return _rounded(
        {
            "before": before,
            "peak": max(peak, third),
            "between": between,
            "third": third,
            "third_step": milliseconds,
        }
    )


def _megabytes(key: str) -> float:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(key):
            return int(line.split()[1]) / 1024
    raise ValueError(f"/proc/self/status does not tell {key}.")


def _counts(steps: Any) -> dict[str, int]:
    """Parameters and, from PyTorch's dispatcher, floating-point operations.

    Counted are products (2 per multiply-add) of matrices and convolutions;
    `torch.lstm`'s fused kernel is added by its formula.
    """
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    def lstm(x: Any, weight_ih: Any, weight_hh: Any, *_: Any, **__: Any) -> int:
        return 2 * x[0] * x[1] * (math.prod(weight_ih) + math.prod(weight_hh))

    def convolution_gradients(
        dy: Any, _: Any, weight: Any, *more: Any, **__: Any
    ):
        wanted = sum(more[-1][:2])  # Of inputs and weights, or one of them.
        return wanted * 2 * math.prod(dy) * math.prod(weight[1:])

    aten = torch.ops.aten
    formulas = {
        aten.mkldnn_rnn_layer: lstm,
        # The kernel always makes the gradient of the inputs, too.
        aten.mkldnn_rnn_layer_backward: lambda *a, **k: 2 * lstm(*a, **k),
        # PyTorch's own formula forgets the groups.
        aten.convolution_backward: convolution_gradients,
    }
    counts = {"parameters": steps.parameters}
    for name, step in (("train", steps.train), ("infer", steps.infer)):
        step()  # The first one also finds out shapes, by a whole forward pass.
        with FlopCounterMode(display=False, custom_mapping=formulas) as counter:
            step()
        counts[f"{name}_flops"] = counter.get_total_flops()
    return counts


def _rounded(values: Mapping[Any, float]) -> dict[str, float]:
    return {str(k): round(v, 3) for k, v in values.items()}


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return f"{os.cpu_count()} x {line.split(':')[1].strip()}"
    return platform.processor()
