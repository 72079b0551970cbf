"""The sealed runner: choices on validation, the test split opened once."""

import contextlib
import os
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import numpy as np

from keras_mmfusion.data import MultimodalDataset, Split
from keras_mmfusion.evaluation import files, report
from keras_mmfusion.evaluation.fingerprint import describe_split, differences
from keras_mmfusion.evaluation.memory import traces_freed
from keras_mmfusion.evaluation.result import RESULT, Result, SeedRun, seed_run
from keras_mmfusion.evaluation.study import (
    PLAN,
    Builds,
    Study,
    built,
    each_candidate,
    prepare,
    trial,
    write_down,
)
from keras_mmfusion.evaluation.trained import (
    encode_weights,
    seed_file,
    set_weights,
)
from keras_mmfusion.evaluation.training import (
    Build,
    input_modalities,
    predictions,
    restricted,
    train_once,
)
from keras_mmfusion.types import Array, Metric

SEALED = "sealed.json"
PAGE = "report.html"
Mode = Literal["auto", "min", "max"]


def run(
    build: Builds,
    dataset: MultimodalDataset,
    directory: str | os.PathLike[str] | None = None,
    *,
    seeds: int | Sequence[int] = 5,
    select: str = "val_loss",
    mode: Mode = "auto",
    fit: Mapping[str, Any] | None = None,
    protocol: str | Mapping[str, Metric] | None = None,
    metric: str | None = None,
    groups: str | None = None,
    output: str | None = None,
    compare: Result | str | os.PathLike[str] | None = None,
    name: str | None = None,
    verbose: int = 1,
) -> Result:
    """Trains with several seeds, then opens the test split once.

    For every model and seed: seed all random numbers, build, fit on
    `dataset.train`, keep the weights of the epoch that is best on
    `dataset.valid`. When all are trained, all choices are written to
    `sealed.json`; only then is `dataset.test` read, once for all models.

    A directory belongs to one set of choices: another build, setting, seed,
    or version is refused. The same choices continue where a killed run
    stopped, with the result that it would have had: finished seeds are kept,
    an unfinished one begins anew. A finished run is read, not repeated.

    An epoch whose loss on validation is not finite is never kept; without
    another the run ends before the seal. Where predictions on the test split
    are not finite, the scores of that seed are NaN, and so are the means of
    its model; a warning of the result says so.

    Args:
        build: `build(seed) -> compiled model` with dict inputs; or a dict
            from name to such a function, all of which are tested and
            compared with the first; where a value is itself a dict, it holds
            candidates, and the one with the best mean on validation is
            tested. A model gets the modalities that it has inputs for.
        dataset: Data set with three splits.
        directory: Where to keep everything, among it `result.json` and
            `report.html`. Without it, only the result is kept.
        seeds: Their number, or the seeds.
        select: Which quantity of the validation split chooses epochs and
            candidates.
        mode: "auto" decides by the name whether less of it is better (losses
            and errors) or more (accuracy, F1, correlation).
        fit: `epochs`, `batch_size`, `patience`, `transform` and so on; see
            `FitSettings`.
        protocol: A name from `metrics.PROTOCOLS`, or own metrics as a dict of
            functions (y, p) -> float. Default: "classes" for classification;
            MAE, Pearson and concordance correlation for regression.
        metric: The metric that tests compare; default: the protocol's first.
        groups: Group of the splits, such as "recording" or "speaker", whose
            members are not independent: whole groups are resampled.
        output: Which output is scored, of a model that returns a dict; "sum"
            for the sum of all, as for `MSAF` with `combine="none"`; models
            with one output are scored by that.
        compare: An earlier result on the same test split, to test against.
        name: Name of the run; default: that of the data set.
        verbose: 0 for silence, 1 for a line per epoch, 2 for Keras' progress
            bar as well.

    Returns:
        A `Result`: `print(result)` shows the tables, `write_html` the page.

    Raises:
        ValueError: For arguments that do not fit, and if the directory
            belongs to another run.

    Example:

    ```python
    import keras
    import numpy as np
    from keras_mmfusion.data import MultimodalDataset, Split
    from keras_mmfusion.evaluation import run

    def split(seed):
        random = np.random.default_rng(seed)
        x = random.normal(size=(60, 4))
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
    result = run(build, toy, seeds=2, fit={"epochs": 3}, verbose=0)
    print(result.models["model"].scores["accuracy"])
    ```

    Bit-equal repetition needs a backend that is deterministic; on the CPU
    with one thread all three are.
    """
    with _folder(directory) as folder:
        study = prepare(
            build,
            dataset,
            folder,
            seeds=seeds,
            select=select,
            mode=mode,
            fit=fit,
            protocol=protocol,
            metric=metric,
            groups=groups,
            output=output,
            verbose=verbose,
        )
        write_down(study)
        if (folder / RESULT).exists():
            study.say(f"{folder} holds the finished run; its result is read.")
            result = Result.load(folder)
            _check_same_test(result, dataset.test, folder)
        else:
            _train_all(study, dataset.train, dataset.valid)
            sealed = _seal(study)
            result = _open(study, dataset, sealed, name or dataset.name)
        if compare is not None:
            tests = result.compare(compare, study.scoring)
            result.paired += [
                test for test in tests if test not in result.paired
            ]
        if directory is not None and not (folder / RESULT).exists():
            result.save(folder)
            result.write_html(folder / PAGE)
            study.say(f"Written to {folder}, for reading: {folder / PAGE}")
        study.say(f"\n{result}")
        return result


