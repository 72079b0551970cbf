"""A run before it trains: all choices checked, and written down."""

import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_mmfusion.data import MultimodalDataset, Split
from keras_mmfusion.evaluation import files
from keras_mmfusion.evaluation.directions import lower_is_better
from keras_mmfusion.evaluation.fingerprint import (
    describe_environment,
    describe_model,
    describe_split,
    differences,
    plain,
)
from keras_mmfusion.evaluation.scoring import Scoring, choose_metrics
from keras_mmfusion.evaluation.training import (
    Build,
    FitSettings,
    chosen_output,
    input_modalities,
    restricted,
)
from keras_mmfusion.metrics import UndefinedMetricWarning
from keras_mmfusion.types import Array

Builds = Build | Mapping[str, Build | Mapping[str, Build]]
PLAN = "plan.json"
_NAME = re.compile(r"[\w+-][\w .+-]*")
_TRIAL_SAMPLES = 4
_SHOWN = 8


@dataclass(frozen=True)
class Study:
    """All choices of a run.

    Attributes:
        folder: Where everything is written.
        models: Model to candidate to the function that builds it.
        seeds: Seeds, in order.
        select: Key of the logs that chooses epochs and candidates.
        lower: Whether it is better if low.
        fit: How models are trained.
        groups: Name of the test groups that are resampled, or None.
        output: Which of a model's outputs is scored, or None.
        scoring: The metrics.
        choices: The same as plain JSON, with fingerprints.
        verbose: 0 for silence, 1 for lines, 2 for Keras' bar as well.
    """

    folder: Path
    models: dict[str, dict[str, Build]]
    seeds: tuple[int, ...]
    select: str
    lower: bool
    fit: FitSettings
    groups: str | None
    output: str | None
    scoring: Scoring
    choices: dict[str, Any]
    verbose: int

    def say(self, text: str) -> None:
        """Prints a line of progress."""
        if self.verbose:
            print(text, flush=True)


def built(build: Build, seed: int) -> Any:
    """A new model, with all random numbers drawn from the seed."""
    keras.utils.set_random_seed(seed)
    return build(seed)


def trial(
    model: Any, split: Split, fit: FitSettings, output: str | None
) -> Any:
    """Predictions of a few samples; builds the model if need be."""
    rows = np.arange(min(_TRIAL_SAMPLES, len(split)))
    names = input_modalities(model, split.modalities)
    few = restricted(split, names).subset(rows)
    inputs, _ = few.arrays(fit.max_length)
    result = chosen_output(model(inputs, training=False), output)
    return keras.ops.convert_to_numpy(keras.ops.cast(result, "float32"))


def prepare(
    build: Builds,
    dataset: MultimodalDataset,
    folder: Path,
    *,
    seeds: int | Sequence[int],
    select: str,
    mode: str,
    fit: Mapping[str, Any] | None,
    protocol: Any,
    metric: str | None,
    groups: str | None,
    output: str | None,
    verbose: int,
) -> Study:
    """Checks all arguments of `run` without touching the test split.

    Every candidate is built once, so that a mistake shows now and not after
    hours of training.
    """
    models = _candidates(build)
    numbers = _seeds(seeds)
    settings = FitSettings.from_mapping(fit)
    train, valid = _splits(dataset, groups)
    lower = _direction(select, mode)
    described: dict[str, dict[str, Any]] = {name: {} for name in models}
    scoring: Scoring | None = None
    for name, candidate, one in each_candidate(models):
        model = built(one, numbers[0])
        label = f"{name!r} ({candidate!r})"
        _check_compiled(model, label)
        p = trial(model, valid, settings, output)
        if scoring is None:
            scoring = choose_metrics(
                dataset.task, protocol, metric, p, dataset.class_names
            )
        _try_metrics(scoring, valid, p, label)
        described[name][candidate] = describe_model(model)
    if scoring is None:
        raise ValueError("`build` must hold at least one model.")
    choices = {
        "models": described,
        "seeds": list(numbers),
        "select": select,
        "mode": "min" if lower else "max",
        "fit": settings.describe(),
        **_described_scoring(scoring, groups, output),
        "train": describe_split(train),
        "valid": describe_split(valid),
        "environment": describe_environment(),
    }
    return Study(
        folder,
        models,
        numbers,
        select,
        lower,
        settings,
        groups,
        output,
        scoring,
        files.json_object(choices),
        verbose,
    )


def each_candidate(
    models: Mapping[str, Mapping[str, Build]],
) -> Iterator[tuple[str, str, Build]]:
    """Model, candidate and the function that builds it, in order."""
    for name, candidates in models.items():
        for candidate, build in candidates.items():
            yield name, candidate, build


