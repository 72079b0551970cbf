"""Small files of the formats, made without our writers: pickles.

Layouts are those of `formats_metrics_numbers.md` §1; sizes are small and
unlike each other, so that a swapped axis or modality shows.
"""

import pickle
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

COUNTS = {"train": 5, "valid": 2, "test": 3}
TEXT, AUDIO, VIDEO = 8, 4, 3  # widths
TEXT_STEPS, AUDIO_STEPS, VIDEO_STEPS = 6, 12, 9

Array = NDArray[Any]


def lengths(split: str, steps: int) -> list[int]:
    """From one step to `steps`, another order in every split."""
    generator = np.random.default_rng(len(split) + steps)
    return generator.integers(1, steps + 1, COUNTS[split]).tolist()


def sequences(split: str, steps: int, width: int) -> list[Array]:
    """Items without an all-zero step."""
    generator = np.random.default_rng(7 * steps + width + len(split))
    return [
        generator.uniform(0.5, 1.5, (length, width)).astype(np.float32)
        for length in lengths(split, steps)
    ]


def pad(items: list[Array], steps: int, side: str = "right") -> Array:
    array = np.zeros((len(items), steps, items[0].shape[1]), np.float32)
    for row, item in zip(array, items, strict=True):
        if side == "right":
            row[: len(item)] = item
        else:
            row[steps - len(item) :] = item
    return array


def three(split: str, side: str = "right") -> dict[str, Array]:
    return {
        "text": pad(sequences(split, TEXT_STEPS, TEXT), TEXT_STEPS, side),
        "audio": pad(sequences(split, AUDIO_STEPS, AUDIO), AUDIO_STEPS, side),
        "vision": pad(sequences(split, VIDEO_STEPS, VIDEO), VIDEO_STEPS, side),
    }


def sentiment(split: str) -> Array:
    return np.linspace(-3, 2.5, COUNTS[split]).astype(np.float32)


def names(split: str, form: str) -> list[str]:
    return [form.format(split[:2], i) for i in range(COUNTS[split])]


def mmsa_content() -> dict[str, Any]:
    content: dict[str, Any] = {}
    for split, count in COUNTS.items():
        entry: dict[str, Any] = dict(three(split))
        steps = lengths(split, TEXT_STEPS)
        mask = np.arange(TEXT_STEPS) < np.asarray(steps)[:, None]
        # BERT gives vectors at padded positions, too.
        entry["text"] = np.where(mask[:, :, None], entry["text"], 0.25)
        entry["text_bert"] = np.stack(
            [np.full(mask.shape, 101), mask, np.zeros(mask.shape)], axis=1
        ).astype(np.float32)
        entry["raw_text"] = np.array([f"words of {i}" for i in range(count)])
        entry["id"] = names(split, "vid{}$_${}")
        entry["audio_lengths"] = lengths(split, AUDIO_STEPS)
        entry["vision_lengths"] = lengths(split, VIDEO_STEPS)
        entry["regression_labels"] = sentiment(split)
        entry["classification_labels"] = np.ones(count)
        entry["annotations"] = ["Neutral"] * count
        content[split] = entry
    return content


def mult_content(side: str = "left") -> dict[str, Any]:
    content: dict[str, Any] = {}
    for split, count in COUNTS.items():
        entry: dict[str, Any] = dict(three(split, side))
        entry["labels"] = sentiment(split).reshape(count, 1, 1)
        rows = [[name, "0.5", "2.5"] for name in names(split, "v{}{}")]
        entry["id"] = np.asarray(rows).astype("S8")
        content[split] = entry
    return content


def iemocap_content() -> dict[str, Any]:
    content = mult_content()
    for split, count in COUNTS.items():
        heads = np.arange(count * 4).reshape(count, 4) % 3 == 0
        content[split]["labels"] = np.stack([~heads, heads], 2).astype(int)
        del content[split]["id"]
    return content


