"""UTD-MHAD's original folders of MATLAB files.

`Skeleton/a1_s1_t1_skeleton.mat` with `d_skel` (20, 3, T), in metres;
`Inertial/a1_s1_t1_inertial.mat` with `d_iner` (T, 6);
`Depth/a1_s1_t1_depth.mat` with `d_depth` (240, 320, T), in millimetres.
Action, subject and trial count from 1. Any of the three folders may be
absent. Files are read when their samples are asked for.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from keras_mmfusion.data.columns import Column
from keras_mmfusion.data.dataset import MultimodalDataset
from keras_mmfusion.data.formats._build import (
    Folds,
    make_dataset,
    split_by_group,
)
from keras_mmfusion.data.formats._files import (
    files_in,
    require_kind,
    written,
)
from keras_mmfusion.data.formats._mat5 import read_mat, write_mat
from keras_mmfusion.data.formats._source import Format, Source, column_of
from keras_mmfusion.data.streamed import Streamed

_KEYS = {"skeleton": "d_skel", "inertial": "d_iner", "depth": "d_depth"}
_NAME = re.compile(r"(a(\d+)_s(\d+)_t(\d+))_(skeleton|inertial|depth)\.mat")
_FOLDS = {"train": ("1", "3", "5", "7"), "test": ("2", "4", "6", "8")}
ACTIONS = [
    "swipe left",
    "swipe right",
    "wave",
    "clap",
    "throw",
    "cross arms",
    "basketball shot",
    "draw X",
    "draw circle, clockwise",
    "draw circle, counter-clockwise",
    "draw triangle",
    "bowling",
    "boxing",
    "baseball swing",
    "tennis swing",
    "arm curl",
    "tennis serve",
    "push",
    "knock",
    "catch",
    "pick up and throw",
    "jog",
    "walk",
    "sit to stand",
    "stand to sit",
    "lunge",
    "squat",
]


@dataclass(frozen=True)
class _Clips:
    """Reader of one modality of the clips, time first."""

    paths: Sequence[Path]
    modality: str

    def source(self, index: int) -> Path:
        return self.paths[index]

    def __call__(self, index: int) -> NDArray[Any]:
        path = self.paths[index]
        values = read_mat(path, _KEYS[self.modality])
        if self.modality == "inertial":
            return values
        if values.ndim == 2:  # MATLAB drops a last axis of length 1.
            values = values[:, :, None]
        return np.moveaxis(values, -1, 0)


def mismatch(source: Source) -> str:
    if source.kind != "folder":
        return "not a folder"
    if not _folders(source.path):
        return "no files like a1_s1_t1_skeleton.mat in it"
    return ""


def _folders(root: Path) -> list[Path]:
    inner = [entry for entry in sorted(root.iterdir()) if entry.is_dir()]
    return [
        folder
        for folder in (root, *inner)
        if any(_NAME.fullmatch(path.name) for path in folder.iterdir())
    ]


def read(source: Source, folds: Folds | None = None) -> MultimodalDataset:
    """Read UTD-MHAD's original folders.

    Args:
        source: the folder that holds `Skeleton`, `Inertial`, `Depth`.
        folds: subjects of each split. Default: the published one, odd
            subjects for `train` and even ones for `test`.

    Returns:
        Modalities `skeleton` (T, 20, 3), `inertial` (T, 6), `depth`
        (T, 240, 320), those that are there; 27 classes.
    """
    paths: dict[str, dict[str, Path]] = {}
    for folder in _folders(source.path):
        relative = str(folder.relative_to(source.path))
        for path in files_in(source.path, relative, ".mat"):
            match = _NAME.fullmatch(path.name)
            if match is not None:
                paths.setdefault(match[5], {})[match[1]] = path
    names = sorted(
        {name for found in paths.values() for name in found},
        key=lambda name: [int(part[1:]) for part in name.split("_")],
    )
    features: dict[str, Column] = {}
    for modality in _KEYS:
        if modality not in paths:
            continue
        missing = [name for name in names if name not in paths[modality]]
        if missing:
            raise ValueError(
                f"{source.path}: {modality} lacks {len(missing)} of "
                f"{len(names)} clips, first {missing[0]}. Copy the missing "
                "files, or remove the others of these clips."
            )
        ordered = [paths[modality][name] for name in names]
        features[modality] = _column(modality, ordered)
    numbers = np.asarray(
        [[int(part[1:]) for part in name.split("_")] for name in names]
    )
    labels = numbers[:, 0] - 1
    if labels.min() < 0 or labels.max() >= len(ACTIONS):
        raise ValueError(
            f"{source.path}: actions must be a1 to a27. Received: "
            f"a{labels.min() + 1} to a{labels.max() + 1}."
        )
    groups = {"subject": numbers[:, 1].astype(str)}
    splits = split_by_group(
        source.path,
        features,
        labels,
        names,
        groups,
        "subject",
        _FOLDS if folds is None else folds,
    )
    return make_dataset(
        source.path, "UTD-MHAD", splits, "classification", ACTIONS
    )


def _column(modality: str, paths: list[Path]) -> Streamed:
    require_kind(paths[0], "mat", "a MATLAB 5 file (`save -v7`)")
    reader = _Clips(paths, modality)
    first = reader(0)
    if first.ndim < 2:
        raise ValueError(
            f"{paths[0]}: {_KEYS[modality]!r} has the shape {first.shape}."
        )
    shape = (None, *first.shape[1:])
    return Streamed(reader, len(paths), shape, source=reader.source)


def write(dataset: MultimodalDataset, path: str | Path) -> None:
    """Write UTD-MHAD's folders of MATLAB files.

    Args:
        dataset: any of the modalities `skeleton`, `inertial`, `depth`; ids
            like `a1_s1_t1`.
        path: the folder.
    """
    turned: dict[str, Callable[[NDArray[Any]], NDArray[Any]]] = {
        "skeleton": lambda x: np.moveaxis(x, 0, -1),
        "inertial": lambda x: x,
        "depth": lambda x: np.moveaxis(x, 0, -1),
    }
    with written(path) as unfinished:
        for modality in dataset.modalities:
            if modality not in _KEYS:
                raise ValueError(
                    f"UTD-MHAD files hold {', '.join(_KEYS)}. "
                    f"Received: {modality!r}."
                )
            folder = unfinished / modality.capitalize()
            folder.mkdir(parents=True)
            for split in dataset.splits.values():
                column = column_of(split, modality, "UTD-MHAD")
                for index, name in enumerate(split.ids):
                    file = f"{name}_{modality}.mat"
                    if _NAME.fullmatch(file) is None:
                        raise ValueError(
                            "UTD-MHAD clips are named like a1_s1_t1. "
                            f"Received: {name!r}."
                        )
                    array = turned[modality](column[index])
                    write_mat(
                        folder / file,
                        _KEYS[modality],
                        array.astype(np.float64),
                    )


FORMAT = Format(
    name="utd_mhad",
    layout="folders Skeleton, Inertial, Depth of a1_s1_t1_skeleton.mat, ...",
    mismatch=mismatch,
    read=read,
    write=write,
)
