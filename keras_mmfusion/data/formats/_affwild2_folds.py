"""Aff-Wild2: the official split and six folds made of it, by video."""

import re
from collections.abc import Mapping, Sequence
from itertools import pairwise

_SIDE = re.compile(r"[-_](left|right)$", re.IGNORECASE)
_PARTS = 5


def recording(video: str) -> str:
    """Name of the file that a video's annotations belong to.

    Where two people are seen at once there are two annotation files,
    `<video>_left` and `<video>_right`, of the same pictures and sound.
    """
    return _SIDE.sub("", video)


def consecutive_parts(
    videos: Sequence[str], count: int = _PARTS
) -> list[list[str]]:
    """Parts of neighbouring videos; no recording is in two of them.

    Every part but the last begins `len(videos) // count` videos after the one
    before, or right behind the recording that would have been cut there.

    Args:
        videos: names, in order, without repeats.
        count: number of parts.

    Returns:
        `count` lists of names.

    Raises:
        ValueError: if there are too few recordings.
    """
    ordered = sorted(videos, key=lambda name: (recording(name), name))
    size = len(ordered) // count
    ends = [size * number for number in range(count)] + [len(ordered)]
    for number in range(1, count):
        ends[number] = max(ends[number], ends[number - 1] + 1)
        while 0 < ends[number] < len(ordered) and recording(
            ordered[ends[number] - 1]
        ) == recording(ordered[ends[number]]):
            ends[number] += 1
    parts = [ordered[start:stop] for start, stop in pairwise(ends)]
    if not all(parts):
        raise ValueError(
            f"Folds need {count} recordings or more to train on. Received: "
            f"{len({recording(name) for name in videos})}."
        )
    return parts


def six_folds(
    train: Sequence[str], valid: Sequence[str]
) -> list[dict[str, list[list[str]]]]:
    """Parts of the training and the validation split of every fold.

    The training videos make five parts; the validation videos are the sixth.
    Fold 0 is the official split. Fold k is validated on part 6 - k and
    trained on the others, in the order of the published scheme, which rolls
    the list of parts by k.

    Args:
        train: names of the official training videos.
        valid: names of the official validation videos.

    Returns:
        For each fold a dict of lists of parts: five in `train`, one in
        `valid`.
    """
    parts = [*consecutive_parts(train), sorted(valid)]
    folds = []
    for fold in range(len(parts)):
        rolled = parts[len(parts) - fold :] + parts[: len(parts) - fold]
        folds.append({"train": rolled[:-1], "valid": rolled[-1:]})
    return folds


def folds_of(
    names: Mapping[str, Sequence[str]], fold: int
) -> dict[str, list[str]]:
    """Videos of `train` and `valid` in one of the six folds.

    Raises:
        ValueError: if there is no such fold, or a split is missing.
    """
    if type(fold) is not int or not 0 <= fold <= _PARTS:
        raise ValueError(
            f"`fold` must be a whole number from 0, the official split, to "
            f"{_PARTS}. Received: fold={fold!r}"
        )
    if fold == 0:
        return {split: list(videos) for split, videos in names.items()}
    if set(names) != {"train", "valid"}:
        raise ValueError(
            "Six folds are made of Train_Set and Validation_Set. Received: "
            f"{', '.join(names)} alone."
        )
    chosen = six_folds(names["train"], names["valid"])[fold]
    return {
        split: [name for part in parts for name in part]
        for split, parts in chosen.items()
    }
