"""What a run found out, in sentences for the card of a preset."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from keras_mmfusion.data import Split
from keras_mmfusion.evaluation.directions import lower_is_better
from keras_mmfusion.evaluation.result import Result
from keras_mmfusion.evaluation.robustness_difference import (
    robustness_difference,
)
from keras_mmfusion.evaluation.robustness_suite import Robustness, robustness
from keras_mmfusion.evaluation.runner import PAGE
from keras_mmfusion.evaluation.trained import trained_model
from keras_mmfusion.evaluation.training import Build


def comparison_in_words(result: Result, mode: str = "auto") -> str:
    """Which models of a run the first one beats, and which beat it.

    Args:
        result: A finished run; late fusion may have been added.
        mode: "max" or "min" is better of the main metric; "auto" goes by its
            name.

    Returns:
        Sentences. A model beats another if the 95 % interval of the paired
        difference of the main metric does not contain 0.

    Raises:
        ValueError: If "auto" does not know the name of the metric.

    Example:

    ```python
    import keras
    import numpy as np
    from keras_mmfusion.data import MultimodalDataset, Split
    from keras_mmfusion.evaluation import comparison_in_words, run

    def split(seed):
        x = np.random.default_rng(seed).normal(size=(40, 4))
        return Split({"sensor": x}, labels=(x[:, 0] > 0).astype(int))

    def build(seed):
        inputs = {"sensor": keras.Input((4,), name="sensor")}
        outputs = keras.layers.Dense(2)(inputs["sensor"])
        model = keras.Model(inputs, outputs)
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(keras.optimizers.Adam(0.1), loss)
        return model

    toy = MultimodalDataset(
        split(0), split(1), split(2), "toy", "classification"
    )
    result = run(
        {"a": build, "b": build}, toy, seeds=1, fit={"epochs": 2}, verbose=0
    )
    print(comparison_in_words(result))
    ```
    """
    first = result.first.name
    sign = -1 if lower_is_better(result.main, mode) else 1
    groups: dict[str, list[str]] = {
        kind: [] for kind in ("beats", "loses to", "ties", "unknown")
    }
    for name, other, test in result.paired:
        if other != first:
            continue
        if np.isnan(test.difference):
            groups["unknown"].append(name)
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
        "unknown": f"Undefined is the difference between {first} and",
    }
    parts = [f"{says[k]} {', '.join(v)}." for k, v in groups.items() if v]
    if not parts:
        return f"{first} was compared with no other model."
    return f"Difference of {result.main}, with its 95 % interval: " + " ".join(
        parts
    )


def add_robustness(
    result: Result,
    builds: Mapping[str, Build],
    directory: str | os.PathLike[str],
    models: Sequence[str],
    split: Split,
    severities: Mapping[str, Sequence[float]] | None = None,
    **arguments: Any,
) -> dict[str, dict[int, Robustness]]:
    """Adds curves of the best seed to a result, and returns those of all.

    The result and its page are written anew.

    Args:
        result: The finished run.
        builds: Model to the function that built it.
        directory: The directory of the run.
        models: Whose curves, among `builds`.
        split: The samples.
        severities: As in `robustness`.
        **arguments: Others of `robustness`.

    Returns:
        Model to seed to its curves.

    Example:

    ```python
    import tempfile
    import keras
    import numpy as np
    from keras_mmfusion.data import MultimodalDataset, Split
    from keras_mmfusion.evaluation import add_robustness, run

    def split(seed):
        x = np.random.default_rng(seed).normal(size=(40, 4))
        return Split({"sensor": x}, labels=(x[:, 0] > 0).astype(int))

    def build(seed):
        inputs = {"sensor": keras.Input((4,), name="sensor")}
        outputs = keras.layers.Dense(2)(inputs["sensor"])
        model = keras.Model(inputs, outputs)
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(keras.optimizers.Adam(0.1), loss)
        return model

    toy = MultimodalDataset(
        split(0), split(1), split(2), "toy", "classification"
    )
    with tempfile.TemporaryDirectory() as folder:
        result = run(
            build, toy, folder, seeds=2, fit={"epochs": 2}, verbose=0
        )
        curves = add_robustness(
            result, {"model": build}, folder, ["model"], toy.test,
            {"noise": (1.0,)},
        )
    print(curves["model"][0])
    ```
    """
    curves = {
        name: {
            one.seed: robustness(
                trained_model(builds[name], directory, name, one.seed),
                split,
                severities,
                verbose=0,
                **arguments,
            )
            for one in result.models[name].runs
        }
        for name in models
    }
    best = result.first.best_seed(result.lower)
    result.robustness = {name: found[best] for name, found in curves.items()}
    result.save(directory)
    result.write_html(Path(directory) / PAGE)
    return curves


def corruption_in_words(
    curves: Mapping[str, Mapping[int, Robustness]],
    first: str,
    second: str,
    mode: str = "auto",
) -> str:
    """How two models of a run differ under corruption, as lines of a list.

    Args:
        curves: Model to seed to its curves.
        first: Name of a model.
        second: Name of the one it is compared with.
        mode: See `comparison_in_words`.

    Returns:
        Text with a line for every corruption and modality.

    Raises:
        ValueError: If "auto" does not know the name of the metric.

    Example:

    ```python
    from keras_mmfusion.evaluation import (
        Curve, Robustness, corruption_in_words,
    )

    def made(clean, worst):
        curve = Curve("noise", "audio", (0.0, 1.0), (clean, worst), (0.0, 0.0))
        return Robustness("accuracy", clean, 10, 1, 0, (curve,))

    curves = {
        "gated": {0: made(0.9, 0.7), 1: made(0.8, 0.6)},
        "plain": {0: made(0.9, 0.5), 1: made(0.8, 0.5)},
    }
    print(corruption_in_words(curves, "gated", "plain"))
    ```
    """
    found = robustness_difference(curves[first], curves[second])
    count = found[0].seeds
    better = sum(d.area_interval[0] > 0 for d in found)
    worse = sum(d.area_interval[1] < 0 for d in found)
    rises = sum(d.kept_interval[0] > 0 for d in found)
    falls = sum(d.kept_interval[1] < 0 for d in found)
    # What is kept of an error that grows is more than all of it.
    metric = next(iter(curves[first].values())).metric
    lower = lower_is_better(metric, mode)
    less, more = (falls, rises) if lower else (rises, falls)
    lines = [
        f"Under corruption, {first} minus {second}, with 95 % intervals over "
        f"{count} seeds: in {better} of {len(found)} cases the area under the "
        f"curve is larger beyond the interval, in {worse} smaller; in {less} "
        f"{first} loses less of its clean score, in {more} more.",
        *(f"    - {difference}" for difference in found),
    ]
    return "\n".join(lines)
