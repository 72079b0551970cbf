"""One `.csd` file: its entries, and the steps of segments in it."""

import os
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from keras_mmfusion.data.formats._arrays import labels_of
from keras_mmfusion.data.formats._files import require_kind
from keras_mmfusion.data.formats._hdf5 import (
    errors_named,
    has,
    numbers,
    open_hdf5,
    opened,
    subgroup,
)
from keras_mmfusion.data.streamed import Streamed

Times = NDArray[np.float64]
Segment = tuple[str, int, Times]

# Segments and overlaps shorter than this are empty for the SDK, in seconds.
_SHORTEST = 1e-5


@dataclass(frozen=True)
class Sequence:
    """One file: its own name, and what holds its entries."""

    path: Path
    root: str
    words: bool


class _Steps:
    """Reader of the steps of segments in one file."""

    def __init__(
        self, path: Path, root: str, rows: list[tuple[str, NDArray[Any]]]
    ) -> None:
        self.path = path
        self.root = root
        self.rows = rows
        self.width = 0
        self._open: tuple[int, Any] | None = None
        self._warned = False

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_open": None}

    def _data(self) -> Any:
        # HDF5 handles must not be shared with forked workers.
        if self._open is None or self._open[0] != os.getpid():
            self._open = (os.getpid(), open_hdf5(self.path))
        return self._open[1][f"{self.root}/data"]

    def source(self, index: int) -> Path:
        return self.path

    def __call__(self, index: int) -> NDArray[Any]:
        key, rows = self.rows[index]
        if not len(rows):
            return np.zeros((0, self.width), np.float32)
        with errors_named(self.path):
            group = subgroup(self._data(), key, self.path)
            features = numbers(group, "features", self.path)
            block = features[int(rows[0]) : int(rows[-1]) + 1]
        with np.errstate(over="ignore"):
            steps = np.asarray(block, np.float32)[rows - rows[0]]
        wrong = ~np.isfinite(steps)
        if wrong.any():
            if not self._warned:
                self._warned = True
                warnings.warn(
                    f"{self.path}: {key!r} holds {int(wrong.sum())} values "
                    "that are NaN or infinite; these are read as 0 here and "
                    "in all other entries, as is usual for SDK data.",
                    stacklevel=2,
                )
            steps[wrong] = 0
        return steps


def open_sequence(path: Path) -> Sequence:
    require_kind(path, "hdf5", "a .csd file, which is HDF5")
    with opened(path) as file:
        roots = list(file)
        if len(roots) != 1:
            raise ValueError(
                f"{path}: expected one root group with `data` and `metadata`, "
                f"as the SDK writes it. Received: {', '.join(roots[:8])}."
            )
        data = subgroup(subgroup(file, roots[0], path), "data", path)
        if not len(data):
            raise ValueError(f"{path}: `data` has no entries.")
        first = subgroup(data, next(iter(data)), path)
        features = numbers(first, "features", path, "biufSO")
        return Sequence(path, roots[0], features.dtype.kind in "SO")


def _intervals(group: Any, steps: int, path: Path) -> Times:
    stored = numbers(group, "intervals", path)
    if stored.shape != (steps, 2):
        raise ValueError(
            f"{path}: {stored.name!r} must have the shape ({steps}, 2), a "
            f"start and an end for every step. Received: {stored.shape}."
        )
    times = np.asarray(stored[()], np.float64)
    if not np.isfinite(times).all():
        raise ValueError(f"{path}: {stored.name!r} holds NaN or infinity.")
    return times


def read_segments(
    label: Sequence,
) -> tuple[list[Segment], NDArray[Any]]:
    """Video, number and times of every segment, and the labels."""
    segments, values = [], []
    path = label.path
    with opened(path) as file:
        data = file[label.root]["data"]
        for key in data:
            group = subgroup(data, key, path)
            features = numbers(group, "features", path)
            if features.ndim != 2:
                raise ValueError(
                    f"{path}: labels of {key!r} must have the shape "
                    f"(segments, K). Received: {features.shape}."
                )
            times = _intervals(group, len(features), path)
            rows = np.asarray(features[()])
            video, start = _video(key)
            for index in range(len(rows)):
                if times[index, 1] - times[index, 0] >= _SHORTEST:
                    segments.append((video, start + index, times[index]))
                    values.append(rows[index])
    widths = {len(value) for value in values}
    if len(widths) != 1:
        raise ValueError(
            f"{path}: expected as many labels for every segment. Received: "
            f"{sorted(widths)} labels."
        )
    stacked = np.stack(values)
    return segments, labels_of(stacked, len(values), path, "labels")


def _video(key: str) -> tuple[str, int]:
    """Video and segment of an entry; 0 for an entry of a whole video."""
    video, bracket, number = key.partition("[")
    if bracket and number[:-1].isdigit() and number.endswith("]"):
        return video, int(number[:-1])
    return key, 0


def segment_column(sequence: Sequence, segments: list[Segment]) -> Streamed:
    path = sequence.path
    rows: list[tuple[str, NDArray[Any]]] = []
    widths: set[int] = set()
    cache: dict[str, Times] = {}
    with opened(path) as file:
        data = file[sequence.root]["data"]

        def times_of(key: str) -> Times | None:
            if key not in cache:
                if not has(data, key):
                    return None
                cache.clear()
                group = subgroup(data, key, path)
                features = numbers(group, "features", path)
                if features.ndim != 2:
                    raise ValueError(
                        f"{path}: features of {key!r} must have the shape "
                        f"(T, D). Received: {features.shape}."
                    )
                widths.add(features.shape[1])
                cache[key] = _intervals(group, len(features), path)
            return cache[key]

        for video, number, segment in segments:
            rows.append(_rows(times_of, video, number, segment))
    if len(widths) != 1:
        raise ValueError(
            f"{path}: expected entries of one width for the labelled videos. "
            f"Received: widths {sorted(widths)}. Do the files belong to the "
            "same data set?"
        )
    reader = _Steps(path, sequence.root, rows)
    reader.width = widths.pop()
    shape = (None, reader.width)
    return Streamed(reader, len(rows), shape, source=reader.source)


def _rows(
    times_of: Callable[[str], Times | None],
    video: str,
    number: int,
    segment: Times,
) -> tuple[str, NDArray[Any]]:
    """Entry and rows of it that overlap a segment."""
    own = f"{video}[{number}]"
    times = times_of(own)
    if times is not None:
        return own, np.arange(len(times))
    times = times_of(video)
    if times is None:
        return video, np.arange(0)
    overlap = np.minimum(times[:, 1], segment[1]) - np.maximum(
        times[:, 0], segment[0]
    )
    return video, np.flatnonzero(overlap > _SHORTEST)
