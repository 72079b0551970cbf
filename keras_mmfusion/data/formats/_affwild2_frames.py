"""Aff-Wild2: what is known of every frame of a video, read when asked for."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from keras_mmfusion.data.formats._files import files_in, inside, plain_name
from keras_mmfusion.data.formats._images import read_image
from keras_mmfusion.data.padding import Floats, Ints
from keras_mmfusion.data.streamed import NpyFile, Streamed

# Features and annotations of a video often differ by a few frames, because
# programs count the frames of a file differently. Half a second at 30 frames
# per second is believed; more means that the files do not belong together.
SPARE_FRAMES = 15


class _FrameReader(Protocol):
    def frames(self, index: int, numbers: Ints) -> NDArray[Any]:
        """The frames of a video with these numbers, from 0."""

    def source(self, index: int) -> Path:
        """Where they come from."""


@dataclass(frozen=True)
class Features:
    """Reader of a `.npy` file per video; frames it lacks are zeros."""

    files: Sequence[NpyFile]

    def source(self, index: int) -> Path:
        return self.files[index].path

    def frames(self, index: int, numbers: Ints) -> NDArray[Any]:
        file = self.files[index]
        result = np.zeros((len(numbers), *file.shape[1:]), np.float32)
        known = numbers[numbers < file.shape[0]]
        if len(known):
            first = int(known[0])
            rows = file.rows(first, int(known[-1]) + 1)
            with np.errstate(over="ignore"):
                result[: len(known)] = rows[known - first]
        return result


@dataclass(frozen=True)
class Faces:
    """Reader of cropped faces; zeros where a frame has none."""

    root: Path
    videos: Sequence[str]
    shape: tuple[int, ...]

    def source(self, index: int) -> Path:
        return self.root / self.videos[index]

    def frames(self, index: int, numbers: Ints) -> NDArray[Any]:
        result = np.zeros((len(numbers), *self.shape), np.uint8)
        for row, number in zip(result, numbers.tolist(), strict=True):
            face = self.face(index, number)
            if face is not None:
                row[:] = face
        return result

    def face(self, index: int, number: int) -> NDArray[np.uint8] | None:
        """The face in one frame, from 0; None where there is none."""
        file = Path(self.videos[index]) / f"{number + 1:05d}.jpg"
        path = inside(self.root, file)
        if not path.is_file():
            return None
        image = read_image(path)
        if image.shape != self.shape:
            raise ValueError(
                f"{path}: expected an image of {self.shape}, as the first one "
                f"of the data. Received: {image.shape}."
            )
        return image


@dataclass(frozen=True)
class _Kept:
    """Reader of the frames of a video that were kept."""

    reader: _FrameReader
    numbers: Sequence[Ints]

    def __call__(self, index: int) -> NDArray[Any]:
        return self.reader.frames(index, self.numbers[index])


class Videos(Streamed):
    """Column of whole videos of which any part can be read.

    Args:
        reader: reads frames by their numbers.
        numbers: the frames of every video, from 0, in order.
        shape: shape of one frame.
    """

    def __init__(
        self,
        reader: _FrameReader,
        numbers: Sequence[Ints],
        shape: tuple[int, ...],
    ) -> None:
        lengths = np.array([len(one) for one in numbers], np.int64)
        kept = _Kept(reader, numbers)
        item_shape = (None, *shape)
        super().__init__(kept, len(numbers), item_shape, lengths, reader.source)
        self._kept = kept

    def part(self, index: int, start: int, stop: int) -> Floats:
        """Steps `start` to `stop` of one video."""
        numbers = self._kept.numbers[index][start:stop]
        return self._checked(self._kept.reader.frames(index, numbers), index)


def feature_folders(root: Path) -> list[str]:
    """Names of the modalities in a folder of features, `video` first."""
    names = sorted(p.name for p in root.iterdir() if p.is_dir())
    if not names:
        raise ValueError(
            f"{root}: has no folders. Expected: features of every frame in "
            f"{root.name}/<modality>/<video>.npy."
        )
    return sorted(names, key=lambda name: name != "video")


def open_features(
    root: Path, modality: str, videos: Sequence[str], counts: Sequence[int]
) -> tuple[Features, tuple[int, ...]]:
    """Features of videos with so many annotated frames, and their shape.

    Raises:
        ValueError: if a file is missing, no array (frames, ...), of another
            width, or its frames are not those of the annotations.
    """
    files: list[NpyFile] = []
    for video, count in zip(videos, counts, strict=True):
        name = f"{plain_name(video, root)}.npy"
        path = inside(root, Path(modality) / name)
        if not path.is_file():
            raise ValueError(
                f"{path}: no such file. Expected: features of every annotated "
                "video. Give an array of zeros for a video that lacks this "
                "modality."
            )
        file = NpyFile.open(path)
        width = files[0].shape[1:] if files else file.shape[1:]
        if len(file.shape) < 2 or file.shape[1:] != width or 0 in file.shape:
            raise ValueError(
                f"{path}: expected an array (frames, ...) of the same widths "
                f"as the other videos, {width}. Received: {file.shape}."
            )
        if abs(file.shape[0] - count) > SPARE_FRAMES:
            raise ValueError(
                f"{path}: expected {count} frames, as there are lines of "
                f"annotations, or up to {SPARE_FRAMES} more or fewer. "
                f"Received: {file.shape[0]}. Were the features taken at "
                "another frame rate?"
            )
        files.append(file)
    _warn_of_differences(root / modality, files, counts)
    return Features(files), files[0].shape[1:]


def _warn_of_differences(
    folder: Path, files: Sequence[NpyFile], counts: Sequence[int]
) -> None:
    found = [f.shape[0] - n for f, n in zip(files, counts, strict=True)]
    if any(found):
        warnings.warn(
            f"{folder}: {np.count_nonzero(found)} of {len(found)} videos have "
            f"{min(found)} to {max(found)} frames more than annotations. "
            "Frames beyond the annotations are left out; annotated frames "
            "without features are zeros, as missing.",
            stacklevel=2,
        )


def open_faces(
    root: Path, videos: Sequence[str], counts: Sequence[int] | None = None
) -> Faces:
    """Cropped faces of videos.

    Args:
        root: the folder of `<video>/00001.jpg`.
        videos: names of the videos.
        counts: annotated frames of every video; faces far beyond them are
            refused.
    """
    faces = Faces(root, videos, _image_shape(root, videos))
    for index, count in enumerate(counts or ()):
        last = max(face_numbers(faces, index), default=0)
        if last > count + SPARE_FRAMES:
            raise ValueError(
                f"{faces.source(index)}: expected faces of {count} frames, as "
                "there are lines of annotations. Received: a face in frame "
                f"{last}."
            )
    return faces


def face_numbers(faces: Faces, index: int) -> list[int]:
    """Numbers, from 1, of the frames of a video that have an image."""
    folder = inside(faces.root, faces.videos[index])
    if not folder.is_dir():
        return []
    stems = [p.stem for p in folder.iterdir() if p.suffix == ".jpg"]
    return [int(stem) for stem in stems if stem.isdigit()]


def _image_shape(faces: Path, names: Sequence[str]) -> tuple[int, ...]:
    for name in names:
        folder = inside(faces, plain_name(name, faces))
        if folder.is_dir():
            for path in files_in(faces, name, ".jpg"):
                return read_image(path).shape
    raise ValueError(
        f"{faces}: has no images of the annotated videos, for example "
        f"{names[0]}/00001.jpg. Do annotations and images belong together?"
    )
