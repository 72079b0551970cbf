"""Plain-text form of a result."""

import textwrap
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from keras_mmfusion.evaluation.result import Result

_WIDTH = 79


def render(result: "Result") -> str:
    """Scores, floors, paired tests and warnings as text."""
    names = list(result.models)
    seeds = len(result.first.runs)
    head = (
        f"{result.name}: {len(result.ids)} test samples, {seeds} seeds, "
        f"selected by {result.choices['select']}. Mean ± deviation over "
        f"seeds [95 % interval over {unit(result)}]."
    )
    width = max(map(len, [*names, *result.floors]))
    lines = [_filled(head)]
    for metric in result.scoring["metrics"]:
        mark = " (main)" if metric == result.main else ""
        lines.append(f"\n{metric}{mark}")
        for name, model in result.models.items():
            lines.append(f"  {name:<{width}}  {model.scores[metric]}")
        for name, floor in result.floors.items():
            value = floor.get(metric, np.nan)
            text = f"{value:.3f}" if np.isfinite(value) else "undefined"
            lines.append(f"  {name:<{width}}  {text}")
    if result.paired:
        lines.append(f"\nPaired tests of {result.main}")
        for a, b, test in result.paired:
            lines.append(_filled(f"{a} minus {b}: {test}", "  ", "    "))
    if result.warnings:
        lines.append("\nWarnings")
        lines += [_filled(text, "- ", "  ") for text in result.warnings]
    return "\n".join(lines)


def unit(result: "Result") -> str:
    """What was resampled for intervals, in words."""
    if result.groups is None:
        return "test samples"
    count = len(np.unique(result.groups))
    return f"{count} groups ({result.scoring['groups']})"


def _filled(text: str, first: str = "", rest: str = "") -> str:
    return textwrap.fill(
        text, _WIDTH, initial_indent=first, subsequent_indent=rest
    )
