"""Aff-Wild2, valence and arousal: annotations with features or cropped faces.

`.../Train_Set/<video>.txt` and `.../Validation_Set/<video>.txt`: a header
line `valence,arousal` and one line per frame; -5 means not annotated.
`cropped_aligned/<video>/00001.jpg` is the face in the first frame; a frame in
which none was found has no image. `features/<modality>/<video>.npy`, of our
own making, holds an array (frames, ...), one row per frame.

With `window=`, samples are windows of a video with labels at every step. Else
every annotated frame is a sample, so that the frames of a video follow each
other. Either way frames are read when a sample is asked for.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from keras_mmfusion.data.columns import Column
from keras_mmfusion.data.dataset import MultimodalDataset, Split
from keras_mmfusion.data.formats._affwild2_annotations import (
    FOLDERS,
    HEADER,
    NO_ANNOTATIONS,
    Labels,
    annotation_folder,
    wanted_labels,
)
from keras_mmfusion.data.formats._affwild2_folds import (
    consecutive_parts,
    recording,
    six_folds,
)
from keras_mmfusion.data.formats._affwild2_frames import (
    Faces,
    Videos,
    face_numbers,
    feature_folders,
    open_faces,
    open_features,
)
from keras_mmfusion.data.formats._build import (
    Folds,
    make_dataset,
    make_split,
)
from keras_mmfusion.data.formats._files import (
    plain_name,
    written,
)
from keras_mmfusion.data.formats._images import write_image
from keras_mmfusion.data.formats._source import Format, Source, column_of
from keras_mmfusion.data.padding import NOT_ANNOTATED, Ints
from keras_mmfusion.data.streamed import Streamed
from keras_mmfusion.data.windows import split_windows

__all__ = ["FORMAT", "consecutive_parts", "recording", "six_folds"]


@dataclass(frozen=True)
class _Face:
    """Reader of the face in each sample; zeros where there is none."""

    faces: Faces
    video: Ints
    number: Ints

    def __call__(self, sample: int) -> NDArray[Any]:
        index, number = int(self.video[sample]), int(self.number[sample])
        return self.faces.frames(index, np.array([number - 1]))[0]


def mismatch(source: Source) -> str:
    if source.kind != "folder":
        return "not a folder"
    if annotation_folder(source.path) is None:
        return NO_ANNOTATIONS
    return ""


def read(
    source: Source,
    images: str | Path | None = None,
    features: str | Path | None = None,
    window: int | Literal["video"] | None = None,
    hop: int | None = None,
    fold: int = 0,
    folds: Folds | None = None,
    unannotated: Literal["keep", "drop"] = "keep",
) -> MultimodalDataset:
    """Read Aff-Wild2's valence and arousal with features or cropped faces.

    Args:
        source: the folder that holds the annotations, and images or features.
        images: the folder of cropped faces. Default: `cropped_aligned` in
            `source`.
        features: the folder of features. Default: `features` in `source`, if
            there is one. Its `video` takes the place of the faces.
        window: frames of a window, 300 in the published work; "video" makes
            every video one sample. Default: samples are single faces.
        hop: frames from one window to the next. Default: two thirds of
            `window`, the published 200 of 300.
        fold: 0 is the official split; 1 to 5 are the other folds of the
            six-fold scheme, see `six_folds`.
        folds: own split, "train", "valid", "test" to names of videos.
        unannotated: frames labelled -5 twice are kept in a window, to be left
            out by the loss, or dropped before windows are cut, as published.

    Returns:
        With `window`: modality to sequences, labels (N, window, 2), -5 where
        not annotated. Else modality `video` (H, W, 3) and labels (N, 2) of
        the annotated frames. Faces are red, green, blue from 0 to 255; frames
        without one are missing. Groups: `video`, and `recording`, which two
        people seen at once (`_left`, `_right`) share.
    """
    labels = wanted_labels(source.path, fold, folds)
    faces = Path(images) if images else source.path / "cropped_aligned"
    root = Path(features) if features else source.path / "features"
    if window is None:
        splits = {
            split: _single_frames(source.path, split, own, faces)
            for split, own in labels.items()
        }
    else:
        if unannotated not in ("keep", "drop"):
            raise ValueError(
                "`unannotated` must be 'keep' or 'drop'. "
                f"Received: {unannotated!r}"
            )
        splits = {}
        for split, own in labels.items():
            columns = _opened(own, faces, root, explicit=images is not None)
            whole = _whole_videos(
                source.path, split, own, columns, unannotated == "drop"
            )
            steps = max(map(len, own.values()))
            splits[split] = (
                split_windows(whole, steps, steps)
                if window == "video"
                else split_windows(whole, window, hop)
            )
    return make_dataset(
        source.path,
        "Aff-Wild2",
        splits,
        "regression",
        ["valence", "arousal"],
    )


def _opened(
    labels: Labels, faces: Path, root: Path, explicit: bool
) -> dict[str, tuple[Any, tuple[int, ...]]]:
    """Modality to the reader of its frames and the shape of one."""
    videos, counts = list(labels), [len(y) for y in labels.values()]
    names = feature_folders(root) if root.is_dir() else []
    found: dict[str, tuple[Any, tuple[int, ...]]] = {}
    if "video" in names and explicit:
        raise ValueError(
            f"{root}: has features `video`, so `images` would not be read. "
            "Give one of them."
        )
    if "video" not in names and (explicit or not names or faces.is_dir()):
        _check_faces(faces)
        reader = open_faces(faces, videos, counts)
        found["video"] = reader, reader.shape
    for name in names:
        found[name] = open_features(root, name, videos, counts)
    return found


def _check_faces(faces: Path) -> None:
    if not faces.is_dir():
        raise ValueError(
            f"{faces}: no such folder. Expected: cropped faces in "
            "cropped_aligned/<video>/00001.jpg; say where they are with "
            "`images=`. Or features in features/<modality>/<video>.npy, read "
            "with `window=300`."
        )


def _whole_videos(
    root: Path,
    split: str,
    labels: Labels,
    columns: Mapping[str, tuple[Any, tuple[int, ...]]],
    drop: bool,
) -> Split:
    """Every video one sample, with labels at every step."""
    numbers = [
        np.flatnonzero((y != NOT_ANNOTATED).any(axis=1) | (not drop))
        for y in labels.values()
    ]
    steps = max(map(len, numbers))
    padded = np.full((len(labels), steps, 2), NOT_ANNOTATED, np.float32)
    for row, y, kept in zip(padded, labels.values(), numbers, strict=True):
        row[: len(kept)] = y[kept]
    return make_split(
        root,
        split,
        {
            name: Videos(reader, numbers, shape)
            for name, (reader, shape) in columns.items()
        },
        padded,
        list(labels),
        _groups(list(labels)),
    )


def _groups(videos: Sequence[str]) -> dict[str, NDArray[np.str_]]:
    return {
        "video": np.asarray(videos),
        "recording": np.asarray([recording(name) for name in videos]),
    }


def _single_frames(
    root: Path, split: str, labels: Labels, faces: Path
) -> Split:
    """Every annotated frame one sample."""
    _check_faces(faces)
    names = list(labels)
    reader = open_faces(faces, names)
    numbers = [
        np.flatnonzero(np.all(y != NOT_ANNOTATED, axis=1)) + 1
        for y in labels.values()
    ]
    present = [
        np.isin(own, face_numbers(reader, index)).astype(np.int64)
        for index, own in enumerate(numbers)
    ]
    video = np.repeat(np.arange(len(names)), [len(own) for own in numbers])
    number = np.concatenate(numbers)
    column: Column = Streamed(
        _Face(reader, video, number),
        len(video),
        reader.shape,
        np.concatenate(present),
    )
    return make_split(
        root,
        split,
        {"video": column},
        np.concatenate(
            [
                y[own - 1]
                for y, own in zip(labels.values(), numbers, strict=True)
            ]
        ),
        [f"{names[v]}/{n:05d}" for v, n in zip(video, number, strict=True)],
        _groups([names[v] for v in video]),
    )


def write(dataset: MultimodalDataset, path: str | Path) -> None:
    """Write a folder of Aff-Wild2 annotations and faces, as JPEG.

    Args:
        dataset: modality `video` (H, W, 3) from 0 to 255; labels valence and
            arousal; ids `<video>/<frame>`; splits train and valid.
        path: the folder.
    """
    with written(path) as unfinished:
        for name, split in dataset.splits.items():
            if name not in FOLDERS or split.labels.shape[1:] != (2,):
                raise ValueError(
                    "Aff-Wild2 files hold the splits train and valid with "
                    f"valence and arousal. Received: {name!r} with labels of "
                    f"shape {split.labels.shape}."
                )
            column = column_of(split, "video", "Aff-Wild2", is_sequence=False)
            rows: dict[str, dict[int, int]] = {}
            for index, sample in enumerate(split.ids):
                video, _, frame = sample.rpartition("/")
                if not frame.isdigit():
                    raise ValueError(
                        "Aff-Wild2 samples are named <video>/<frame>. "
                        f"Received: {sample!r}."
                    )
                rows.setdefault(plain_name(video, unfinished), {})[
                    int(frame)
                ] = index
            folder = unfinished / FOLDERS[name][0]
            folder.mkdir(parents=True)
            for video, frames in rows.items():
                _write_text(folder / f"{video}.txt", frames, split)
                faces = unfinished / "cropped_aligned" / video
                faces.mkdir(parents=True, exist_ok=True)
                for number, index in frames.items():
                    image = column[index]
                    if image.any():
                        write_image(faces / f"{number:05d}.jpg", image)


def _write_text(path: Path, frames: dict[int, int], split: Split) -> None:
    lines = [HEADER]
    for frame in range(1, max(frames) + 1):
        if frame in frames:
            v, a = split.labels[frames[frame]]
            lines.append(f"{v:.9g},{a:.9g}")
        else:
            lines.append("-5,-5")
    path.write_text("\n".join(lines) + "\n")


FORMAT = Format(
    name="affwild2",
    layout="a folder with Train_Set and Validation_Set of valence,arousal "
    ".txt files, and cropped_aligned/<video>/*.jpg or "
    "features/<modality>/<video>.npy",
    mismatch=mismatch,
    read=read,
    write=write,
)
