"""Networks and augmentation of the recipe `msaf_ravdess_av`, and its data."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import keras
import numpy as np
from training import adamw, smoothed

import keras_mmfusion as mmf
from keras_mmfusion.data import GroupNoise, ModalityDropout
from keras_mmfusion.data.corruptions import add_noise

Shapes = Mapping[str, tuple[int | None, ...]]
CLASSES = 8
MODALITIES = ("audio", "video")
MODELS = ("msaf", "concat", *MODALITIES)
NOISE = {"audio": 0.5, "video": 0.1}
MODALITY_DROPOUT = 0.3


class Settings(NamedTuple):
    """What is chosen for each fold; see `ravdess_choice.py`.

    Attributes:
        statistics: How many of the `speech_statistics`: all 486, or the 140
            of the spectrum alone.
        noise: Whether training inputs get the deviations `NOISE`.
        speakers: Whether training inputs move as if others spoke.
        units: Of the dense layers of an encoder.
        head_dropout: Before the head.
        block_channels: Of MSAF's blocks.
        block_dropout: Of MSAF's blocks.
    """

    statistics: int = 486
    noise: bool = True
    speakers: bool = True
    units: Sequence[int] = (256,)
    head_dropout: float = 0.5
    block_channels: int = 64
    block_dropout: float = 0.2


class Augmentation:
    """Other speakers, noise, and modalities left out, in training batches."""

    def __init__(self, train: mmf.data.Split, settings: Settings) -> None:
        self.deviations = NOISE if settings.noise else {}
        moved = train.modalities if settings.speakers else []
        scale = dict.fromkeys(moved, 1.0)
        self._speakers = GroupNoise(train, "actor", scale)
        self._dropout = ModalityDropout(MODALITY_DROPOUT)

    def __call__(self, inputs: Any, random: np.random.Generator) -> Any:
        x = self._speakers(inputs, random)
        if self.deviations:
            # Inputs are standardised: deviations are shares of theirs.
            x = add_noise(x, 1.0, seed=random, deviations=self.deviations)
        return self._dropout(x, random)


def encoders(shapes: Shapes, seed: int, units: Sequence[int]) -> dict[str, Any]:
    return {
        modality: mmf.encoders.DenseEncoder(
            shape[0], list(units), batch_norm=True, name=modality, seed=seed
        )
        for modality, shape in shapes.items()
    }


def fused(
    seed: int, shapes: Shapes, steps: int, settings: Settings, attention: bool
) -> Any:
    """MSAF, or without attention a dense head on the concatenation."""
    last = f"dense{len(settings.units)}"
    fusion = {
        "after": dict.fromkeys(shapes, last),
        "block_channels": settings.block_channels,
        "reduction_factor": 2,
        "attention_floor": 0.5,
        "block_dropout": settings.block_dropout,
    }
    model = mmf.models.MSAF(
        encoders(shapes, seed, settings.units),
        [fusion] if attention else [],
        num_classes=CLASSES,
        # The sum of heads is a head on the concatenation.
        combine="sum",
        dropout=settings.head_dropout,
        seed=seed,
    )
    return compiled(model, steps)


def alone(
    seed: int, shapes: Shapes, steps: int, settings: Settings, modality: str
) -> Any:
    """One encoder of the fused model with the same kind of head."""
    encoder = encoders(shapes, seed, settings.units)[modality]
    x = keras.layers.Dropout(settings.head_dropout, seed=seed)(encoder.output)
    logits = keras.layers.Dense(CLASSES, name="head")(x)
    return compiled(keras.Model({modality: encoder.input}, logits), steps)


def compiled(model: Any, steps: int) -> Any:
    model.compile(
        adamw(steps, warm=1 / 7), smoothed(CLASSES), metrics=["accuracy"]
    )
    return model


def builder(
    name: str, shapes: Shapes, steps: int, settings: Settings
) -> Callable[[int], Any]:
    """Function of the seed that makes one of `MODELS`."""
    common = {"shapes": shapes, "steps": steps, "settings": settings}
    if name in MODALITIES:
        return partial(alone, modality=name, **common)
    return partial(fused, attention=name == "msaf", **common)


def inputs(
    split: mmf.data.Split, settings: Settings, modalities: Sequence[str]
) -> mmf.data.Split:
    """The split with these modalities and the chosen statistics."""
    x, labels = split.arrays()
    x["audio"] = x["audio"][:, : settings.statistics]
    return mmf.data.Split(
        {name: x[name] for name in modalities},
        labels,
        ids=split.ids,
        groups=split.groups,
    )
