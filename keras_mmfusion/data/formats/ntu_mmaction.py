"""mmaction2's skeleton pickles: `ntu60_2d.pkl`, `ntu60_3d.pkl`, `ntu120_...`.

One pickle: `split`, name to a list of clips, such as `xsub_train` and
`xsub_val`; and `annotations`, a list of dicts with `frame_dir`, the clip's
name, `total_frames`, `label`, `keypoint` (M, T, V, C) for M persons and V
joints, and for 2D `keypoint_score` (M, T, V), `img_shape`, `original_shape`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from keras_mmfusion.data.columns import Column, Selected
from keras_mmfusion.data.dataset import MultimodalDataset, Split
from keras_mmfusion.data.formats import _ntu
from keras_mmfusion.data.formats._arrays import (
    Array,
    finite,
    in_words,
    number_array,
    require_keys,
    text_of,
)
from keras_mmfusion.data.formats._build import make_dataset, make_split
from keras_mmfusion.data.formats._files import written
from keras_mmfusion.data.formats._pickle_writer import dump_pickle
from keras_mmfusion.data.formats._source import Format, Source, column_of
from keras_mmfusion.data.streamed import Streamed

_PARTS = {"train": "train", "valid": "valid", "val": "test", "test": "test"}
_CLIP_KEYS = ("frame_dir", "total_frames", "label", "keypoint")


@dataclass(frozen=True)
class _Persons:
    """Reader of (M, T, ...) arrays as (T, persons, ...), zeros for nobody."""

    arrays: Sequence[Array]
    persons: int

    def __call__(self, index: int) -> NDArray[Any]:
        array = self.arrays[index]
        moved = np.zeros(
            (array.shape[1], self.persons, *array.shape[2:]), np.float32
        )
        moved[:, : len(array)] = np.moveaxis(array, 0, 1)
        return moved


def mismatch(source: Source) -> str:
    if source.kind != "pickle":
        return "not a pickle"
    data = source.content()
    if not isinstance(data, dict) or "annotations" not in data:
        return "no `split` and `annotations` in the pickle"
    return ""


def read(source: Source, protocol: str | None = None) -> MultimodalDataset:
    """Read a skeleton pickle of mmaction2.

    Args:
        source: the file.
        protocol: `"xsub"`, `"xview"` or `"xset"`. Default: the first one in
            the file. `<protocol>_val` is NTU's official test set and becomes
            the split `test`.

    Returns:
        Modality `skeleton` (T, persons, joints, C), and for 2D
        `skeleton_score` (T, persons, joints). Clips with fewer persons than
        the most in the file have zeros in their place.
    """
    path = source.path
    data = require_keys(
        source.content(), ("split", "annotations"), path, "an mmaction2 file"
    )
    clips = data["annotations"]
    if not isinstance(clips, (list, tuple)) or not clips:
        raise ValueError(
            f"{path}: `annotations` must be a list of clips. "
            f"Received: {in_words(clips)}."
        )
    for index, clip in enumerate(clips):
        _check_clip(path, clip, index)
    names = [text_of(clip["frame_dir"], path, "frame_dir") for clip in clips]
    features = _features(path, clips)
    positions = {name: index for index, name in enumerate(names)}
    if len(positions) != len(names):
        raise ValueError(
            f"{path}: expected every `frame_dir` once. Received: "
            f"{len(names) - len(positions)} repeated names."
        )
    splits: dict[str, Split] = {}
    for split, chosen in _chosen(path, data["split"], protocol).items():
        rows = _rows(path, split, chosen, positions)
        splits[split] = _split(path, split, rows, clips, names, features)
    return make_dataset(path, "mmaction2 NTU", splits, "classification")


def _check_clip(path: Path, clip: Any, index: int) -> None:
    where = f"annotations[{index}]"
    require_keys(clip, _CLIP_KEYS, path, where)
    keypoint = number_array(clip["keypoint"], 4, path, f"{where}/keypoint")
    finite(keypoint, path, f"{where}/keypoint")
    frames, label = clip["total_frames"], clip["label"]
    if not _is_count(frames) or frames != keypoint.shape[1]:
        raise ValueError(
            f"{path}: {where} declares {str(frames)[:30]} frames. Received: "
            f"keypoints of shape {keypoint.shape} (persons, frames, joints, "
            "coordinates)."
        )
    if not _is_count(label):
        raise ValueError(
            f"{path}: {where}/label must be a class from 0. "
            f"Received: {str(label)[:30]}."
        )
    if "keypoint_score" in clip:
        what = f"{where}/keypoint_score"
        score = number_array(clip["keypoint_score"], 3, path, what)
        finite(score, path, what)
        if score.shape != keypoint.shape[:3]:
            raise ValueError(
                f"{path}: {what} must have the shape {keypoint.shape[:3]}. "
                f"Received: {score.shape}."
            )


def _is_count(value: Any) -> bool:
    return isinstance(value, (int, np.integer)) and 0 <= int(value) < 2**31


def _features(path: Path, clips: Sequence[dict[str, Any]]) -> dict[str, Column]:
    keypoints = [clip["keypoint"] for clip in clips]
    joints = {array.shape[2:] for array in keypoints}
    if len(joints) != 1:
        raise ValueError(
            f"{path}: expected as many joints and coordinates in every clip. "
            f"Received: {sorted(joints)[:4]}."
        )
    persons = max(len(array) for array in keypoints)
    shape = (None, persons, *joints.pop())
    features: dict[str, Column] = {
        "skeleton": Streamed(_Persons(keypoints, persons), len(clips), shape)
    }
    scored = sum("keypoint_score" in clip for clip in clips)
    if scored not in (0, len(clips)):
        raise ValueError(
            f"{path}: expected `keypoint_score` in every clip or in none. "
            f"Received: {scored} of {len(clips)}."
        )
    if scored:
        scores = [clip["keypoint_score"] for clip in clips]
        features["skeleton_score"] = Streamed(
            _Persons(scores, persons), len(clips), shape[:3]
        )
    return features


def _chosen(
    path: Path, splits: Any, protocol: str | None
) -> dict[str, Sequence[Any]]:
    """Clips of train, valid and test under a protocol."""
    if not isinstance(splits, dict) or not splits:
        raise ValueError(
            f"{path}: `split` must be a dict of lists of clips. "
            f"Received: {in_words(splits)}."
        )
    protocols: dict[str, dict[str, Any]] = {}
    for key, names in splits.items():
        start, _, part = str(key).rpartition("_")
        if part in _PARTS:
            protocols.setdefault(start, {})[part] = names
    name = next(iter(protocols), None) if protocol is None else protocol
    found = protocols.get(name or "", {})
    if "train" not in found or not (found.keys() - {"train"}):
        raise ValueError(
            f"{path}: expected the splits {name or 'xsub'}_train and "
            f"{name or 'xsub'}_val. Received: "
            f"{', '.join(map(str, splits))[:200]}. Choose with `protocol=`."
        )
    both = "val" in found and "test" in found
    parts = _PARTS | {"val": "valid"} if both else _PARTS
    return {parts[part]: names for part, names in found.items()}


def _rows(
    path: Path, split: str, names: Any, positions: dict[str, int]
) -> list[int]:
    if not isinstance(names, (list, tuple)):
        raise ValueError(
            f"{path}: split {split!r} must be a list of clips. "
            f"Received: {in_words(names)}."
        )
    names = [text_of(name, path, f"split {split!r}") for name in names]
    unknown = [name for name in names if name not in positions]
    if unknown:
        raise ValueError(
            f"{path}: {len(unknown)} clips of split {split!r} have no "
            f"annotation, first {unknown[0][:60]!r}. The file is incomplete."
        )
    return [positions[name] for name in names]


def _split(
    path: Path,
    split: str,
    rows: list[int],
    clips: Sequence[dict[str, Any]],
    names: list[str],
    features: dict[str, Column],
) -> Split:
    ids = [names[row] for row in rows]
    return make_split(
        path,
        split,
        {key: Selected(column, rows) for key, column in features.items()},
        np.asarray([int(clips[row]["label"]) for row in rows], np.int64),
        ids,
        _ntu.groups(ids),
    )


def write(dataset: MultimodalDataset, path: str | Path) -> None:
    """Write a skeleton pickle of mmaction2, as protocol `xsub`.

    Args:
        dataset: modality `skeleton` (T, persons, joints, C), and
            `skeleton_score` (T, persons, joints) for 2D; classes.
        path: the file.
    """
    parts = {"train": "train", "valid": "val", "test": "val"}
    if {"valid", "test"} <= set(dataset.splits):
        parts["test"] = "test"
    content: dict[str, Any] = {"split": {}, "annotations": []}
    for name, split in dataset.splits.items():
        content["split"][f"xsub_{parts[name]}"] = list(split.ids)
        skeleton = column_of(split, "skeleton", "mmaction2")
        if len(skeleton.item_shape) != 4:
            raise ValueError(
                "mmaction2 files hold `skeleton` as (T, persons, joints, C). "
                f"Received: {skeleton.item_shape}."
            )
        score = split.features.get("skeleton_score")
        if score is not None and score.item_shape != skeleton.item_shape[:3]:
            raise ValueError(
                "mmaction2 files hold `skeleton_score` as one number per "
                f"joint, {skeleton.item_shape[:3]}. Received: "
                f"{score.item_shape}."
            )
        for index, clip in enumerate(split.ids):
            entry = _entry(skeleton, score, index)
            label = int(split.labels[index])
            content["annotations"].append(
                {"frame_dir": clip, "label": label} | entry
            )
    with written(path) as unfinished:
        dump_pickle(content, unfinished)


def _entry(
    skeleton: Column, score: Column | None, index: int
) -> dict[str, Any]:
    """Frames, keypoints and scores of a clip."""
    joints = skeleton[index]
    scores = (
        np.zeros((0, *joints.shape[1:3])) if score is None else score[index]
    )
    # Columns end at their last frame that is not all zeros, in which the two
    # may differ.
    frames = max(len(joints), len(scores))
    entry = {
        "total_frames": frames,
        "keypoint": _persons_first(joints, frames),
    }
    if score is not None:
        entry["keypoint_score"] = _persons_first(scores, frames)
    return entry


def _persons_first(item: NDArray[Any], frames: int) -> NDArray[np.float32]:
    full = np.zeros((frames, *item.shape[1:]), np.float32)
    full[: len(item)] = item
    return np.moveaxis(full, 1, 0)


FORMAT = Format(
    name="ntu_mmaction",
    layout="one pickle: split, name to clips, and annotations with frame_dir, "
    "total_frames, label, keypoint",
    mismatch=mismatch,
    read=read,
    write=write,
)
