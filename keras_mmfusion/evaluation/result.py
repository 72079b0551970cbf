"""Results: what a finished run knows, saved as plain JSON and arrays."""

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_mmfusion.evaluation import files
from keras_mmfusion.evaluation.files import number
from keras_mmfusion.evaluation.result_text import render
from keras_mmfusion.evaluation.scoring import Score, Scoring
from keras_mmfusion.metrics import PairedResult
from keras_mmfusion.types import Array

if TYPE_CHECKING:
    from keras_mmfusion.evaluation.robustness_suite import Robustness

FORMAT = 1
RESULT = "result.json"
PREDICTIONS = "predictions.npz"


@dataclass(frozen=True)
class SeedRun:
    """Training of one model with one seed.

    Attributes:
        seed: The seed.
        epoch: Epoch whose weights were kept, from 1.
        value: The selected quantity on the validation split there.
        history: Quantity to its value after every epoch.
        seconds: Time that training took.
        test: Metric to its value on the test split.
    """

    seed: int
    epoch: int
    value: float
    history: Mapping[str, list[float]]
    seconds: float
    test: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class ModelResult:
    """One model of a run.

    Attributes:
        name: Its name in the run.
        candidate: Which of its candidates was chosen on validation.
        candidates: Candidate to the selected quantity of every seed.
        parameters: Number of values in its weights.
        runs: One entry per seed, of the chosen candidate.
        scores: Metric to `Score` on the test split.
        predictions: Test predictions of every seed, (S, N, ...) float32.
    """

    name: str
    candidate: str
    candidates: Mapping[str, list[float]]
    parameters: int
    runs: tuple[SeedRun, ...]
    scores: Mapping[str, Score]
    predictions: Array

    def best_seed(self, lower: bool) -> int:
        """Seed with the best value on the validation split."""
        order = sorted(self.runs, key=lambda run: run.value)
        return order[0].seed if lower else order[-1].seed


@dataclass
class Result:
    """What a run found out. `print` shows the tables.

    Attributes:
        name: Name of the run.
        task: Task of the data set.
        choices: Everything that was fixed before training, as plain JSON.
        scoring: Protocol, metric names and main metric, as plain JSON.
        lower: Whether the selected quantity is better if low.
        dataset: Description of the data set.
        environment: Versions and machine.
        models: Model by name.
        floors: Floor to metric to value on the test split.
        paired: Tests of the main metric: the model, what it is compared
            with, and the `PairedResult`.
        warnings: Sentences about what distorts the numbers.
        labels: Test labels.
        ids: Test ids.
        groups: Cluster of every test sample, or None.
        times: When choices were sealed and the test split was opened.
        robustness: `Robustness` by model; put yours in before saving.
    """

    name: str
    task: str
    choices: dict[str, Any]
    scoring: dict[str, Any]
    lower: bool
    dataset: dict[str, Any]
    environment: dict[str, str]
    models: dict[str, ModelResult]
    floors: dict[str, dict[str, float]]
    paired: list[tuple[str, str, PairedResult]]
    warnings: list[str]
    labels: Array
    ids: list[str]
    groups: Array | None
    times: dict[str, str]
    robustness: "dict[str, Robustness]" = field(default_factory=dict)

    @property
    def main(self) -> str:
        """Name of the metric that tests compare."""
        return str(self.scoring["main"])

    @property
    def first(self) -> ModelResult:
        """The model that the others are compared with."""
        return next(iter(self.models.values()))

    def __str__(self) -> str:
        """Tables as plain text."""
        return render(self)

    def compare(
        self,
        other: "Result | str | os.PathLike[str]",
        scoring: Scoring | None = None,
    ) -> list[tuple[str, str, PairedResult]]:
        """Paired tests of every model against the first model of another run.

        Args:
            other: A result, or the folder of one, on the same test samples.
            scoring: Metrics to use; by default those of this run, which
                cannot be own functions then.

        Returns:
            Triples of model, what it is compared with, and the outcome.

        Raises:
            ValueError: If the test samples or labels differ.
        """
        if not isinstance(other, Result):
            other = Result.load(other)
        order = _matched(self, other)
        scoring = scoring or self.published_scoring()
        reference = other.first
        label = f"{reference.name} of {other.name}"
        return [
            (
                name,
                label,
                scoring.compare(
                    self.labels,
                    model.predictions,
                    reference.predictions[:, order],
                    self.groups,
                ),
            )
            for name, model in self.models.items()
        ]

    def published_scoring(self) -> Scoring:
        """The metrics of the run, unless they were the user's functions.

        Raises:
            ValueError: If they were: functions are not stored.
        """
        from keras_mmfusion.evaluation.scoring import choose_metrics

        protocol = self.scoring["protocol"]
        if protocol == "own":
            raise ValueError(
                "This run was scored by its own functions, which are not "
                "stored. Give `compare=` to `run`, together with them."
            )
        return choose_metrics(
            self.task,
            None if protocol == "plain" else protocol,
            self.main,
            self.first.predictions[0],
            self.dataset.get("class_names"),
        )

    def to_dict(self) -> dict[str, Any]:
        """Everything but the arrays, as plain JSON."""
        return files.json_object(
            {
                "format": FORMAT,
                "name": self.name,
                "task": self.task,
                "scoring": self.scoring,
                "models": {k: _model_dict(m) for k, m in self.models.items()},
                "floors": self.floors,
                "paired": [
                    {"model": a, "reference": b, **test.to_dict()}
                    for a, b, test in self.paired
                ],
                "warnings": self.warnings,
                "robustness": {
                    k: r.to_dict() for k, r in self.robustness.items()
                },
                "dataset": self.dataset,
                "environment": self.environment,
                "times": self.times,
                "lower": self.lower,
                "choices": self.choices,
            }
        )

    def save(self, directory: str | os.PathLike[str]) -> None:
        """Writes `result.json` and `predictions.npz`, no pickles.

        Args:
            directory: Where to; created if needed.
        """
        folder = Path(directory)
        arrays = {
            "labels": np.asarray(self.labels),
            "ids": np.asarray(self.ids, dtype=np.str_),
        }
        if self.groups is not None:
            arrays["groups"] = _storable(self.groups)
        for name, model in self.models.items():
            arrays[f"predictions/{name}"] = model.predictions
        # The JSON marks the result as whole, so it comes last.
        files.write(folder / PREDICTIONS, files.encode_arrays(arrays))
        files.write_json(folder / RESULT, self.to_dict())

    @classmethod
    def load(cls, directory: str | os.PathLike[str]) -> "Result":
        """Reads a result that `save` or `run` wrote.

        Args:
            directory: The folder of the run.

        Raises:
            FileNotFoundError: If there is no finished run.
            ValueError: If a file is damaged or of a newer format.
        """
        folder = Path(directory)
        data = files.read_json(folder / RESULT)
        if data.get("format") != FORMAT:
            raise ValueError(
                f"{folder / RESULT} must have format {FORMAT}. Received: "
                f"{data.get('format')!r}"
            )
        path = folder / PREDICTIONS
        arrays = files.decode_arrays(path.read_bytes(), path)
        try:
            return _from_dict(data, arrays)
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(
                f"{folder / RESULT} and {PREDICTIONS} do not fit: {error!r}"
            ) from error

    def write_html(self, path: str | os.PathLike[str]) -> None:
        """Writes one self-contained HTML page with figures and tables.

        Figures need matplotlib; without it the page has the tables only.

        Args:
            path: The file to write.
        """
        from keras_mmfusion.evaluation.html import render_page

        files.write(Path(path), render_page(self).encode("utf-8"))