@contextlib.contextmanager
def _folder(directory: str | os.PathLike[str] | None) -> Iterator[Path]:
    """The directory of a run, or one that is gone when the run ends."""
    if directory is not None:
        yield Path(directory)
        return
    prefix = "keras_mmfusion_run_"
    with tempfile.TemporaryDirectory(
        prefix=prefix, ignore_cleanup_errors=True
    ) as temporary:
        yield Path(temporary)


def _train_all(study: Study, train: Split | None, valid: Split | None) -> None:
    """Trains every candidate with every seed that is not finished yet."""
    if train is None or valid is None:
        raise ValueError("A run needs a training and a validation split.")
    todo = [
        (name, candidate, build, seed)
        for name, candidate, build in each_candidate(study.models)
        for seed in study.seeds
    ]
    start, trained = time.monotonic(), 0
    for done, (name, candidate, build, seed) in enumerate(todo):
        label = name if len(study.models[name]) == 1 else f"{name}/{candidate}"
        label = f"{label} seed {seed}"
        path = seed_file(study.folder, name, candidate, seed)
        if path.exists():
            study.say(f"{label}: finished before, kept")
            continue
        with traces_freed():
            _train_one(study, path, build, seed, train, valid, label)
        trained += 1
        left = (time.monotonic() - start) / trained * (len(todo) - done - 1)
        study.say(
            f"{label}: {done + 1} of {len(todo)} trained, "
            f"at most {_duration(left)} left"
        )


def _train_one(
    study: Study,
    path: Path,
    build: Build,
    seed: int,
    train: Split,
    valid: Split,
    label: str,
) -> None:
    model = built(build, seed)
    names = input_modalities(model, train.modalities)
    found = train_once(
        model,
        seed,
        restricted(train, names),
        restricted(valid, names),
        study.fit,
        study.select,
        study.lower,
        lambda text: study.say(f"{label} {text}"),
        keras_bar=study.verbose > 1,
    )
    data = encode_weights(found.weights)
    files.write(path.with_suffix(".npz"), data)
    # The JSON marks the seed as finished, so it comes last.
    record = {
        "seed": seed,
        "epoch": found.epoch,
        "value": found.value,
        "seconds": found.seconds,
        "weights": files.sha256(data),
        "history": found.history,
    }
    files.write_json(path, record)


