"""A report on predictions: all protocols side by side, with what they hide."""

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from keras_mmfusion.metrics.additive import additive_form
from keras_mmfusion.metrics.arrays import (
    as_array,
    as_labels,
    as_pair,
    one_json_number,
)
from keras_mmfusion.metrics.floors import (
    LOWER_IS_BETTER,
    constant_errors,
    floors,
)
from keras_mmfusion.metrics.protocols import (
    PROTOCOLS,
    Protocol,
    check_labels,
    get_protocol,
    protocol_metrics,
)
from keras_mmfusion.metrics.report_text import render
from keras_mmfusion.metrics.resampling import resampled_sums
from keras_mmfusion.metrics.statistics import Interval, percentile_interval

_LEVEL = 0.95
_FEW_SAMPLES = 30
_SENTIMENT = ("mmsa", "mult", "misa", "mag", "msaf", "multibench")


@dataclass(frozen=True)
class Report:
    """Scores under one or more protocols. `print` shows a table.

    Attributes:
        task: "regression", "classification", "emotions" or "affect".
        reason: Why the input was taken for this task.
        samples: Number of samples.
        summary: What `y` and `p` hold, in words.
        results: `Interval` by protocol and metric.
        floors: Best score of a constant prediction, by protocol and metric.
        constants: MAE of the constant mean and median; empty unless
            regression.
        warnings: Sentences about defective protocols and doubtful input.
        resamples: Bootstrap resamples behind each interval; 0 for none.
        seed: Seed of the bootstrap.
        units: What was resampled: "samples" or "groups".
    """

    task: str
    reason: str
    samples: int
    summary: str
    results: Mapping[str, Mapping[str, Interval]]
    floors: Mapping[str, Mapping[str, float]]
    constants: Mapping[str, Mapping[str, float]]
    warnings: tuple[str, ...]
    resamples: int
    seed: int
    units: str

    def __str__(self) -> str:
        """Plain-text table of at most 82 columns."""
        return render(self)

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain JSON; numbers that are not finite become None."""
        return {
            "task": self.task,
            "reason": self.reason,
            "samples": self.samples,
            "summary": self.summary,
            "results": {
                name: {key: value.to_dict() for key, value in scores.items()}
                for name, scores in self.results.items()
            },
            "floors": {
                name: {key: one_json_number(value) for key, value in f.items()}
                for name, f in self.floors.items()
            },
            "constants": {k: dict(v) for k, v in self.constants.items()},
            "warnings": list(self.warnings),
            "resamples": self.resamples,
            "seed": self.seed,
            "units": self.units,
        }


def _guess_task(y: ArrayLike, p: ArrayLike) -> tuple[str, str]:
    """The task that `y` and `p` look like, and why."""
    truth, predicted = as_array(y, "y"), as_array(p, "p")
    shape = predicted.shape
    if predicted.ndim == 3 and shape[1:] == (4, 2):
        return "emotions", "p has 4 x 2 scores per sample"
    if predicted.ndim == 2 and shape[1] > 1:
        one_hot = np.isin(truth, (0, 1)).all()
        if shape[1] == 2 and truth.shape == shape and not one_hot:
            return "affect", "y and p have two real numbers per frame"
        return "classification", f"p has {shape[1]} scores per sample"
    whole = all(np.issubdtype(a.dtype, np.integer) for a in (truth, predicted))
    if whole and truth.min() >= 0 and predicted.min() >= 0:
        return "classification", "y and p are class numbers"
    return "regression", "p has one real number per sample"


def _choose(
    y: ArrayLike, p: ArrayLike, protocol: str | None
) -> tuple[list[Protocol], str]:
    if protocol is not None:
        return [get_protocol(protocol)], f"protocol {protocol!r} was asked for"
    task, reason = _guess_task(y, p)
    names = {
        "regression": _SENTIMENT,
        "classification": ("classes",),
        "emotions": ("iemocap",),
        "affect": ("affwild2",),
    }[task]
    return [PROTOCOLS[name] for name in names], reason


def _intervals(
    metrics: list[Callable[..., float]],
    y: ArrayLike,
    p: ArrayLike,
    resamples: int,
    seed: int,
    groups: ArrayLike | None,
) -> list[Interval]:
    """Every metric's interval, all on the same resamples."""
    forms = [form for form in map(additive_form, metrics) if form is not None]
    parts = [form.statistics(y, p) for form in forms]
    sums = [part.sum(axis=0) for part in parts]
    values = [float(f.finish(s)) for f, s in zip(forms, sums, strict=True)]
    if resamples == 0:
        blank = float("nan")
        return [Interval(v, blank, blank, _LEVEL, 0) for v in values]
    joined = resampled_sums(np.concatenate(parts, 1), resamples, seed, groups)
    ends = np.cumsum([part.shape[1] for part in parts])[:-1]
    return [
        percentile_interval(value, form.finish(drawn), _LEVEL)
        for value, form, drawn in zip(
            values, forms, np.split(joined, ends, axis=1), strict=True
        )
    ]


def _describe(task: str, y: ArrayLike, p: ArrayLike) -> str:
    truth, predicted = as_array(y, "y"), as_array(p, "p")
    if task == "regression":
        zeros = int((truth == 0).sum())
        return (
            f"labels {truth.min():g} to {truth.max():g}, {zeros} exactly 0; "
            f"predictions {predicted.min():.3g} to {predicted.max():.3g}"
        )
    if task == "classification":
        sizes = np.bincount(as_labels(y, "y"))
        return f"{int((sizes > 0).sum())} classes occur, largest {sizes.max()}"
    if task == "affect":
        missing = int((truth == -5).any(axis=1).sum())
        return f"{missing} frames not annotated (-5)"
    return "four yes-or-no tasks"