def _matched(mine: Result, other: Result) -> Array:
    """Positions in the other run of this run's test samples."""
    position = {name: index for index, name in enumerate(other.ids)}
    missing = [name for name in mine.ids if name not in position]
    if missing or len(mine.ids) != len(other.ids):
        raise ValueError(
            f"Expected both runs to have the same test samples. Received: "
            f"{len(mine.ids)} and {len(other.ids)} samples, {len(missing)} "
            "of the first are not in the second."
        )
    order = np.array([position[name] for name in mine.ids])
    if not np.array_equal(mine.labels, other.labels[order]):
        raise ValueError(
            "Expected both runs to have the same test labels. Received: "
            "equal ids with other labels."
        )
    return order


def _storable(groups: Array) -> Array:
    return groups.astype(np.str_) if groups.dtype.kind == "O" else groups


def _model_dict(model: ModelResult) -> dict[str, Any]:
    return {
        "candidate": model.candidate,
        "candidates": model.candidates,
        "parameters": model.parameters,
        "scores": {k: s.to_dict() for k, s in model.scores.items()},
        "seeds": [asdict(run) for run in model.runs],
    }


def _model(name: str, data: Mapping[str, Any], p: Array) -> ModelResult:
    return ModelResult(
        name,
        data["candidate"],
        {k: [number(v) for v in vs] for k, vs in data["candidates"].items()},
        data["parameters"],
        tuple(seed_run(entry) for entry in data["seeds"]),
        {k: Score.from_dict(s) for k, s in data["scores"].items()},
        p,
    )


def seed_run(data: Mapping[str, Any]) -> SeedRun:
    """The entry of one seed, read from JSON."""
    return SeedRun(
        data["seed"],
        data["epoch"],
        number(data["value"]),
        {k: [number(v) for v in vs] for k, vs in data["history"].items()},
        data["seconds"],
        {k: number(v) for k, v in data.get("test", {}).items()},
    )


def _paired(data: Mapping[str, Any]) -> tuple[str, str, PairedResult]:
    keys = ("difference", "low", "high", "p_value")
    numbers = {key: number(data[key]) for key in keys}
    test = PairedResult(test=data["test"], units=data["units"], **numbers)
    return data["model"], data["reference"], test


def _from_dict(data: Mapping[str, Any], arrays: files.Arrays) -> Result:
    from keras_mmfusion.evaluation.robustness_suite import Robustness

    return Result(
        name=data["name"],
        task=data["task"],
        choices=data["choices"],
        scoring=data["scoring"],
        lower=data["lower"],
        dataset=data["dataset"],
        environment=data["environment"],
        models={
            name: _model(name, entry, arrays[f"predictions/{name}"])
            for name, entry in data["models"].items()
        },
        floors={
            name: {k: number(v) for k, v in floor.items()}
            for name, floor in data["floors"].items()
        },
        paired=[_paired(entry) for entry in data["paired"]],
        warnings=data["warnings"],
        labels=arrays["labels"],
        ids=[str(name) for name in arrays["ids"]],
        groups=arrays.get("groups"),
        times=data["times"],
        robustness={
            name: Robustness.from_dict(entry)
            for name, entry in data["robustness"].items()
        },
    )
