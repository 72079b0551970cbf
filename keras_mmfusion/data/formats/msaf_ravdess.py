"""MSAF's preprocessed RAVDESS folder.

`Actor_xx/<name>.mp4/frames/*.jpg`, face crops of one clip, and
`Actor_xx/<name>.mp4/audios/featuresMFCC.npy`, (coefficients, T); the folder
may be the one above, which holds `preprocessed`. The seven fields of a name
are modality, channel, emotion, intensity, statement, repetition, actor; only
clips of modality 01, picture and sound, are read, and the label is the
emotion minus 1.

Frames are decoded when they are asked for, as red, green, blue from 0 to 255.
MSAF's own network was trained on blue, green, red.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from keras_mmfusion.data.columns import Column
from keras_mmfusion.data.dataset import MultimodalDataset, Split
from keras_mmfusion.data.formats._build import (
    Folds,
    make_dataset,
    make_split,
    split_by_group,
)
from keras_mmfusion.data.formats._files import (
    files_in,
    folders_in,
    inside,
    plain_name,
    require_kind,
    written,
)
from keras_mmfusion.data.formats._images import (
    SUFFIXES,
    read_image,
    write_image,
)
from keras_mmfusion.data.formats._source import Format, Source, column_of
from keras_mmfusion.data.streamed import NpyFile, Streamed

_NAME = re.compile(r"(\d\d)-(\d\d)-(\d\d)-(\d\d)-(\d\d)-(\d\d)-(\d\d)")
_EMOTIONS = [
    "neutral",
    "calm",
    "happy",
    "sad",
    "angry",
    "fearful",
    "disgust",
    "surprised",
]
_MFCC = "audios/featuresMFCC.npy"


@dataclass(frozen=True)
class _Clip:
    """One clip on disk."""

    name: str
    frames: tuple[Path, ...]
    mfcc: NpyFile

    @property
    def fields(self) -> tuple[str, ...]:
        match = _NAME.match(self.name)
        return match.groups() if match else ()


@dataclass(frozen=True)
class _Frames:
    """Reader of the frames of clips."""

    clips: Sequence[_Clip]

    def source(self, index: int) -> Path:
        return self.clips[index].frames[0].parent

    def __call__(self, index: int) -> NDArray[Any]:
        images = [read_image(path) for path in self.clips[index].frames]
        shapes = {image.shape for image in images}
        if len(shapes) != 1:
            raise ValueError(
                f"{self.clips[index].frames[0].parent}: expected frames of "
                f"one size. Received: {sorted(shapes)}."
            )
        return np.stack(images)


@dataclass(frozen=True)
class _Coefficients:
    """Reader of the MFCC of clips, time first."""

    clips: Sequence[_Clip]

    def source(self, index: int) -> Path:
        return self.clips[index].mfcc.path

    def __call__(self, index: int) -> NDArray[Any]:
        return self.clips[index].mfcc.array().T


def _inner(path: Path) -> str:
    return "preprocessed" if (path / "preprocessed").is_dir() else ""


def mismatch(source: Source) -> str:
    if source.kind != "folder":
        return "not a folder"
    root = source.path / _inner(source.path)
    actors = [p for p in sorted(root.iterdir()) if p.name.startswith("Actor_")]
    if not actors:
        return "no folders Actor_01, Actor_02, ..."
    for actor in actors:
        if actor.is_dir() and any(
            (clip / "frames").is_dir() for clip in actor.iterdir()
        ):
            return ""
    return "no Actor_xx/<clip>.mp4/frames"


def read(source: Source, folds: Folds | None = None) -> MultimodalDataset:
    """Read MSAF's RAVDESS folder.

    Args:
        source: the folder.
        folds: actors of each split, for example `{"train": ["01", "02"],
            "test": ["03"]}`. The data has no official split; without folds,
            all clips are in `train`. MSAF uses six folds of four
            consecutive actors.

    Returns:
        Modalities `audio` (T, coefficients) and `video` (T, H, W, 3).
    """
    clips = [
        _clip(source.path, folder)
        for actor in folders_in(source.path, _inner(source.path))
        if actor.name.startswith("Actor_")
        for folder in folders_in(source.path, str(actor))
        if (match := _NAME.match(folder.name)) and match[1] == "01"
    ]
    if not clips:
        raise ValueError(
            f"{source.path}: expected clips named 01-01-03-...-01.mp4 (audio "
            "and video). Received: none."
        )
    features = _features(clips)
    labels = np.asarray([_label(clip) for clip in clips])
    ids = [clip.name for clip in clips]
    groups = {"speaker": np.asarray([clip.fields[6] for clip in clips])}
    splits: dict[str, Split]
    if folds is None:
        splits = {
            "train": make_split(
                source.path, "train", features, labels, ids, groups
            )
        }
    else:
        splits = split_by_group(
            source.path, features, labels, ids, groups, "speaker", folds
        )
    return make_dataset(
        source.path, "MSAF RAVDESS", splits, "classification", _EMOTIONS
    )


def _clip(root: Path, folder: Path) -> _Clip:
    frames: list[Path] = []
    if (folder / "frames").is_dir():
        for suffix in SUFFIXES:
            frames += files_in(root, str(folder / "frames"), suffix)
    if not frames:
        raise ValueError(
            f"{folder}: expected frames/*.jpg. Received: no images."
        )
    mfcc = inside(root, folder / _MFCC)
    if not mfcc.is_file():
        raise ValueError(f"{folder}: lacks {_MFCC}.")
    require_kind(mfcc, "npy", "a NumPy array")
    # "10.jpg" comes after "9.jpg".
    frames.sort(key=lambda path: (len(path.stem), path.stem))
    return _Clip(
        folder.name.removesuffix(".mp4"), tuple(frames), NpyFile.open(mfcc)
    )


def _label(clip: _Clip) -> int:
    emotion = int(clip.fields[2])
    if not 1 <= emotion <= len(_EMOTIONS):
        raise ValueError(
            f"{clip.frames[0].parent.parent}: the third field of the name must "
            f"be an emotion from 01 to 08. Received: {emotion:02d}."
        )
    return emotion - 1


def _features(clips: list[_Clip]) -> dict[str, Column]:
    for clip in clips:
        first = clips[0].mfcc
        if len(clip.mfcc.shape) != 2 or clip.mfcc.shape[0] != first.shape[0]:
            raise ValueError(
                f"{clip.mfcc.path}: expected the shape ({first.shape[0]}, T), "
                f"as in {first.path}. Received: {clip.mfcc.shape}."
            )
    steps = np.asarray([clip.mfcc.shape[1] for clip in clips], np.int64)
    counts = np.asarray([len(clip.frames) for clip in clips], np.int64)
    size = read_image(clips[0].frames[0]).shape
    frames, coefficients = _Frames(clips), _Coefficients(clips)
    return {
        "audio": Streamed(
            coefficients,
            len(clips),
            (None, clips[0].mfcc.shape[0]),
            steps,
            coefficients.source,
        ),
        "video": Streamed(
            frames, len(clips), (None, *size), counts, frames.source
        ),
    }


def write(dataset: MultimodalDataset, path: str | Path) -> None:
    """Write MSAF's RAVDESS folder. Splits are not kept; frames are JPEG.

    Args:
        dataset: modalities `audio` (T, coefficients) and `video`
            (T, H, W, 3) from 0 to 255; ids are RAVDESS names.
        path: the folder.
    """
    with written(path) as unfinished:
        unfinished.mkdir()
        for split in dataset.splits.values():
            audio = column_of(split, "audio", "RAVDESS")
            video = column_of(split, "video", "RAVDESS")
            for index, name in enumerate(split.ids):
                match = _NAME.fullmatch(name)
                if match is None:
                    raise ValueError(
                        "RAVDESS names have seven fields of two digits, "
                        f"01-01-03-01-02-01-05. Received: {name!r}."
                    )
                clip = plain_name(f"{name}.mp4", unfinished)
                folder = unfinished / f"Actor_{match[7]}" / clip
                (folder / "frames").mkdir(parents=True)
                (folder / "audios").mkdir()
                np.save(folder / _MFCC, np.ascontiguousarray(audio[index].T))
                for number, frame in enumerate(video[index]):
                    write_image(folder / "frames" / f"{number}.jpg", frame)


FORMAT = Format(
    name="msaf_ravdess",
    layout="a folder of Actor_xx/<clip>.mp4/frames/*.jpg and "
    "audios/featuresMFCC.npy",
    mismatch=mismatch,
    read=read,
    write=write,
)
