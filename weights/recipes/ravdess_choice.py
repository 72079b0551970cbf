"""Settings of the recipe `msaf_ravdess_av`, chosen without the tested actors.

    python weights/recipes/ravdess_choice.py --data ravdess_av.npz

Nested cross-validation: before the actors of a fold are tested, each of the
other folds validates once while the rest trains, and the settings with the
highest mean accuracy in them are taken, the first named of equal ones. So no
label of an actor has a say in what is tested on that actor.

A network trained without two folds serves both: it validates the first for
the test of the second, and the second for the test of the first. Six folds
have 15 pairs.

There are two steps, because the networks of one run share their data: inputs
and augmentation are chosen with plain concatenation, then the sizes of each
network.
"""

import argparse
import itertools
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import keras
import numpy as np
import ravdess_networks as networks
from ravdess_networks import MODALITIES, MODELS, Settings

from keras_mmfusion.data import Split
from keras_mmfusion.data.ravdess_av import read_ravdess_av
from keras_mmfusion.evaluation import files

Folds = Sequence[Sequence[int]]
Values = Mapping[str, Sequence[Any]]
Choice = dict[str, Settings]
FOLDS = 6
BATCH = 64
EPOCHS = 24
SEEDS = 1
# The values that are tried, the simplest first.
DATA: Values = {
    "statistics": (140, 486),
    "noise": (False, True),
    "speakers": (False, True),
}
SIZES: Values = {
    "units": ((256,), (256, 128)),
    "head_dropout": (0.3, 0.5),
}
BLOCKS: Values = {"block_channels": (16, 64), "block_dropout": (0.0, 0.2)}


def actors_of(fold: int) -> list[int]:
    """Test actors of a fold, from 0: four consecutive ones."""
    return list(range(4 * fold + 1, 4 * fold + 5))


def combinations(values: Values, start: Settings) -> list[Settings]:
    """All of the values, everything else as in `start`."""
    return [
        start._replace(**dict(zip(values, combination, strict=True)))
        for combination in itertools.product(*values.values())
    ]


def sizes(model: str) -> Values:
    return {**SIZES, **BLOCKS} if model == "msaf" else SIZES


class Validation:
    """Accuracies of trainings without two folds, kept in a folder.

    Args:
        data: `ravdess_av.npz`.
        folds: Actors of every fold.
        work: Folder for a JSON file of each pair of folds.
        epochs: Of every training.
        seeds: Trainings that an accuracy is the mean of.
    """

    def __init__(
        self,
        data: str | Path,
        folds: Folds,
        work: Path,
        epochs: int = EPOCHS,
        seeds: int = SEEDS,
    ) -> None:
        self.data, self.folds, self.work = data, folds, work
        self.epochs, self.seeds = epochs, seeds
        work.mkdir(parents=True, exist_ok=True)
        self._read = cache(read_ravdess_av)  # A few megabytes for each pair.

    def choose(self, test: int) -> Choice:
        """Settings of all `MODELS` for the test of one fold."""
        shared = self.shared(test)
        return {
            model: self.best(test, model, combinations(sizes(model), shared))
            for model in MODELS
        }

    def shared(self, test: int) -> Settings:
        """The first step."""
        return self.best(test, "concat", combinations(DATA, Settings()))

    def best(
        self, test: int, model: str, settings: Sequence[Settings]
    ) -> Settings:
        means = [np.mean(self.accuracies(test, model, one)) for one in settings]
        return settings[int(np.argmax(means))]

    def accuracies(
        self, test: int, model: str, settings: Settings
    ) -> list[float]:
        """In each other fold, of networks that had neither it nor `test`."""
        found = []
        for other in range(len(self.folds)):
            if other != test:
                pair = (min(test, other), max(test, other))
                both = self.without(pair, model, settings)
                found.append(both[pair.index(other)])
        return found

    def without(
        self, pair: tuple[int, int], model: str, settings: Settings
    ) -> list[float]:
        """Accuracy in both folds of a pair, of a network that had neither."""
        path = self.work / f"without {pair[0]} and {pair[1]}.json"
        known: dict[str, Any] = files.read_json(path) if path.exists() else {}
        key = (
            f"{model}, {self.seeds} seeds, {self.epochs} epochs, "
            f"{settings._asdict()}"
        )
        if key not in known:
            runs = [
                self._trained(pair, model, settings, seed)
                for seed in range(self.seeds)
            ]
            known[key] = np.mean(runs, axis=0).tolist()
            files.write_json(path, known)
        found: list[float] = known[key]
        return found

    def _trained(
        self,
        pair: tuple[int, int],
        model: str,
        settings: Settings,
        seed: int,
    ) -> list[float]:
        first, second = (tuple(self.folds[fold]) for fold in pair)
        data = self._read(self.data, first, second)
        modalities = [model] if model in MODALITIES else MODALITIES
        train, *held_out = (
            networks.inputs(split, settings, modalities)
            for split in (data.train, data.test, data.valid)
        )
        shapes = {name: x.shape[1:] for name, x in train.arrays()[0].items()}
        steps = self.epochs * -(-len(train) // BATCH)
        keras.utils.set_random_seed(seed)
        network = networks.builder(model, shapes, steps, settings)(seed)
        batches = train.batches(
            BATCH,
            shuffle=True,
            seed=seed,
            transform=networks.Augmentation(train, settings),
        )
        network.fit(batches, epochs=self.epochs, shuffle=False, verbose=0)
        return [accuracy(network, split) for split in held_out]


def accuracy(network: Any, split: Split) -> float:
    logits = network.predict(split.batches(len(split)), verbose=0)
    return float(np.mean(np.argmax(logits, axis=1) == split.labels))


def effects(validation: Validation) -> dict[str, float]:
    """What each value brought: the mean accuracy of all that have it.

    Over all folds, so it is to be read after the choice, not to choose by.
    """
    seen: dict[str, list[float]] = {}
    for test in range(len(validation.folds)):
        shared = validation.shared(test)
        for step, model, values, start in (
            ("data", "concat", DATA, Settings()),
            *(("size", model, sizes(model), shared) for model in MODELS),
        ):
            for one in combinations(values, start):
                mean = np.mean(validation.accuracies(test, model, one))
                for key in values:
                    label = f"{step} of {model}, {key} {getattr(one, key)}"
                    seen.setdefault(label, []).append(float(mean))
    return {
        label: float(np.mean(means)) for label, means in sorted(seen.items())
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", required=True, help="ravdess_av.npz")
    parser.add_argument("--work", default="out/ravdess_choice")
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    parser.add_argument("--seeds", type=int, default=SEEDS)
    arguments = parser.parse_args()
    validation = Validation(
        arguments.data,
        [actors_of(fold) for fold in range(FOLDS)],
        Path(arguments.work),
        arguments.epochs,
        arguments.seeds,
    )
    for test in range(FOLDS):
        for model, chosen in validation.choose(test).items():
            print(f"{validation.folds[test]} {model}: {chosen._asdict()}")
    for label, mean in effects(validation).items():
        print(f"{label}: {mean:.4f}")


if __name__ == "__main__":
    main()
