"""What a run found out, in sentences for the card of a preset."""

import os
from collections.abc import Mapping, Sequence
from typing import Any

from keras_mmfusion.data import Split
from keras_mmfusion.evaluation.directions import lower_is_better
from keras_mmfusion.evaluation.result import Result
from keras_mmfusion.evaluation.robustness_difference import (
    robustness_difference,
)
from keras_mmfusion.evaluation.robustness_suite import Robustness, robustness
from keras_mmfusion.evaluation.trained import trained_model
from keras_mmfusion.evaluation.training import Build


def comparison_in_words(result: Result) -> str:
    """Which models of a run the first one beats, and which beat it.

    Args:
        result: A finished run; late fusion may have been added.

    Returns:
        Sentences. A model beats another if the 95 % interval of the paired
        difference of the main metric does not contain 0.
    """
    first = result.first.name
    sign = -1 if lower_is_better(result.main) else 1
    groups: dict[str, list[str]] = {"beats": [], "loses to": [], "ties": []}
    for name, other, test in result.paired:
        if other != first:
            continue
        low, high = sorted((sign * test.low, sign * test.high))
        kind = "beats" if high < 0 else "loses to" if low > 0 else "ties"
        groups[kind].append(
            f"{name} ({-test.difference:+.3f} "
            f"[{-test.high:+.3f}, {-test.low:+.3f}])"
        )
    says = {
        "beats": f"{first} beats",
        "loses to": f"{first} is beaten by",
        "ties": f"No difference was found between {first} and",
    }
    parts = [f"{says[k]} {', '.join(v)}." for k, v in groups.items() if v]
    return f"Difference of {result.main}, with its 95 % interval: " + " ".join(
        parts
    )


def robustness_of_seeds(
    result: Result,
    build: Build,
    directory: str | os.PathLike[str],
    model: str,
    split: Split,
    severities: Mapping[str, Sequence[float]] | None = None,
    **arguments: Any,
) -> dict[int, Robustness]:
    """`robustness` of all trained networks of one model of a run.

    Args:
        result: The finished run.
        build: The function that built the model.
        directory: The directory of the run.
        model: Its name in the run.
        split: The samples.
        severities: As in `robustness`.
        **arguments: Others of `robustness`.

    Returns:
        Seed to its curves.
    """
    return {
        one.seed: robustness(
            trained_model(build, directory, model, one.seed),
            split,
            severities,
            verbose=0,
            **arguments,
        )
        for one in result.models[model].runs
    }


def corruption_in_words(
    curves: Mapping[str, Mapping[int, Robustness]], first: str, second: str
) -> str:
    """How two models of a run differ under corruption, as lines of a list.

    Args:
        curves: Model to seed to its curves.
        first: Name of a model.
        second: Name of the one it is compared with.

    Returns:
        Text with a line for every corruption and modality.
    """
    found = robustness_difference(curves[first], curves[second])
    count = found[0].seeds
    better = sum(d.area_interval[0] > 0 for d in found)
    worse = sum(d.area_interval[1] < 0 for d in found)
    less = sum(d.kept_interval[0] > 0 for d in found)
    more = sum(d.kept_interval[1] < 0 for d in found)
    lines = [
        f"Under corruption, {first} minus {second}, with 95 % intervals over "
        f"{count} seeds: in {better} of {len(found)} cases the area under the "
        f"curve is larger beyond the interval, in {worse} smaller; in {less} "
        f"{first} loses less of its clean score, in {more} more.",
        *(f"    - {difference}" for difference in found),
    ]
    return "\n".join(lines)
