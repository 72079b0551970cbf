"""Cross-validation: the sealed runs of several folds as one result."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from keras_mmfusion.evaluation.result import ModelResult, Result, SeedRun
from keras_mmfusion.evaluation.robustness_suite import Curve, Robustness
from keras_mmfusion.evaluation.scoring import Scoring


def pool_folds(folds: Mapping[str, Result], name: str) -> Result:
    """One result over the test samples of all folds.

    Every sample was predicted by a model that did not train on it. Scores,
    intervals and paired tests are those of all samples together, seed by
    seed; groups such as speakers are resampled whole. Floors and curves are
    means over folds, weighed by their samples.

    Args:
        folds: Fold to the result of its `run`, all with the same models,
            seeds and metrics, and test samples of their own.
        name: Name of the whole.

    Returns:
        A `Result`. What its `SeedRun`s say of training (value, history) is
        the mean over folds; the epoch is the mean, rounded.

    Raises:
        ValueError: If there is no fold, folds share a test sample, or they
            differ in models, seeds or metrics.

    Example:

    ```python
    import keras
    import numpy as np
    from keras_mmfusion.data import MultimodalDataset, Split
    from keras_mmfusion.evaluation import pool_folds, run

    x = np.random.default_rng(0).normal(size=(90, 4))
    whole = Split({"sensor": x}, labels=(x[:, 0] > 0).astype(int))

    def build(seed):
        inputs = keras.Input((4,), name="sensor")
        model = keras.Model({"sensor": inputs}, keras.layers.Dense(2)(inputs))
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(keras.optimizers.Adam(0.1), loss)
        return model

    folds = {}
    for k in range(3):
        order = np.roll(np.arange(90), 30 * k)
        parts = [whole.subset(rows) for rows in np.split(order, 3)]
        toy = MultimodalDataset(*parts, "toy", "classification")
        folds[str(k)] = run(build, toy, seeds=2, fit={"epochs": 3}, verbose=0)
    print(pool_folds(folds, "toy in three folds"))
    ```
    """
    _check(folds)
    results = list(folds.values())
    first = results[0]
    labels = np.concatenate([r.labels for r in results])
    groups = None
    if all(r.groups is not None for r in results):
        groups = np.concatenate([np.asarray(r.groups) for r in results])
    pooled = Result(
        name=name,
        task=first.task,
        choices={
            **first.choices,
            "folds": {fold: r.choices for fold, r in folds.items()},
        },
        scoring=dict(first.scoring),
        lower=first.lower,
        dataset=_dataset(folds),
        environment=dict(first.environment),
        models={},
        floors=_floors(results),
        paired=[],
        warnings=list(dict.fromkeys(w for r in results for w in r.warnings)),
        labels=labels,
        ids=[name for r in results for name in r.ids],
        groups=groups,
        times={
            key: max(r.times[key] for r in results)
            for key in ("sealed", "test opened")
        },
        robustness={
            key: pool_robustness([r.robustness[key] for r in results])
            for key in first.robustness
            if all(key in r.robustness for r in results)
        },
    )
    scoring = first.published_scoring()
    for key in first.models:
        models = [r.models[key] for r in results]
        pooled.models[key] = _model(pooled, models, scoring)
    pooled.paired = [
        (
            key,
            pooled.first.name,
            scoring.compare(
                labels, model.predictions, pooled.first.predictions, groups
            ),
        )
        for key, model in pooled.models.items()
        if key != pooled.first.name
    ]
    return pooled


def pool_robustness(folds: list[Robustness]) -> Robustness:
    """Mean curves over folds, weighed by their samples.

    Args:
        folds: Curves of the same corruptions at the same severities.

    Returns:
        A `Robustness` of all samples. Deviations are those of the mean over
        folds, whose draws are independent.

    Raises:
        ValueError: If the curves are of other corruptions or severities.
    """
    keys = [
        [(c.corruption, c.modality, c.severities) for c in fold.curves]
        for fold in folds
    ]
    if any(key != keys[0] for key in keys):
        raise ValueError(
            "All folds must have curves of the same corruptions, modalities "
            "and severities."
        )
    share = np.array([fold.samples for fold in folds], np.float64)
    share /= share.sum()
    curves = []
    for same in zip(*(fold.curves for fold in folds), strict=True):
        mean = share @ np.array([c.mean for c in same])
        std = np.sqrt(share**2 @ np.array([c.std for c in same]) ** 2)
        curves.append(
            Curve(
                same[0].corruption,
                same[0].modality,
                same[0].severities,
                tuple(mean.tolist()),
                tuple(std.tolist()),
            )
        )
    first = folds[0]
    return Robustness(
        first.metric,
        float(share @ [fold.clean for fold in folds]),
        sum(fold.samples for fold in folds),
        first.repeats,
        first.seed,
        tuple(curves),
    )


def _model(
    pooled: Result, folds: list[ModelResult], scoring: Scoring
) -> ModelResult:
    p = np.concatenate([model.predictions for model in folds], axis=1)
    runs = []
    for position, guess in enumerate(p):
        same = [model.runs[position] for model in folds]
        test = scoring.evaluate(pooled.labels, guess)
        runs.append(_seed_run(same, test))
    names = {model.candidate for model in folds}
    candidate = names.pop() if len(names) == 1 else "by fold"
    return ModelResult(
        folds[0].name,
        candidate,
        {candidate: [one.value for one in runs]},
        folds[0].parameters,
        tuple(runs),
        scoring.score(pooled.labels, p, pooled.groups),
        p,
    )


def _seed_run(folds: list[SeedRun], test: dict[str, float]) -> SeedRun:
    lengths = [len(v) for run in folds for v in run.history.values()]
    epochs = min(lengths, default=0)
    history = {
        key: np.mean([run.history[key][:epochs] for run in folds], 0).tolist()
        for key in folds[0].history
    }
    return SeedRun(
        folds[0].seed,
        round(float(np.mean([run.epoch for run in folds]))),
        float(np.mean([run.value for run in folds])),
        history,
        sum(run.seconds for run in folds),
        test,
    )


def _floors(results: list[Result]) -> dict[str, dict[str, float]]:
    weights = [len(r.ids) for r in results]
    return {
        floor: {
            metric: float(
                np.average(
                    [r.floors[floor][metric] for r in results],
                    weights=weights,
                )
            )
            for metric in metrics
        }
        for floor, metrics in results[0].floors.items()
    }


def _dataset(folds: Mapping[str, Result]) -> dict[str, Any]:
    first = next(iter(folds.values())).dataset
    texts = [f"Fold {k}\n\n{r.dataset['text']}" for k, r in folds.items()]
    return {
        **first,
        "text": "\n\n".join(texts),
        "test": {k: r.dataset["test"] for k, r in folds.items()},
    }


def _differing(folds: Mapping[str, Result]) -> Iterator[str]:
    first = next(iter(folds.values()))
    for name, fold in folds.items():
        for what, mine, its in (
            ("models", list(first.models), list(fold.models)),
            ("seeds", first.choices["seeds"], fold.choices["seeds"]),
            ("metrics", first.scoring, fold.scoring),
        ):
            if mine != its:
                yield f"{what} of fold {name!r} are {its}, not {mine}"


def _check(folds: Mapping[str, Result]) -> None:
    if not folds:
        raise ValueError("Pooling needs the result of one fold or more.")
    wrong = list(_differing(folds))
    if wrong:
        raise ValueError(
            "All folds must have the same models, seeds and metrics. "
            f"Received: {'; '.join(wrong)}"
        )
    owner: dict[str, str] = {}
    for name, fold in folds.items():
        for sample in fold.ids:
            if sample in owner:
                raise ValueError(
                    "A sample may be in the test split of one fold only. "
                    f"Received: {sample!r} in {owner[sample]!r} and {name!r}"
                )
            owner[sample] = name