def _doubts(
    chosen: list[Protocol], y: ArrayLike, p: ArrayLike, grouped: bool
) -> list[str]:
    """Sentences about input that makes any protocol's numbers doubtful."""
    predicted = as_array(p, "p")
    task, names = chosen[0].task, [protocol.name for protocol in chosen]
    notes = []
    if len(predicted) < _FEW_SAMPLES:
        notes.append(
            f"Only {len(predicted)} samples: intervals are themselves unsure."
        )
    if (predicted == predicted[:1]).all():
        notes.append("All predictions are equal.")
    if task == "regression" and "sims" not in names:
        truth, _ = as_pair(y, p)
        if np.abs(truth).max() <= 1:
            notes.append(
                "All labels lie in [-1, 1]. CH-SIMS is scored by "
                'protocol="sims"; the others expect [-3, 3].'
            )
    if task == "classification" and predicted.ndim == 2:
        best = predicted == predicted.max(axis=1, keepdims=True)
        ties = int((best.sum(axis=1) > 1).sum())
        if ties:
            notes.append(
                f"{ties} samples have a tie for the highest score; the first "
                "class was taken."
            )
    if task == "affect" and not grouped:
        notes.append(
            "Frames of one video are not independent; intervals are too "
            "narrow. Pass the video names as `groups`."
        )
    return notes


def _below_floor(
    results: Mapping[str, Mapping[str, Interval]],
    bars: Mapping[str, Mapping[str, float]],
) -> list[str]:
    notes = []
    for name, scores in results.items():
        failed = [
            key
            for key, score in scores.items()
            if np.isfinite(score.value + bars[name][key])
            and (
                score.value >= bars[name][key]
                if key in LOWER_IS_BETTER
                else score.value <= bars[name][key]
            )
        ]
        if failed:
            notes.append(
                f"{name}: no better than a constant prediction on "
                f"{', '.join(failed)}."
            )
    return notes


def _assemble(
    chosen: list[Protocol],
    reason: str,
    y: ArrayLike,
    p: ArrayLike,
    resamples: int,
    seed: int,
    groups: ArrayLike | None,
) -> Report:
    tables = {one.name: protocol_metrics(one, p) for one in chosen}
    # Protocols share metrics; each is resampled once.
    unique = {id(m): m for table in tables.values() for m in table.values()}
    found = _intervals(list(unique.values()), y, p, resamples, seed, groups)
    by_metric = dict(zip(unique, found, strict=True))
    results = {
        name: {key: by_metric[id(metric)] for key, metric in table.items()}
        for name, table in tables.items()
    }
    bars = {one.name: floors(one, tables[one.name], y, p) for one in chosen}
    notes = [f"{o.name}: {text}" for o in chosen for text in o.defects(y, p)]
    notes += _doubts(chosen, y, p, groups is not None)
    notes += _below_floor(results, bars)
    task = chosen[0].task
    return Report(
        task=task,
        reason=reason,
        samples=len(np.asarray(y)),
        summary=_describe(task, y, p),
        results=results,
        floors=bars,
        constants=constant_errors(y) if task == "regression" else {},
        warnings=tuple(notes),
        resamples=resamples,
        seed=seed,
        units="samples" if groups is None else "groups",
    )


def report(
    y: ArrayLike,
    p: ArrayLike,
    protocol: str | None = None,
    bootstrap: int = 1000,
    seed: int = 0,
    groups: ArrayLike | None = None,
) -> Report:
    """Scores, intervals, floors and warnings for one set of predictions.

    Without `protocol` the task is read off the input and named in the report:
    one real number per sample is sentiment regression under six protocols
    side by side; scores (N, C), or whole non-negative `y` and `p`, are
    classification; (N, 4, 2) is IEMOCAP; two real numbers are Aff-Wild2.

    Args:
        y: Labels, as `evaluate` takes them.
        p: Predictions, as `evaluate` takes them.
        protocol: A name from `PROTOCOLS`, or None.
        bootstrap: Resamples for the 95 % intervals; 0 leaves them out.
        seed: Seed of the resampling.
        groups: Name of each sample's recording or speaker, shape (N,); whole
            groups are then resampled.

    Returns:
        A `Report`: `print(...)` shows the table, `.to_dict()` is plain JSON.

    Raises:
        ValueError: As `evaluate`, and for a negative `bootstrap`.

    Example:

    ```python
    import numpy as np
    from keras_mmfusion.metrics import report

    random = np.random.default_rng(0)
    y = random.uniform(-3, 3, 100).round(1)
    result = report(y, y + random.normal(0, 0.8, 100))
    print(result)
    assert result.task == "regression"
    ```
    """
    if bootstrap < 0:
        raise ValueError(
            "Expected `bootstrap` of 0 or more resamples. Received: "
            f"{bootstrap}."
        )
    chosen, reason = _choose(y, p, protocol)
    for one in chosen:
        check_labels(one, y, p)
    with warnings.catch_warnings():
        # What is undefined or defective stands in the report itself.
        warnings.simplefilter("ignore", UserWarning)
        return _assemble(chosen, reason, y, p, bootstrap, seed, groups)
