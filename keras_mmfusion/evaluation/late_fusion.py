"""Late fusion: unimodal networks of one run put together, as a floor."""

from collections.abc import Sequence

import numpy as np

from keras_mmfusion.evaluation.result import ModelResult, Result, SeedRun
from keras_mmfusion.types import Array


def add_late_fusion(
    result: Result, members: Sequence[str], name: str = "late fusion"
) -> ModelResult:
    """Adds the sum of classifiers' log-probabilities to a result.

        p = Σ_m log softmax(logits_m)

    or, for regression, the mean of the predictions, seed by seed, without a
    weight or anything else that is learnt. It is scored and compared like the
    models that were trained.

    Args:
        result: A finished run of classifiers that return logits, or of
            regressions.
        members: Names of two or more models of the run.
        name: Name of the sum.

    Returns:
        The model that was added.

    Raises:
        ValueError: If a member is unknown, the name is taken, or the
            predictions are neither logits of classes nor values.

    Example:

    ```python
    import keras
    import numpy as np
    from keras_mmfusion.data import MultimodalDataset, Split
    from keras_mmfusion.evaluation import add_late_fusion, run

    def split(seed):
        random = np.random.default_rng(seed)
        x = {m: random.normal(size=(60, 4)) for m in ("audio", "image")}
        return Split(x, labels=(x["audio"][:, 0] > 0).astype(int))

    def build(modality):
        x = keras.Input((4,), name=modality)
        model = keras.Model({modality: x}, keras.layers.Dense(2)(x))
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(keras.optimizers.Adam(0.1), loss)
        return model

    toy = MultimodalDataset(
        split(0), split(1), split(2), "toy", "classification"
    )
    builds = {m: lambda seed, m=m: build(m) for m in ("audio", "image")}
    result = run(builds, toy, seeds=2, fit={"epochs": 3}, verbose=0)
    late = add_late_fusion(result, ["audio", "image"])
    print(late.scores["accuracy"])
    ```
    """
    _check(result, members, name)
    models = [result.models[member] for member in members]
    p = _joined(result.task, [m.predictions for m in models])
    scoring = result.published_scoring()
    # Nothing was trained or chosen here.
    runs = tuple(
        SeedRun(
            one.seed,
            0,
            np.nan,
            {},
            0.0,
            scoring.evaluate(result.labels, guess),
        )
        for one, guess in zip(models[0].runs, p, strict=True)
    )
    late = ModelResult(
        name,
        name,
        {name: [np.nan] * len(runs)},
        sum(model.parameters for model in models),
        runs,
        scoring.score(result.labels, p, result.groups),
        p,
    )
    test = scoring.compare(
        result.labels, p, result.first.predictions, result.groups
    )
    result.paired.append((name, result.first.name, test))
    result.models[name] = late
    return late


def _joined(task: str, predictions: list[Array]) -> Array:
    if task == "regression":
        joined = np.mean(predictions, axis=0)
    else:
        joined = np.sum([_log_softmax(p) for p in predictions], axis=0)
    return joined.astype(np.float32)


def _log_softmax(logits: Array) -> Array:
    x = logits.astype(np.float64)
    x = x - x.max(axis=-1, keepdims=True)
    total: Array = x - np.log(np.exp(x).sum(axis=-1, keepdims=True))
    return total


def _check(result: Result, members: Sequence[str], name: str) -> None:
    unknown = [member for member in members if member not in result.models]
    if unknown or len(set(members)) < 2 or len(set(members)) < len(members):
        raise ValueError(
            "Expected `members` to be two or more different models among "
            f"{list(result.models)}. Received: {list(members)}"
        )
    if name in result.models:
        raise ValueError(
            f"The result has a model {name!r} already. Choose another `name`."
        )
    shapes = {m: result.models[m].predictions.shape for m in members}
    shape = next(iter(shapes.values()))
    logits = len(shape) == 3 and shape[-1] > 1
    fits = {"classification": logits, "regression": True}
    if not fits.get(result.task, False):
        raise ValueError(
            "Late fusion adds logits (seeds, samples, classes) of a "
            "classification, or averages values of a regression. Received: "
            f"{shapes}, task {result.task!r}"
        )
    if len(set(shapes.values())) > 1:
        raise ValueError(
            "All members must have the same seeds, samples and outputs. "
            f"Received: {shapes}"
        )
