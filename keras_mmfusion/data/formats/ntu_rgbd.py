"""NTU RGB+D as downloaded: raw skeleton files and RGB videos side by side.

`nturgb+d_skeletons/SsssCcccPpppRrrrAaaa.skeleton` and
`nturgb+d_rgb/SsssCcccPpppRrrrAaaa_rgb.avi`; the names of the two folders play
no part. See `ntu_skeleton` for the skeletons. Videos are decoded when their
sample is asked for, as red, green, blue from 0 to 255.

MSAF's own loader takes 24 frames, the last of which lies behind the end and
stays black, and repeats some of them up to 32. Here all are evenly spaced
frames of the video.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from keras_mmfusion.data.columns import Column
from keras_mmfusion.data.dataset import MultimodalDataset, Split
from keras_mmfusion.data.formats import ntu_skeleton
from keras_mmfusion.data.formats._build import make_dataset, make_split
from keras_mmfusion.data.formats._files import (
    files_in,
    folders_in,
    written,
)
from keras_mmfusion.data.formats._source import Format, Source, column_of
from keras_mmfusion.data.formats._videos import (
    SUFFIX,
    read_frames,
    write_frames,
)
from keras_mmfusion.data.streamed import Streamed

_SKELETONS = "nturgb+d_skeletons"
_VIDEOS = "nturgb+d_rgb"


@dataclass(frozen=True)
class _Videos:
    """Reader of evenly spaced frames."""

    paths: Sequence[Path]
    frames: int
    size: int

    def source(self, index: int) -> Path:
        return self.paths[index]

    def __call__(self, index: int) -> NDArray[Any]:
        return read_frames(self.paths[index], self.frames, self.size)


def _folder_with(root: Path, ending: str) -> Path | None:
    for folder in folders_in(root, ""):
        if any(entry.name.endswith(ending) for entry in folder.iterdir()):
            return folder
    return None


def mismatch(source: Source) -> str:
    if source.kind != "folder":
        return "not a folder"
    if not _folder_with(source.path, ".skeleton"):
        return "no folder of .skeleton files in it"
    if not _folder_with(source.path, f"_rgb{SUFFIX}"):
        return "no folder of _rgb.avi files in it"
    return ""


def read(
    source: Source,
    protocol: str = "xsub",
    bodies: int = 2,
    frames: int = 32,
    size: int = 256,
) -> MultimodalDataset:
    """Read NTU RGB+D skeletons with their RGB videos.

    Args:
        source: the folder above the two.
        protocol: `"xsub"`, `"xview"` or, for NTU 120, `"xset"`.
        bodies: how many bodies to keep per clip.
        frames: how many evenly spaced frames of the video.
        size: height and width to which frames are resized, without keeping
            their proportions, as in the 256 x 256 copies that MSAF uses.

    Returns:
        Modalities `skeleton` (T, bodies, 25, 3), in metres, and `video`
        (frames, size, size, 3); splits `train` and `test`. Clips in which
        nobody was tracked (302 in NTU 60) lack the skeleton.
    """
    if min(frames, size) < 1:
        raise ValueError(
            "`frames` and `size` must be at least 1. Received: "
            f"frames={frames}, size={size}"
        )
    root = source.path
    folder = _folder_with(root, ".skeleton")
    skeletons = ntu_skeleton.read(Source(folder or root), protocol, bodies)
    videos = _videos(root)
    splits = {
        name: _with_videos(root, name, split, videos, frames, size)
        for name, split in skeletons.splits.items()
    }
    return make_dataset(root, "NTU RGB+D", splits, "classification")


def _videos(root: Path) -> dict[str, Path]:
    folder = _folder_with(root, f"_rgb{SUFFIX}")
    return {
        path.stem.removesuffix("_rgb"): path
        for path in files_in(root, str(folder), SUFFIX)
    }


def _with_videos(
    root: Path,
    name: str,
    split: Split,
    videos: dict[str, Path],
    frames: int,
    size: int,
) -> Split:
    lost = [clip for clip in split.ids if clip not in videos]
    if lost:
        raise ValueError(
            f"{root}: expected a video {lost[0]}_rgb.avi for the skeleton "
            f"{lost[0]}. Received: none, and {len(lost) - 1} more without a "
            "video."
        )
    reader = _Videos([videos[clip] for clip in split.ids], frames, size)
    features: dict[str, Column] = {
        **split.features,
        "video": Streamed(
            reader,
            len(split),
            (None, size, size, 3),
            np.full(len(split), frames, np.int64),
            reader.source,
        ),
    }
    return make_split(
        root, name, features, split.labels, split.ids, split.groups
    )


def tracked(split: Split) -> Split:
    """The clips in which somebody was tracked, which MSAF is scored on.

    Args:
        split: with the modality `skeleton`; all its files are read once.

    Returns:
        The split without the clips that lack the skeleton.
    """
    return split.subset(np.flatnonzero(split.lengths()["skeleton"]))


def write(dataset: MultimodalDataset, path: str | Path) -> None:
    """Write NTU RGB+D skeletons and videos; these as AVI without loss.

    Args:
        dataset: modalities `skeleton` (T, bodies, 25, 3) and `video`
            (T, H, W, 3) from 0 to 255; ids are NTU names.
        path: the folder.
    """
    with written(path) as unfinished:
        unfinished.mkdir()
        columns = [
            (split.ids, column_of(split, "video", "NTU RGB+D"))
            for split in dataset.splits.values()
        ]
        ntu_skeleton.write(dataset, unfinished / _SKELETONS)
        folder = unfinished / _VIDEOS
        folder.mkdir()
        for ids, column in columns:
            for index, name in enumerate(ids):
                write_frames(folder / f"{name}_rgb{SUFFIX}", column[index])


FORMAT = Format(
    name="ntu_rgbd",
    layout="a folder with a folder of SsssCcccPpppRrrrAaaa.skeleton and one "
    "of SsssCcccPpppRrrrAaaa_rgb.avi files",
    mismatch=mismatch,
    read=read,
    write=write,
)
