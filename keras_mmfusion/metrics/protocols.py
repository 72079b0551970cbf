"""Published evaluation protocols, each a set of named metrics.

A protocol's keys say what is scored (`acc2_has0`, `f1_non0`, ...); the
function behind a key says how. The same key can be another formula in another
protocol, which is why published numbers disagree:

| key | mmsa | mult | misa | mag | msaf | multibench |
| --- | --- | --- | --- | --- | --- | --- |
| `acc2_has0` | nonneg | pos_nonpos | nonneg | | | pos_nonpos |
| `f1_has0` | nonneg | pos_nonpos_swapped | nonneg | | | |
| `acc2_non0` | pos | pos | pos | mag | msaf | pos |
| `f1_non0` | pos | pos_swapped | pos | mag | msaf | |
| `acc7` | acc7 | acc7 | acc7 | | acc7 | |
| `acc5` | acc5 | acc5 | acc5 | | | |
| `mae` | mae | mae | mae | mae_nonzero | | |
| `corr` | pearson | pearson | pearson | pearson_nonzero | | |
"""

import functools
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np
from numpy.typing import ArrayLike

from keras_mmfusion.metrics import classes as c
from keras_mmfusion.metrics import correlation as r
from keras_mmfusion.metrics import sentiment_binary as b
from keras_mmfusion.metrics import sentiment_classes as s
from keras_mmfusion.metrics.arrays import (
    as_classes,
    as_pair,
    as_table,
    check_range,
)
from keras_mmfusion.metrics.concordance import concordance_annotated

Scores = dict[str, float]
Defects = Callable[[ArrayLike, ArrayLike], list[str]]


class ProtocolWarning(UserWarning):
    """A published protocol is known to be defective."""


def _no_defects(y: ArrayLike, p: ArrayLike) -> list[str]:
    return []


@dataclass(frozen=True)
class Protocol:
    """One published way to score predictions.

    Attributes:
        name: Its key in `PROTOCOLS`.
        task: "regression", "classification", "emotions" or "affect".
        source: Where it is used.
        metrics: Metric by key, each `(y, p) -> float`.
        label_range: Lowest and highest label, for regression.
        defects: `(y, p) -> sentences` about what distorts its numbers.
    """

    name: str
    task: str
    source: str
    metrics: Mapping[str, Callable[..., float]]
    label_range: tuple[float, float] | None = None
    defects: Defects = field(default=_no_defects)


def _mult_defects(y: ArrayLike, p: ArrayLike) -> list[str]:
    right, swapped = b.f1_pos(y, p), b.f1_pos_swapped(y, p)
    return [
        "F1 has its arguments exchanged, so classes are weighted by the "
        f"predicted sizes: {100 * swapped:.2f} instead of "
        f"{100 * right:.2f} on these samples."
    ]


def _mag_defects(y: ArrayLike, p: ArrayLike) -> list[str]:
    truth, predicted = as_pair(y, p)
    kept, total = int((truth != 0).sum()), len(truth)
    sentences = []
    if kept < total:
        sentences.append(
            f"MAE and Corr leave out the {total - kept} samples with label 0 "
            f"({total} in all): MAE {r.mae_nonzero(y, p):.3f} instead of "
            f"{r.mae(y, p):.3f}."
        )
    zeros = int(((predicted == 0) & (truth != 0)).sum())
    if zeros:
        sentences.append(f"{zeros} exactly zero predictions count as positive.")
    return sentences


def _msaf_defects(y: ArrayLike, p: ArrayLike) -> list[str]:
    truth, _ = as_pair(y, p)
    kept, counted = int((truth != 0).sum()), b.counted_msaf(y, p)
    if counted == kept:
        return []
    return [
        f"{kept - counted} exactly zero predictions leave the denominator of "
        f"its accuracy: {counted} of {kept} samples are counted."
    ]


_FULL: dict[str, Callable[..., float]] = {
    "acc2_has0": b.acc2_nonneg,
    "f1_has0": b.f1_nonneg,
    "acc2_non0": b.acc2_pos,
    "f1_non0": b.f1_pos,
    "acc7": s.acc7,
    "acc5": s.acc5,
    "acc3": s.acc3,
    "mae": r.mae,
    "corr": r.pearson,
}
_MULT = {key: _FULL[key] for key in _FULL if key != "acc3"} | {
    "acc2_has0": b.acc2_pos_nonpos,
    "f1_has0": b.f1_pos_nonpos_swapped,
    "f1_non0": b.f1_pos_swapped,
}
_MISA = {key: _FULL[key] for key in _FULL if key != "acc3"}
_MAG = {
    "acc2_non0": b.acc2_mag,
    "f1_non0": b.f1_mag,
    "mae": r.mae_nonzero,
    "corr": r.pearson_nonzero,
}
_MSAF = {"acc2_non0": b.acc2_msaf, "f1_non0": b.f1_msaf, "acc7": s.acc7}
_MULTIBENCH = {"acc2_has0": b.acc2_pos_nonpos, "acc2_non0": b.acc2_pos}
_SIMS = {
    "acc2_has0": s.sims_acc2,
    "f1_has0": s.sims_f1,
    "acc5": s.sims_acc5,
    "acc3": s.sims_acc3,
    "mae": s.sims_mae,
    "corr": s.sims_pearson,
}


