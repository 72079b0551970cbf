"""Plain-text form of a report."""

import textwrap
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from keras_mmfusion.metrics.reports import Report

_WIDTH = 82
_LABEL = 10
_CELL = 12
_TITLES = {
    "regression": "Sentiment regression",
    "classification": "Classification",
    "emotions": "Four yes-or-no emotions",
    "affect": "Valence and arousal",
}
_NAMES = {
    "acc2_has0": "Acc2 has0",
    "f1_has0": "F1 has0",
    "acc2_non0": "Acc2 non0",
    "f1_non0": "F1 non0",
    "acc7": "Acc7",
    "acc5": "Acc5",
    "acc3": "Acc3",
    "mae": "MAE",
    "corr": "Corr",
    "accuracy": "Accuracy",
    "top3": "Top-3 accuracy",
    "top5": "Top-5 accuracy",
    "balanced_accuracy": "Balanced accuracy",
    "f1_weighted": "F1 weighted",
    "f1_macro": "F1 macro",
    "ccc_valence": "CCC valence",
    "ccc_arousal": "CCC arousal",
    "ccc_mean": "CCC mean",
}
_IN_UNITS = frozenset({"mae", "corr", "ccc_valence", "ccc_arousal", "ccc_mean"})


def _number(key: str, value: float | None, short: bool = False) -> str:
    if value is None:
        return ""
    if not np.isfinite(value):
        return "undefined"
    if key in _IN_UNITS:
        return f"{value:.2f}" if short else f"{value:.3f}"
    return f"{100 * value:.1f}" if short else f"{100 * value:.2f}"


def _range(key: str, low: float, high: float) -> str:
    if not np.isfinite(low + high):
        return ""
    return f"{_number(key, low, True)}..{_number(key, high, True)}"


def _row(label: str, cells: list[str], width: int) -> str:
    line = f"{label:<{width}}" + "".join(f"{c:>{_CELL}}" for c in cells)
    return line.rstrip()


def _keys(table: Mapping[str, Mapping[str, object]]) -> list[str]:
    """Metrics that occur, in the usual order, then the others."""
    present = list(
        dict.fromkeys(k for scores in table.values() for k in scores)
    )
    ordered = [key for key in _NAMES if key in present]
    return ordered + [key for key in present if key not in _NAMES]


def _score_lines(report: "Report", keys: list[str], width: int) -> list[str]:
    lines = [_row("", list(report.results), width)]
    for key in keys:
        scores = [table.get(key) for table in report.results.values()]
        values = [_number(key, s.value if s else None) for s in scores]
        lines.append(_row(_NAMES.get(key, key), values, width))
        ends = [_range(key, s.low, s.high) if s else "" for s in scores]
        if any(ends):
            lines.append(_row("", ends, width))
    return lines


def _floor_lines(report: "Report", keys: list[str], width: int) -> list[str]:
    lines = ["Floor: best constant prediction (majority class, median)"]
    for key in keys:
        cells = [
            _number(key, table.get(key)) for table in report.floors.values()
        ]
        lines.append(_row(_NAMES.get(key, key), cells, width))
    for name, constant in report.constants.items():
        lines.append(
            f"Constant {name} {constant['prediction']:.3f}: "
            f"MAE {constant['mae']:.3f}"
        )
    return lines


def _wrapped(text: str, bullet: str = "") -> str:
    return textwrap.fill(
        bullet + text, _WIDTH, subsequent_indent=" " * len(bullet)
    )


def render(report: "Report") -> str:
    """Table of scores and intervals, then floors, then warnings."""
    title = _TITLES[report.task]
    head = f"{title} ({report.reason}): {report.samples} samples, "
    lines = [_wrapped(head + report.summary + ".")]
    units = [] if report.task == "affect" else ["Accuracy and F1 in percent."]
    if report.resamples:
        units.append(
            f"Second line: 95 % bootstrap interval, {report.resamples} "
            f"resamples of {report.units}, seed {report.seed}."
        )
    lines.append(_wrapped(" ".join(units)))
    keys = _keys(report.results)
    longest = max(len(_NAMES.get(key, key)) for key in keys)
    width = max(_LABEL, longest + 1)
    lines += ["", *_score_lines(report, keys, width)]
    lines += ["", *_floor_lines(report, keys, width)]
    if report.warnings:
        lines += ["", "Warnings"]
        lines += [_wrapped(text, "- ") for text in report.warnings]
    return "\n".join(lines)