def _seal(study: Study) -> dict[str, Any]:
    """Writes what will be tested, before the test split is read."""
    models = {}
    for name, candidates in study.models.items():
        records = {
            candidate: [
                files.read_json(seed_file(study.folder, name, candidate, seed))
                for seed in study.seeds
            ]
            for candidate in candidates
        }
        values = {k: [r["value"] for r in rs] for k, rs in records.items()}
        means = {k: float(np.mean(v)) for k, v in values.items()}
        pick = min if study.lower else max
        chosen = pick(means, key=means.__getitem__)
        kept = ("seed", "epoch", "value", "weights")
        models[name] = {
            "candidate": chosen,
            "candidates": values,
            "seeds": [{k: r[k] for k in kept} for r in records[chosen]],
        }
    plan = files.sha256((study.folder / PLAN).read_bytes())
    content = {"plan": plan, "models": models}
    path = study.folder / SEALED
    if path.exists():
        sealed = files.read_json(path)
        before = {key: sealed.get(key) for key in content}
        if list(differences(before, files.json_ready(content))):
            raise ValueError(
                f"{path} was sealed with other choices than the folder holds "
                "now. Files were changed after the test split was opened; "
                "start again in a new folder."
            )
        return sealed
    files.write_json(path, {"sealed": _now(), **content})
    return files.read_json(path)


def _open(
    study: Study, dataset: MultimodalDataset, sealed: dict[str, Any], name: str
) -> Result:
    """Reads the test split: the only place that does."""
    study.say(f"All choices are sealed in {study.folder / SEALED}.")
    test = dataset.test
    if test is None or not len(test):
        raise ValueError(
            f"The data set {dataset.name!r} has no test samples. The trained "
            f"models are in {study.folder}; call `run` again with them."
        )
    if study.groups is not None and study.groups not in test.groups:
        raise ValueError(
            f"The test split has no groups {study.groups!r}. "
            f"Received: {list(test.groups)}"
        )
    opened = _now()
    study.say(f"The test split is opened: {len(test)} samples.")
    guesses: dict[str, Array] = {}
    runs: dict[str, tuple[SeedRun, ...]] = {}
    for model, entry in sealed["models"].items():
        build = study.models[model][entry["candidate"]]
        with traces_freed():
            guesses[model], runs[model] = _predict(
                study, model, entry, build, dataset, test
            )
    times = {"sealed": sealed["sealed"], "test opened": opened}
    return report.assemble(
        study, dataset, test, sealed, name, guesses, runs, times
    )


def _check_same_test(result: Result, test: Split | None, folder: Path) -> None:
    """A finished run is not the result of another test split."""
    if test is None:
        return
    same = list(test.ids) == list(result.ids) and np.array_equal(
        np.asarray(test.labels), np.asarray(result.labels), equal_nan=True
    )
    if not same:
        raise ValueError(
            f"{folder} holds a finished run whose test split has other samples "
            f"or labels: {len(result.ids)} samples then, {len(test)} now. Use "
            "a new folder for another test split."
        )
    now, then = describe_split(test), result.dataset["test"]
    for part in ("shapes", "content"):
        if now[part] != then[part]:
            raise ValueError(
                f"{folder} holds a finished run whose test split has other "
                f"inputs: {part} {then[part]} then, {now[part]} now. Use a new "
                "folder for another test split."
            )


def _predict(
    study: Study,
    name: str,
    entry: dict[str, Any],
    build: Build,
    dataset: MultimodalDataset,
    test: Split,
) -> tuple[Array, tuple[SeedRun, ...]]:
    """Test predictions (S, N, ...) of one model, and its seeds' records."""
    guesses, runs = [], []
    for choice in entry["seeds"]:
        seed = choice["seed"]
        path = seed_file(study.folder, name, entry["candidate"], seed)
        model = built(build, seed)
        if not model.built and dataset.valid is not None:
            trial(model, dataset.valid, study.fit, study.output)
        set_weights(model, path, choice["weights"])
        names = input_modalities(model, test.modalities)
        batches = study.fit.batches(restricted(test, names))
        guesses.append(predictions(model, batches, study.output))
        scores = study.scoring.evaluate(test.labels, guesses[-1])
        record = files.read_json(path)
        runs.append(seed_run({**record, "test": scores}))
    return np.stack(guesses), tuple(runs)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min"
