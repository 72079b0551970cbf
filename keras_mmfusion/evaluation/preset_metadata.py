"""From a result to what a preset says about itself."""

from typing import TYPE_CHECKING, Any

import numpy as np

from keras_mmfusion.evaluation.files import json_object
from keras_mmfusion.evaluation.robustness_suite import Robustness
from keras_mmfusion.evaluation.undefined import all_finite, finite_samples
from keras_mmfusion.types import Array

if TYPE_CHECKING:
    from keras_mmfusion.evaluation.result import ModelResult, Result

_DIGITS = 4


def preset_metadata(
    result: "Result",
    model: str | None = None,
    robustness: Robustness | None = None,
    **extra: Any,
) -> dict[str, Any]:
    """Metadata for `model.save_to_preset(directory, metadata)`.

    The weights to save with it are those of `trained_model`: of the seed
    that is best on the validation split.

    Args:
        result: A finished run.
        model: Name of the model in it; default: the first.
        robustness: Its curves; default: those in `result.robustness`.
        **extra: Further entries, such as `description`, `paper`, `recipe`.

    Returns:
        Plain JSON: `metrics` (with the other models of the run and the
        floors), `seeds`, `data`, `notes`, `environment`, `predictions` (per
        sample and seed: class numbers, or values) and `robustness`.

    Raises:
        ValueError: If there is no model of the name.

    Example:

    ```python
    import keras
    import numpy as np
    from keras_mmfusion.data import MultimodalDataset, Split
    from keras_mmfusion.evaluation import preset_metadata, run

    def split(seed):
        x = np.random.default_rng(seed).normal(size=(60, 4))
        return Split({"sensor": x}, labels=x.sum(axis=1))

    def build(seed):
        inputs = {"sensor": keras.Input((4,), name="sensor")}
        model = keras.Model(inputs, keras.layers.Dense(1)(inputs["sensor"]))
        model.compile(keras.optimizers.Adam(0.1), "mse")
        return model

    toy = MultimodalDataset(split(0), split(1), split(2), "toy", "regression")
    result = run(build, toy, seeds=1, fit={"epochs": 2}, verbose=0)
    metadata = preset_metadata(result, description="A toy.")
    assert metadata["data"]["name"] == "toy"
    ```
    """
    name = model or result.first.name
    if name not in result.models:
        raise ValueError(
            f"Expected `model` among {list(result.models)}. Received: {model!r}"
        )
    chosen = result.models[name]
    data = {
        key: result.dataset[key]
        for key in ("name", "origin", "licence")
        if result.dataset[key]
    }
    metadata: dict[str, Any] = {
        "metrics": _metrics(result, chosen),
        "seeds": [run.seed for run in chosen.runs],
        "data": {**data, "test samples": len(result.ids)},
        "notes": _notes(result, chosen),
        "environment": result.environment,
        "predictions": _predictions(result, chosen),
    }
    curves = robustness or result.robustness.get(name)
    if curves is not None:
        metadata["robustness"] = curves.to_dict()
    return json_object({**metadata, **extra})


def _metrics(result: "Result", chosen: "ModelResult") -> dict[str, Any]:
    metrics: dict[str, Any] = {
        metric: score.to_dict() for metric, score in chosen.scores.items()
    }
    main = result.main
    others: dict[str, Any] = {
        name: model.scores[main].to_dict()
        for name, model in result.models.items()
        if name != chosen.name
    }
    others |= {
        name: floor[main]
        for name, floor in result.floors.items()
        if main in floor
    }
    if others:
        metrics[f"compared on {main}"] = others
    tests = {
        f"{a} minus {b}": str(test)
        for a, b, test in result.paired
        if chosen.name in (a, b)
    }
    if tests:
        metrics[f"paired tests of {main}"] = tests
    return metrics


def _notes(result: "Result", chosen: "ModelResult") -> str:
    seed = chosen.best_seed(result.lower)
    run = next(run for run in chosen.runs if run.seed == seed)
    unit = result.scoring["groups"] or "sample"
    last = result.choices["fit"].get("keep") == "last"
    kept = "seeds after the last epoch" if last else "seeds"
    lines = [
        "Results are of the test split, which was opened once, after all "
        "choices: mean ± standard deviation over seeds, and the 95 % "
        f"bootstrap interval of the mean by {unit}.",
        f"The weights are those of seed {seed}, epoch {run.epoch}, the best "
        f"of {len(chosen.runs)} {kept} on the validation split "
        f"({result.choices['select']} {run.value:.4g}).",
        *result.warnings,
    ]
    return "\n".join(f"- {line}" for line in lines)


def _predictions(result: "Result", chosen: "ModelResult") -> dict[str, Any]:
    p = chosen.predictions
    classes = result.task == "classification" and p.ndim == 3
    compact: Array = p.argmax(axis=2) if classes and p.shape[2] > 1 else p
    if compact is not p and not all_finite(p):
        # The greatest of scores that are NaN is no class.
        compact = np.where(finite_samples(p), compact, np.nan)
    if compact.dtype.kind == "f":
        compact = np.round(compact.astype(np.float64), _DIGITS)
    return {
        "ids": result.ids,
        "labels": np.asarray(result.labels),
        "seeds": [run.seed for run in chosen.runs],
        "values": list(compact),
    }
