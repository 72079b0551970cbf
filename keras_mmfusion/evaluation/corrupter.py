"""Corrupted views of a split, made batch by batch."""

from collections.abc import Callable, Iterator, Mapping
from functools import partial

import numpy as np

from keras_mmfusion.data import Split, corruptions
from keras_mmfusion.data.batches import Inputs, Transform
from keras_mmfusion.data.columns import Column, Selected
from keras_mmfusion.types import Array

ALL = "all"

_SEQUENCES_ONLY = ("missing block", "missing frames", "time shift")
# Of one modality against the others; of all together they change nothing.
_RELATIVE = ("time shift", "swapped partner")


class Corrupter:
    """Makes corrupted views of a split, with what they need to know of it."""

    def __init__(
        self, split: Split, wanted: Mapping[str, tuple[float, ...]]
    ) -> None:
        self.split = split
        self.wanted = wanted
        self.sequences = [k for k, c in split.features.items() if c.is_sequence]
        self.median: dict[str, float] = {}
        for name in self.sequences:
            lengths = split.features[name].lengths()
            present = lengths[lengths > 0]
            self.median[name] = float(np.median(present)) if len(present) else 0
        self.deviations: dict[str, Array] = {}
        if "noise" in wanted:
            self.deviations = {
                name: _deviation(column)
                for name, column in split.features.items()
            }

    def pairs(self) -> Iterator[tuple[str, str]]:
        """Corruptions with the modalities they can be done to."""
        for corruption in self.wanted:
            names = self._targets(corruption)
            yield from ((corruption, name) for name in names)
            if len(names) > 1 and corruption not in _RELATIVE:
                yield corruption, ALL

    def corrupt(
        self, corruption: str, modality: str, severity: float, draw: int
    ) -> tuple[Split, Transform | None]:
        """A split, and the transform of its batches."""
        if corruption == "swapped partner":
            return self._swapped(modality, severity, draw), None
        names = [modality] if modality != ALL else self._targets(corruption)
        if corruption == "time shift":
            steps = round(severity * self.median[modality])
            return self.split, partial(_shifted, modality, steps)
        functions: dict[str, Callable[..., Inputs]] = {
            "missing modality": partial(
                corruptions.drop_modality, modality=names, rate=severity
            ),
            "missing block": partial(
                corruptions.drop_blocks, modalities=names, rate=severity
            ),
            "missing frames": partial(
                corruptions.drop_frames, modalities=names, rate=severity
            ),
            "noise": partial(
                corruptions.add_noise,
                modalities=names,
                scale=severity,
                deviations=self.deviations,
            ),
        }
        function = functions[corruption]
        return self.split, lambda inputs, random: function(inputs, seed=random)

    def _targets(self, corruption: str) -> list[str]:
        if corruption in _SEQUENCES_ONLY:
            return self.sequences
        return self.split.modalities

    def _swapped(self, modality: str, rate: float, draw: int) -> Split:
        """The split with one modality taken from other samples of it."""
        # The positions are swapped as if they were the modality, so that
        # partners come from the whole split and not from the same batch.
        positions = np.arange(len(self.split), dtype=np.float32)[:, None]
        partners = corruptions.swap_partner(
            {modality: positions}, modality, rate, seed=draw
        )[modality].astype(np.int64)[:, 0]
        features: dict[str, Column] = dict(self.split.features)
        features[modality] = Selected(features[modality], partners)
        return Split(features, self.split.labels, self.split.ids)


def _shifted(
    modality: str, steps: int, inputs: Inputs, random: np.random.Generator
) -> Inputs:
    return corruptions.shift_time(inputs, modality, steps)


def _deviation(column: Column) -> Array:
    """Deviation of every feature over the rows that are not all zeros."""
    fixed = [size for size in column.item_shape if size is not None]
    width = int(np.prod(fixed))
    count, total, squares = 0, np.zeros(width), np.zeros(width)
    # Squares of differences to some row lose fewer digits than of values.
    shift: Array | None = None
    for index in range(len(column)):
        rows = column[index].reshape(-1, width).astype(np.float64)
        rows = rows[rows.any(axis=1)]
        if shift is None and len(rows):
            shift = rows[0]
        if shift is not None:
            rows = rows - shift
        count += len(rows)
        total += rows.sum(axis=0)
        squares += (rows**2).sum(axis=0)
    count = max(count, 1)
    variance = squares / count - (total / count) ** 2
    return np.sqrt(np.maximum(variance, 0.0)).reshape(fixed)
