"""NTU RGB+D's raw skeleton files: a folder of `SsssCcccPpppRrrrAaaa.skeleton`.

Each is text: the number of frames; per frame the number of bodies; per body a
line of ten numbers that begins with its tracking id, the number of joints,
and per joint a line of twelve numbers that begins with x, y, z in metres.

A file is parsed when its sample is asked for. The label is the action minus
1. Bodies keep their place in the order in which they are first seen; of more
bodies than asked for, those seen in most frames are kept.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from keras_mmfusion.data.columns import Column, Selected
from keras_mmfusion.data.dataset import MultimodalDataset
from keras_mmfusion.data.formats import _ntu
from keras_mmfusion.data.formats._build import make_dataset, make_split
from keras_mmfusion.data.formats._files import (
    files_in,
    plain_name,
    require_kind,
    written,
)
from keras_mmfusion.data.formats._source import Format, Source, column_of
from keras_mmfusion.data.streamed import Streamed

_JOINTS = 25
_SUFFIX = ".skeleton"


@dataclass(frozen=True)
class _Skeletons:
    """Reader of skeleton files."""

    paths: Sequence[Path]
    bodies: int

    def __call__(self, index: int) -> NDArray[Any]:
        return read_skeleton(self.paths[index], self.bodies)


class _Lines:
    """Lines of a skeleton file, with errors that say where they are."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lines = path.read_text("ascii", "replace").splitlines()
        self.number = 0

    @property
    def left(self) -> int:
        return len(self._lines) - self.number

    def count(self, most: int, what: str) -> int:
        """The next line, a count."""
        text = self._next(what)
        if not text.isdigit() or len(text) > 9 or int(text) > most:
            self.fail(f"{what}, at most {most}", text)
        return int(text)

    def body(self) -> str:
        """The next line, a body: its id, which is too long for a float."""
        text = self._next("a body")
        name = text.split()[0] if text.split() else ""
        if not name.isdigit() or len(text.split()) < 2:
            self.fail("a body: its id and nine more numbers", text)
        return name

    def floats(self, at_least: int, what: str) -> list[float]:
        """The next line, a row of numbers."""
        text = self._next(what)
        try:
            values = [float(part) for part in text.split()]
        except ValueError:
            values = []
        if len(values) < at_least or not np.isfinite(values).all():
            self.fail(f"{what}, at least {at_least} finite numbers", text)
        return values

    def _next(self, what: str) -> str:
        if not self.left:
            raise ValueError(
                f"{self._path}: truncated after line {self.number}. Expected: "
                f"{what}. Copy the file again."
            )
        self.number += 1
        return self._lines[self.number - 1].strip()

    def fail(self, expected: str, text: str) -> None:
        raise ValueError(
            f"{self._path}: line {self.number}: expected {expected}. "
            f"Received: {text[:60]!r}."
        )


def read_skeleton(path: Path, bodies: int = 2) -> NDArray[np.float32]:
    """Joint positions in one skeleton file.

    Args:
        path: the file.
        bodies: how many bodies to keep.

    Returns:
        Metres, shape (frames, bodies, 25, 3); zeros where a body is not seen.
    """
    lines = _Lines(path)
    # A frame takes at least one line, so no count allocates more than that.
    frames = lines.count(max(lines.left - 1, 0), "the number of frames")
    seen: dict[str, dict[int, list[list[float]]]] = {}
    for frame in range(frames):
        for _ in range(lines.count(lines.left, "the number of bodies")):
            name = lines.body()
            if lines.count(_JOINTS, "the number of joints, 25") != _JOINTS:
                lines.fail("25 joints", "another number")
            joints = [lines.floats(3, "a joint")[:3] for _ in range(_JOINTS)]
            seen.setdefault(name, {})[frame] = joints
    most = sorted(seen, key=lambda name: -len(seen[name]))[:bodies]
    kept = [name for name in seen if name in most]
    positions = np.zeros((frames, bodies, _JOINTS, 3), np.float32)
    for place, name in enumerate(kept):
        for frame, joints in seen[name].items():
            positions[frame, place] = joints
    return positions


