"""From test predictions to a `Result`."""

from typing import TYPE_CHECKING, Any

import numpy as np

from keras_mmfusion.data import MultimodalDataset, Split
from keras_mmfusion.evaluation.clusters import clusters
from keras_mmfusion.evaluation.fingerprint import describe_split
from keras_mmfusion.evaluation.result import ModelResult, Result, SeedRun
from keras_mmfusion.evaluation.scoring import floor_scores, is_worse
from keras_mmfusion.evaluation.undefined import all_finite, failed_seeds
from keras_mmfusion.types import Array

if TYPE_CHECKING:
    from keras_mmfusion.evaluation.study import Study


def assemble(
    study: "Study",
    dataset: MultimodalDataset,
    test: Split,
    sealed: dict[str, Any],
    name: str,
    guesses: dict[str, Array],
    runs: dict[str, tuple[SeedRun, ...]],
    times: dict[str, str],
) -> Result:
    """Scores, floors, paired tests and warnings of a run.

    Args:
        study: The choices.
        dataset: The data set.
        test: Its test split, opened.
        sealed: The sealed record.
        name: Name of the run.
        guesses: Model to test predictions of every seed, (S, N, ...).
        runs: Model to the records of its seeds.
        times: When things happened.
    """
    scoring, y = study.scoring, test.labels
    groups = None if study.groups is None else test.groups[study.groups]
    models = {
        key: ModelResult(
            key,
            entry["candidate"],
            entry["candidates"],
            study.choices["models"][key][entry["candidate"]]["parameters"],
            runs[key],
            scoring.score(y, guesses[key], groups),
            guesses[key],
        )
        for key, entry in sealed["models"].items()
    }
    first = next(iter(guesses))
    train = dataset.train
    floors = floor_scores(
        scoring,
        dataset.task,
        y if train is None else train.labels,
        y,
        guesses[first][0],
    )
    paired = [
        (key, first, scoring.compare(y, p, guesses[first], groups))
        for key, p in guesses.items()
        if key != first
    ]
    return Result(
        name=name,
        task=dataset.task,
        choices=study.choices,
        scoring={
            "protocol": scoring.protocol,
            "metrics": list(scoring.metrics),
            "main": scoring.main,
            "groups": study.groups,
        },
        lower=study.lower,
        dataset=_described(dataset, test),
        environment=dict(study.choices["environment"]),
        models=models,
        floors=floors,
        paired=paired,
        warnings=_warnings(study, dataset, test, models, floors),
        labels=y,
        ids=list(test.ids),
        groups=groups,
        times=times,
    )


def _described(dataset: MultimodalDataset, test: Split) -> dict[str, Any]:
    return {
        "name": dataset.name,
        "origin": dataset.origin,
        "licence": dataset.licence,
        "class_names": dataset.class_names,
        "text": dataset.describe(),
        "test": describe_split(test),
    }


def _warnings(
    study: "Study",
    dataset: MultimodalDataset,
    test: Split,
    models: dict[str, ModelResult],
    floors: dict[str, dict[str, float]],
) -> list[str]:
    notes = _leaks(dataset)
    if study.groups is None:
        notes += _clusters(test)
    elif clusters(test.groups[study.groups]) is None:
        notes.append(
            f"All test samples are of one {study.groups}: intervals and tests "
            "are over samples, and say nothing of others."
        )
    if len(study.seeds) < 3:
        notes.append(
            f"{len(study.seeds)} seeds do not show how much training varies; "
            "5 or more do."
        )
    for name, model in models.items():
        notes += _late(study, model)
        seeds = [run.seed for run in model.runs]
        notes += failed_seeds(name, seeds, model.predictions)
        whole = [p for p in model.predictions if all_finite(p)]
        for p in whole[:1]:
            notes += study.scoring.warnings(name, test.labels, p)
        for floor, values in floors.items():
            bad = [
                metric
                for metric, score in model.scores.items()
                if metric in values
                and is_worse(metric, score.mean, values[metric])
            ]
            if bad:
                notes.append(
                    f"{name}: no better than the {floor} on {', '.join(bad)}."
                )
    return list(dict.fromkeys(notes))


def _leaks(dataset: MultimodalDataset) -> list[str]:
    """One sentence for each kind of thing that splits share."""
    kinds: dict[str, list[str]] = {}
    for leak in dataset.check_leaks():
        kinds.setdefault(leak.kind, []).append(
            f"{len(leak.values)} in both {' and '.join(leak.splits)}"
        )
    return [
        f"The splits share samples of one {kind}: {', '.join(places)}."
        for kind, places in kinds.items()
    ]


def _clusters(test: Split) -> list[str]:
    """Groups whose members are few enough to be dependent samples."""
    repeated = [
        name
        for name, values in test.groups.items()
        if 1 < len(np.unique(values)) < len(values)
    ]
    if not repeated:
        return []
    return [
        "Intervals and tests take test samples as independent, but groups "
        f"repeat: {', '.join(repeated)}. Name one in `groups`."
    ]


def _late(study: "Study", model: ModelResult) -> list[str]:
    last = sum(run.epoch == study.fit.epochs for run in model.runs)
    if study.fit.keep == "last" or 2 * last <= len(model.runs):
        return []
    return [
        f"{model.name}: the last epoch was the best with {last} of "
        f"{len(model.runs)} seeds, so training was cut short."
    ]