def write_down(study: Study) -> None:
    """Writes the choices, or compares them with those of the folder.

    Raises:
        ValueError: If the folder belongs to a run with other choices.
    """
    path = study.folder / PLAN
    if not path.exists():
        files.write_json(path, study.choices)
        return
    found = list(differences(files.read_json(path), study.choices))
    if not found:
        return
    lines = [f"  {key}: was {old}, is {new}" for key, old, new in found]
    more = len(lines) - _SHOWN
    text = "\n".join(lines[:_SHOWN]) + (f"\n  and {more} more" * (more > 0))
    raise ValueError(
        f"The folder {study.folder} belongs to a run with other choices:\n"
        f"{text}\nA run's choices stand before its test split is opened, so "
        "they cannot be changed. Use a new folder; a finished run is read "
        "with Result.load."
    )


def _candidates(build: Builds) -> dict[str, dict[str, Build]]:
    given = build if isinstance(build, Mapping) else {"model": build}
    models: dict[str, dict[str, Build]] = {}
    for name, one in given.items():
        inner = one if isinstance(one, Mapping) else {str(name): one}
        if not inner:
            raise ValueError(f"Model {name!r} has no candidates.")
        for key, function in inner.items():
            if not callable(function) or isinstance(function, keras.Model):
                raise ValueError(
                    "`build` must be a function of the seed that returns a "
                    "new compiled model, or a dict of them. Received for "
                    f"{key!r}: {type(function).__name__}"
                )
        models[str(name)] = {str(k): f for k, f in inner.items()}
    names = [*models, *(c for inner in models.values() for c in inner)]
    for name in names:
        # They are folder names.
        if not _NAME.fullmatch(name):
            raise ValueError(
                "Names of models must be letters, digits, spaces and _ . + - "
                f"and not begin with a dot or space. Received: {name!r}"
            )
    return models


def _seeds(seeds: int | Sequence[int]) -> tuple[int, ...]:
    numbers = range(seeds) if isinstance(seeds, int) else seeds
    result = tuple(int(seed) for seed in numbers)
    if not result or len(set(result)) != len(result) or min(result) < 0:
        raise ValueError(
            "`seeds` must be their number, or different whole numbers from 0. "
            f"Received: seeds={seeds!r}"
        )
    return result


def _splits(
    dataset: MultimodalDataset, groups: str | None
) -> tuple[Split, Split]:
    train, valid = dataset.train, dataset.valid
    if train is None or valid is None or not len(train) or not len(valid):
        raise ValueError(
            "A run needs a training and a validation split with samples: all "
            "choices are made on the latter."
        )
    if train.per_step:
        raise ValueError(
            "The runner scores a label per sample. Received: labels at every "
            f"step, {train.labels.shape}. Train with `fit`, and score with "
            "`evaluation.report_videos`."
        )
    # Not `dataset.test`: whether it exists can be told without touching it.
    if vars(dataset).get("test", dataset) is None:
        raise ValueError(
            f"The data set {dataset.name!r} has no test split to open."
        )
    if groups is not None and groups not in valid.groups:
        raise ValueError(
            f"`groups` must be among {list(valid.groups)}, the groups of the "
            f"splits. Received: groups={groups!r}"
        )
    return train, valid


def _direction(select: str, mode: str) -> bool:
    if not select.startswith("val_"):
        raise ValueError(
            "`select` must begin with 'val_': epochs and candidates are "
            f"chosen on the validation split. Received: select={select!r}"
        )
    return lower_is_better(select, mode)


def _described_scoring(
    scoring: Scoring, groups: str | None, output: str | None
) -> dict[str, Any]:
    return {
        "protocol": scoring.protocol,
        "metrics": {k: plain(m) for k, m in scoring.metrics.items()},
        "metric": scoring.main,
        "groups": groups,
        "output": output,
    }


def _check_compiled(model: Any, label: str) -> None:
    if not isinstance(model, keras.Model):
        raise ValueError(
            f"The function that builds {label} must return a "
            f"Keras model. Received: {type(model).__name__}"
        )
    if not model.compiled:
        raise ValueError(
            f"The function that builds {label} must return a "
            "compiled model: call model.compile(optimizer, loss) in it."
        )


def _try_metrics(scoring: Scoring, valid: Split, p: Array, name: str) -> None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UndefinedMetricWarning)
            for metric in scoring.metrics.values():
                metric(valid.labels[: len(p)], p)
    except ValueError as error:
        raise ValueError(
            f"The metrics {list(scoring.metrics)} do not fit the predictions "
            f"of {name}, of shape {p.shape}, and the labels: {error}"
        ) from error