def mismatch(source: Source) -> str:
    if source.path.suffix == _SUFFIX and source.kind == "text":
        return "one .skeleton file; give the folder"
    if source.kind != "folder":
        return "not a folder"
    if not any(p.suffix == _SUFFIX for p in source.path.iterdir()):
        return "no .skeleton files in it"
    return ""


def read(
    source: Source, protocol: str = "xsub", bodies: int = 2
) -> MultimodalDataset:
    """Read a folder of NTU RGB+D skeleton files.

    Args:
        source: the folder.
        protocol: `"xsub"`, `"xview"` or, for NTU 120, `"xset"`.
        bodies: how many bodies to keep per clip.

    Returns:
        Modality `skeleton` (T, bodies, 25, 3), in metres; splits `train` and
        `test`. Clips in which nobody was tracked (302 in NTU 60) are missing
        samples of length 0.
    """
    if protocol not in _ntu.PROTOCOLS:
        raise ValueError(
            f"`protocol` must be one of {_ntu.PROTOCOLS}. "
            f"Received: protocol={protocol!r}"
        )
    paths = files_in(source.path, "", _SUFFIX)
    for path in paths:
        if _ntu.NAME.fullmatch(path.stem) is None:
            raise ValueError(
                f"{path}: expected a name like S001C002P003R002A013.skeleton, "
                "which tells setup, camera, subject, replication and action."
            )
    require_kind(paths[0], "text", "an NTU skeleton file, which is text")
    names = [path.stem for path in paths]
    column = Streamed(
        _Skeletons(paths, bodies), len(paths), (None, bodies, _JOINTS, 3)
    )
    labels = np.asarray([int(name[-3:]) - 1 for name in names], np.int64)
    training = np.asarray([_ntu.is_training(n, protocol) for n in names])
    splits = {}
    for split, rows in (
        ("train", np.flatnonzero(training)),
        ("test", np.flatnonzero(~training)),
    ):
        if len(rows):
            features: dict[str, Column] = {"skeleton": Selected(column, rows)}
            ids = [names[row] for row in rows]
            splits[split] = make_split(
                source.path,
                split,
                features,
                labels[rows],
                ids,
                _ntu.groups(ids),
            )
    return make_dataset(source.path, "NTU skeletons", splits, "classification")


def write(dataset: MultimodalDataset, path: str | Path) -> None:
    """Write a folder of NTU RGB+D skeleton files.

    Args:
        dataset: modality `skeleton` (T, bodies, 25, 3); ids are NTU names.
        path: the folder.
    """
    with written(path) as unfinished:
        unfinished.mkdir()
        for split in dataset.splits.values():
            column = column_of(split, "skeleton", "NTU skeleton")
            if column.item_shape[2:] != (_JOINTS, 3):
                raise ValueError(
                    "NTU skeleton files hold (T, bodies, 25, 3). Received: "
                    f"{column.item_shape}."
                )
            for index, name in enumerate(split.ids):
                if _ntu.NAME.fullmatch(name) is None:
                    raise ValueError(
                        "NTU skeleton files are named like "
                        f"S001C002P003R002A013. Received: {name!r}."
                    )
                file = plain_name(f"{name}{_SUFFIX}", unfinished)
                text = _as_text(column[index])
                (unfinished / file).write_text(text)


def _as_text(positions: NDArray[np.float32]) -> str:
    lines = [str(len(positions))]
    for frame in positions:
        seen = [place for place, body in enumerate(frame) if body.any()]
        lines.append(str(len(seen)))
        for place in seen:
            lines.append(f"{72057594037900000 + 100 * place} 0 0 0 0 0 0 0 0 2")
            lines.append(str(_JOINTS))
            for x, y, z in frame[place]:
                rest = "0 " * 8
                lines.append(f"{x:.9g} {y:.9g} {z:.9g} {rest}2")
    return "\n".join(lines) + "\n"


FORMAT = Format(
    name="ntu_skeleton",
    layout="a folder of SsssCcccPpppRrrrAaaa.skeleton text files",
    mismatch=mismatch,
    read=read,
    write=write,
)
