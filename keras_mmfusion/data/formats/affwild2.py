"""Aff-Wild2, valence and arousal: annotation files and cropped faces.

`.../Train_Set/<video>.txt` and `.../Validation_Set/<video>.txt`: a header
line `valence,arousal` and one line per frame; -5 means not annotated.
`cropped_aligned/<video>/00001.jpg` is the face in the first frame; a frame in
which none was found has no image.

Every annotated frame is a sample, so that the frames of a video follow each
other; its image is decoded when it is asked for.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from keras_mmfusion.data.columns import Column
from keras_mmfusion.data.dataset import MultimodalDataset, Split
from keras_mmfusion.data.formats._build import make_dataset, make_split
from keras_mmfusion.data.formats._files import (
    files_in,
    inside,
    plain_name,
    require_kind,
    written,
)
from keras_mmfusion.data.formats._images import read_image, write_image
from keras_mmfusion.data.formats._source import Format, Source, column_of
from keras_mmfusion.data.padding import Ints
from keras_mmfusion.data.streamed import Streamed

_FOLDERS = {
    "train": ("Train_Set", "Training_Set"),
    "valid": ("Validation_Set",),
}
_HEADER = "valence,arousal"
_NOT_ANNOTATED = -5.0
_DEPTH = 3


@dataclass(frozen=True)
class _Faces:
    """Reader of the face in each frame; zeros where there is none."""

    root: Path
    videos: Sequence[str]
    video: Ints
    frame: Ints
    shape: tuple[int, ...]

    def __call__(self, index: int) -> NDArray[Any]:
        name = self.videos[int(self.video[index])]
        file = Path(name) / f"{int(self.frame[index]):05d}.jpg"
        path = inside(self.root, file)
        if not path.is_file():
            return np.zeros(self.shape, np.uint8)
        image = read_image(path)
        if image.shape != self.shape:
            raise ValueError(
                f"{path}: expected an image of {self.shape}, as the first one "
                f"of the data. Received: {image.shape}."
            )
        return image


def mismatch(source: Source) -> str:
    if source.kind != "folder":
        return "not a folder"
    if _annotations(source.path) is None:
        return f"no Train_Set with .txt files that begin with {_HEADER!r}"
    return ""


def _annotations(root: Path) -> Path | None:
    """The folder that holds Train_Set and Validation_Set of this task."""
    level = [root]
    for _ in range(_DEPTH):
        for folder in level:
            if any(
                _begins_right(folder / name)
                for names in _FOLDERS.values()
                for name in names
            ):
                return folder
        level = [
            entry
            for folder in level
            for entry in sorted(folder.iterdir())
            if entry.is_dir() and not entry.name.startswith("cropped")
        ]
    return None


def _begins_right(folder: Path) -> bool:
    # The folders of the expression and action-unit tasks have these names
    # too; the first line of a file tells which task it is.
    if not folder.is_dir():
        return False
    for path in sorted(folder.glob("*.txt"))[:1]:
        with path.open("rb") as file:
            head = file.read(64).decode("ascii", "replace")
        return head.replace(" ", "").lower().startswith(_HEADER)
    return False


def read(source: Source, images: str | Path | None = None) -> MultimodalDataset:
    """Read Aff-Wild2's valence and arousal with its cropped faces.

    Args:
        source: the folder that holds the annotations and the images.
        images: the folder of cropped faces. Default: `cropped_aligned` in
            `source`.

    Returns:
        Modality `video` (H, W, 3), red, green, blue from 0 to 255, one frame
        per sample; labels (N, 2), valence and arousal. Frames that are not
        annotated are left out, frames without an image are missing.
    """
    folder = _annotations(source.path)
    if folder is None:
        raise ValueError(f"{source.path}: {mismatch(source)}.")
    faces = Path(images) if images else source.path / "cropped_aligned"
    if not faces.is_dir():
        raise ValueError(
            f"{faces}: no such folder. Expected: cropped faces in "
            "cropped_aligned/<video>/00001.jpg. Say where they are with "
            "`images=`."
        )
    splits: dict[str, Split] = {}
    for split, names in _FOLDERS.items():
        for name in names:
            if (folder / name).is_dir():
                relative = (folder / name).relative_to(source.path)
                paths = files_in(source.path, str(relative), ".txt")
                splits[split] = _split(source.path, split, paths, faces)
    return make_dataset(
        source.path,
        "Aff-Wild2",
        splits,
        "regression",
        ["valence", "arousal"],
    )


def _split(root: Path, split: str, paths: list[Path], faces: Path) -> Split:
    if not paths:
        raise ValueError(f"{root}: no annotation files for {split!r}.")
    labels, videos, frames = [], [], []
    for number, path in enumerate(paths):
        values = read_annotations(path)
        kept = np.flatnonzero(np.all(values != _NOT_ANNOTATED, axis=1))
        labels.append(values[kept])
        frames.append(kept + 1)
        videos.append(np.full(len(kept), number, np.int64))
    names = [path.stem for path in paths]
    video, frame = np.concatenate(videos), np.concatenate(frames)
    reader = _Faces(faces, names, video, frame, _image_shape(faces, names))
    column: Column = Streamed(
        reader, len(video), reader.shape, _present(faces, names, video, frame)
    )
    return make_split(
        root,
        split,
        {"video": column},
        np.concatenate(labels),
        [f"{names[v]}/{f:05d}" for v, f in zip(video, frame, strict=True)],
        {"video": np.asarray(names)[video]},
    )


def read_annotations(path: Path) -> NDArray[np.float64]:
    """Valence and arousal of all frames in one file, -5 where not annotated.

    Args:
        path: the file.

    Returns:
        Shape (frames, 2).
    """
    require_kind(path, "text", f"annotations, text that begins {_HEADER!r}")
    lines = path.read_text("ascii", "replace").splitlines()
    if lines[0].replace(" ", "").lower() != _HEADER:
        raise ValueError(
            f"{path}: expected the first line {_HEADER!r}. "
            f"Received: {lines[0][:60]!r}."
        )
    values = np.zeros((len(lines) - 1, 2))
    for number, line in enumerate(lines[1:]):
        parts = line.split(",")
        try:
            values[number] = [float(part) for part in parts]
        except ValueError:
            values[number] = np.nan
        allowed = (np.abs(values[number]) <= 1) | (
            values[number] == _NOT_ANNOTATED
        )
        if len(parts) != 2 or not allowed.all():
            raise ValueError(
                f"{path}: line {number + 2}: expected valence and arousal "
                f"from -1 to 1, or -5. Received: {line[:60]!r}."
            )
    return values


def _image_shape(faces: Path, names: list[str]) -> tuple[int, ...]:
    for name in names:
        folder = inside(faces, plain_name(name, faces))
        if folder.is_dir():
            for path in files_in(faces, name, ".jpg"):
                return read_image(path).shape
    raise ValueError(
        f"{faces}: has no images of the annotated videos, for example "
        f"{names[0]}/00001.jpg. Do annotations and images belong together?"
    )


def _present(faces: Path, names: list[str], video: Ints, frame: Ints) -> Ints:
    """1 for a frame that has an image, 0 for one that has none."""
    present = np.zeros(len(video), np.int64)
    for number, name in enumerate(names):
        folder = inside(faces, name)
        if not folder.is_dir():
            continue
        stems = [p.stem for p in folder.iterdir() if p.suffix == ".jpg"]
        known = [int(stem) for stem in stems if stem.isdigit()]
        rows = np.flatnonzero(video == number)
        present[rows] = np.isin(frame[rows], known)
    return present


def write(dataset: MultimodalDataset, path: str | Path) -> None:
    """Write a folder of Aff-Wild2 annotations and faces, as JPEG.

    Args:
        dataset: modality `video` (H, W, 3) from 0 to 255; labels valence and
            arousal; ids `<video>/<frame>`; splits train and valid.
        path: the folder.
    """
    with written(path) as unfinished:
        for name, split in dataset.splits.items():
            if name not in _FOLDERS or split.labels.shape[1:] != (2,):
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
            folder = unfinished / _FOLDERS[name][0]
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
    lines = [_HEADER]
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
    ".txt files, and cropped_aligned/<video>/*.jpg",
    mismatch=mismatch,
    read=read,
    write=write,
)