def multibench_content() -> dict[str, Any]:
    content = mult_content()
    for split, count in COUNTS.items():
        content[split]["id"] = np.asarray(names(split, "v{}[{}]"))
        content[split]["labels"] = sentiment(split).reshape(count, 1)
    content["train"]["text"][1] = 0
    return content


def records(split: str, parts: int) -> list[Any]:
    made = []
    for index in range(COUNTS[split]):
        steps = 2 + index
        generator = np.random.default_rng(index)
        words = [f"w{i}" for i in range(steps)]
        visual = generator.normal(size=(steps, VIDEO))
        acoustic = generator.normal(size=(steps, AUDIO))
        features: tuple[Any, ...] = (words, visual, acoustic)
        if parts == 4:
            ids = np.arange(2, 2 + steps)
            features = (ids, visual, acoustic, words)
        label = np.asarray([[index - 1.5]], np.float32)
        made.append((features, label, f"v{split[:2]}[{index}]"))
    return made


def dump(path: Path, value: Any, protocol: int = 4) -> Path:
    path.write_bytes(pickle.dumps(value, protocol))
    return path


def mmsa(folder: Path) -> Path:
    return dump(folder / "unaligned.pkl", mmsa_content())


def mult(folder: Path) -> Path:
    return dump(folder / "noalign.pkl", mult_content(), 2)


def iemocap(folder: Path) -> Path:
    return dump(folder / "iemocap.pkl", iemocap_content())


def multibench(folder: Path) -> Path:
    return dump(folder / "raw.pkl", multibench_content())


def mag(folder: Path) -> Path:
    parts = {"train": "train", "dev": "valid", "test": "test"}
    content = {key: records(split, 3) for key, split in parts.items()}
    return dump(folder / "mag.pkl", content)


def misa(folder: Path) -> Path:
    root = folder / "misa"
    root.mkdir()
    for key, split in {
        "train": "train",
        "dev": "valid",
        "test": "test",
    }.items():
        dump(root / f"{key}.pkl", records(split, 4))
    return root


def ntu_name(subject: int, action: int, camera: int = 1, setup: int = 1) -> str:
    return f"S{setup:03d}C{camera:03d}P{subject:03d}R001A{action:03d}"


def ntu_content(dimensions: int = 2) -> dict[str, Any]:
    clips = [ntu_name(s, a) for s in (1, 2, 3) for a in (1, 7)]
    annotations = []
    for index, clip in enumerate(clips):
        persons, frames = 1 + index % 2, 4 + index
        shape = (persons, frames, 17, dimensions)
        keypoint = np.arange(np.prod(shape), dtype=np.float16) % 100 + 1
        entry: dict[str, Any] = {
            "frame_dir": clip,
            "total_frames": frames,
            "img_shape": (1080, 1920),
            "original_shape": (1080, 1920),
            "label": int(clip[-3:]) - 1,
            "keypoint": keypoint.reshape(shape),
        }
        if dimensions == 2:
            entry["keypoint_score"] = np.full(shape[:3], 0.5, np.float16)
        annotations.append(entry)
    split = {
        "xsub_train": clips[:4],
        "xsub_val": clips[4:],
        "xview_train": clips[1:],
        "xview_val": clips[:1],
    }
    return {"split": split, "annotations": annotations}


def ntu_mmaction(folder: Path) -> Path:
    return dump(folder / "ntu60_2d.pkl", ntu_content(), 3)


# Prefix of a script that imports `keras_mmfusion.data` without the package
# around it, which would import Keras: its memory would hide ours, and its
# start takes seconds.
WITHOUT_KERAS = """
import importlib.util, pathlib, sys, types
_root = pathlib.Path(importlib.util.find_spec("keras_mmfusion").origin).parent
for _name, _path in (
    ("keras_mmfusion", _root),
    ("keras_mmfusion.data", _root / "data"),
):
    _module = types.ModuleType(_name)
    _module.__path__ = [str(_path)]
    sys.modules[_name] = _module
"""