_AFFECT: dict[str, Callable[..., float]] = {
    "ccc_valence": functools.partial(concordance_annotated, column=0),
    "ccc_arousal": functools.partial(concordance_annotated, column=1),
    "ccc_mean": concordance_annotated,
}
_CLASSES: dict[str, Callable[..., float]] = {
    "accuracy": c.accuracy,
    "balanced_accuracy": c.balanced_accuracy,
    "f1_weighted": c.f1_weighted,
    "f1_macro": c.f1_macro,
}
_EMOTIONS: dict[str, Callable[..., float]] = {
    f"{kind}_{emotion}": functools.partial(function, emotion=emotion)
    for emotion in c.IEMOCAP_EMOTIONS
    for kind, function in (
        ("accuracy", c.iemocap_accuracy),
        ("f1", c.iemocap_f1),
    )
}


def _sentiment(
    name: str,
    source: str,
    metrics: Mapping[str, Callable[..., float]],
    defects: Defects = _no_defects,
    limit: float = 3.0,
) -> Protocol:
    return Protocol(
        name, "regression", source, metrics, (-limit, limit), defects
    )


_ALL = (
    _sentiment("mmsa", "MMSA, DMD, ALMT, MERBench", _FULL),
    _sentiment(
        "mult", "MulT; zeros are left out as called", _MULT, _mult_defects
    ),
    _sentiment("misa", "MISA", _MISA),
    _sentiment("mag", "MAG-BERT", _MAG, _mag_defects),
    _sentiment("msaf", "MSAF on CMU-MOSEI", _MSAF, _msaf_defects),
    _sentiment("multibench", "MultiBench", _MULTIBENCH),
    _sentiment("sims", "MMSA on CH-SIMS, labels in [-1, 1]", _SIMS, limit=1.0),
    Protocol("classes", "classification", "one softmax", _CLASSES),
    Protocol("iemocap", "emotions", "MulT on IEMOCAP", _EMOTIONS),
    Protocol("affwild2", "affect", "Aff-Wild2 challenge", _AFFECT),
)

PROTOCOLS: Mapping[str, Protocol] = MappingProxyType(
    {protocol.name: protocol for protocol in _ALL}
)


def get_protocol(name: str) -> Protocol:
    """Protocol of this name; a `ValueError` lists the names."""
    if name not in PROTOCOLS:
        raise ValueError(
            f"Expected `protocol` among {', '.join(PROTOCOLS)}. "
            f"Received: {name!r}."
        )
    return PROTOCOLS[name]


def protocol_metrics(
    protocol: Protocol, p: ArrayLike
) -> dict[str, Callable[..., float]]:
    """The protocol's metrics, with top-k where there are scores for it."""
    metrics = dict(protocol.metrics)
    shape = np.shape(p)
    if protocol.task == "classification" and len(shape) == 2:
        for k in (3, 5):
            if k < shape[1]:
                metrics[f"top{k}"] = functools.partial(c.top_k_accuracy, k=k)
    return metrics


def check_labels(protocol: Protocol, y: ArrayLike, p: ArrayLike) -> None:
    """Raises a `ValueError` if `y` and `p` do not fit the protocol."""
    if protocol.label_range is not None:
        truth, _ = as_pair(y, p)
        check_range(truth, *protocol.label_range, f"protocol {protocol.name}")
    elif protocol.task == "classification":
        as_classes(y, p)
    elif protocol.task == "affect":
        as_table(y, (2,), "y")
        as_table(p, (2,), "p")


def evaluate(y: ArrayLike, p: ArrayLike, protocol: str = "mmsa") -> Scores:
    """Scores of predictions under one published protocol.

    Nothing is rounded: MMSA rounds to four decimals, and its tables print a
    hundred times the value, MAE and Corr included. MulT's `..._has0` are what
    it gives when called with zeros kept; its tables leave them out.

    Args:
        y: Labels. Sentiment: real numbers (N,) in [-3, 3], for "sims" in
            [-1, 1]. "classes": class numbers. "iemocap": (N, 4) or (N, 4, 2).
            "affwild2": valence and arousal (N, 2), -5 where not annotated.
        p: Predictions: real numbers (N,); scores (N, C) or class numbers
            (N,); (N, 4, 2); (N, 2).
        protocol: A name from `PROTOCOLS`.

    Returns:
        A dict from metric to value: fractions, except `mae` in label units.

    Raises:
        ValueError: For an unknown protocol, labels out of its range, empty
            input, NaN, or shapes that do not pair up.

    Example:

    ```python
    from keras_mmfusion.metrics import evaluate

    scores = evaluate([-1.0, 0.0, 2.0, 1.0], [-0.5, 0.1, 1.0, -1.0])
    print(round(scores["acc2_has0"], 2), round(scores["acc2_non0"], 2))
    # 0.75 0.67
    ```
    """
    chosen = get_protocol(protocol)
    check_labels(chosen, y, p)
    metrics = protocol_metrics(chosen, p)
    scores = {key: float(metric(y, p)) for key, metric in metrics.items()}
    for defect in chosen.defects(y, p):
        warnings.warn(
            f"Protocol {protocol}: {defect}", ProtocolWarning, stacklevel=2
        )
    return scores
