"""The results of `benchmarks.measure` as a table.

python -m benchmarks.tables benchmarks/results/msaf.json
"""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"
HEADER = (
    "| case | backend | train ms | plain | ratio (clock) | infer ms | plain "
    "| ratio (clock) | peak MB | share of ceiling |\n" + "| --- " * 10 + "|"
)
# Passes over its inputs that a layer cannot do without: inference reads x for
# the attention, then again to write y; the gradient reads x and dy, writes dx.
PASSES = {"infer": 3, "train": 7}


def markdown(results: Mapping[str, Any]) -> str:
    """One row per case and backend.

    Times are medians of processor time, ratios ours to plain PyTorch, in
    brackets by the clock on the wall.
    """
    rows = [HEADER]
    for result in results.values():
        for backend, measured in result["backends"].items():
            cells = [result["text"], backend]
            for mode in ("train", "infer"):
                cells += _times(measured["milliseconds"], mode)
            memory = measured["memory"]["peak"]
            plain = result.get("plain_memory", {}).get("peak")
            cells.append(f"{memory:.0f}" + (f" / {plain:.0f}" if plain else ""))
            cells.append(_share(result, measured["milliseconds"]))
            rows.append("| " + " | ".join(cells) + " |")
    return "\n".join(rows)


def _times(times: Mapping[str, Any], mode: str) -> list[str]:
    ours, plain = times[f"ours_{mode}"], times.get(f"plain_{mode}")
    if plain is None:
        return [f"{ours['cpu'][1]:.1f}", "", ""]
    ratios = [ours[c][1] / plain[c][1] for c in ("cpu", "wall")]
    return [
        f"{ours['cpu'][1]:.1f}",
        f"{plain['cpu'][1]:.1f}",
        "{:.2f} ({:.2f})".format(*ratios),
    ]


def _share(result: Mapping[str, Any], times: Mapping[str, Any]) -> str:
    """Of the training step: products for networks, copies for layers.

    The ceiling is the lower quartile: a busy moment is none.
    """
    train = times["ours_train"]["cpu"][1]
    megabytes = result["tensor_megabytes"]
    if megabytes:
        rate = PASSES["train"] * megabytes / train
        # The copy reads and writes 64 MiB.
        share = rate / (2 * 2**26 / 1e6 / times["copy"]["cpu"][0])
        return f"{share:.0%} of copy"
    rate = result["counts"]["train_flops"] / train
    share = rate / (2 * 1024**3 / times["matmul"]["cpu"][0])
    return f"{share:.0%} of matmul"


if __name__ == "__main__":
    print(markdown(json.loads(Path(sys.argv[1]).read_text())))
