"""A tiny data set whose test split can refuse, and tiny models for it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_mmfusion.data import MultimodalDataset, Split
from keras_mmfusion.evaluation import Result, run

CLASSES = ["low", "middle", "high"]
SHAPES = {"audio": (None, 5), "image": (4,)}
FIT = {"epochs": 3, "batch_size": 16}


def split(seed: int, samples: int = 48) -> Split:
    """Samples whose modalities both carry the class; six per recording."""
    random = np.random.default_rng(seed)
    labels = random.integers(0, 3, samples)
    audio = random.normal(size=(samples, 6, 5)) + np.eye(5)[labels][:, None]
    image = random.normal(size=(samples, 4)) + np.eye(4)[labels]
    return Split(
        {"audio": audio, "image": image},
        labels,
        ids=[f"{seed}-{i}" for i in range(samples)],
        groups={"recording": 100 * seed + np.arange(samples) // 6},
    )


def dataset(test_samples: int = 48, train_seed: int = 0) -> MultimodalDataset:
    return MultimodalDataset(
        split(train_seed),
        split(1),
        split(2, test_samples),
        "tiny",
        "classification",
        CLASSES,
    )


class Guarded(MultimodalDataset):
    """Raises when the test split is touched before the choices are sealed."""

    guarded = False

    def __init__(self, folder: Path) -> None:
        super().__init__(
            split(0), split(1), split(2), "tiny", "classification", CLASSES
        )
        self.folder = folder
        self.guarded = True

    @property
    def test(self) -> Split:  # type: ignore[override]
        if self.guarded and not (self.folder / "sealed.json").exists():
            raise AssertionError("The test split was touched too early.")
        return self._test

    @test.setter
    def test(self, value: Split) -> None:
        self._test = value


def linear(
    modality: str = "image",
    learning_rate: float = 0.1,
    metrics: tuple[str, ...] = (),
) -> Callable[[int], Any]:
    """Build of a linear classifier of one modality."""

    def build(seed: int) -> Any:
        x = inputs = keras.Input(SHAPES[modality], name=modality)
        if modality == "audio":
            x = keras.layers.GlobalAveragePooling1D()(x)
        model = keras.Model({modality: inputs}, keras.layers.Dense(3)(x))
        model.compile(
            keras.optimizers.SGD(learning_rate),
            keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            metrics=list(metrics),
        )
        return model

    return build


def small_run(
    build: Any, data: Any, directory: Any = None, **changes: Any
) -> Result:
    """A silent run of two seeds and three epochs."""
    settings: dict[str, Any] = {"seeds": 2, "fit": FIT, "verbose": 0}
    return run(build, data, directory, **{**settings, **changes})


def same(left: Result, right: Result) -> None:
    """Raises unless two runs found the same, times aside."""
    assert list(left.models) == list(right.models)
    for name, model in left.models.items():
        other = right.models[name]
        np.testing.assert_array_equal(model.predictions, other.predictions)
        assert model.scores == other.scores
        for a, b in zip(model.runs, other.runs, strict=True):
            assert (a.seed, a.epoch, a.value) == (b.seed, b.epoch, b.value)
            assert a.history == b.history
    assert left.paired == right.paired
