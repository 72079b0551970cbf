"""A small file of every format, made without our writers.

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


def msaf_npy(folder: Path) -> Path:
    root = folder / "mosei"
    for key, split in {
        "train": "train",
        "val": "valid",
        "test": "test",
    }.items():
        inner = root / key
        inner.mkdir(parents=True)
        arrays = three(split, "left")
        np.save(inner / "visual50.npy", arrays["vision"])
        np.save(inner / "audio50.npy", arrays["audio"])
        np.save(inner / "bert50.npy", three(split)["text"])
        labels = np.zeros((COUNTS[split], 1, 7), np.float32)
        labels[:, 0, 0] = sentiment(split)
        labels[:, 0, 6] = 9
        np.save(inner / "label50.npy", labels)
    return root


def ravdess_clip(root: Path, emotion: int, actor: int, take: int) -> Path:
    from PIL import Image

    name = f"01-01-{emotion:02d}-01-01-{take:02d}-{actor:02d}"
    clip = root / f"Actor_{actor:02d}" / f"{name}.mp4"
    (clip / "frames").mkdir(parents=True)
    (clip / "audios").mkdir()
    for frame in range(11):
        pixels = np.full((16, 20, 3), 10 * frame, np.uint8)
        pixels[..., 0] = 200
        Image.fromarray(pixels).save(clip / "frames" / f"{frame}.jpg")
    steps = 5 + take
    mfcc = np.arange(13.0 * steps, dtype=np.float32).reshape(13, steps) + 1
    np.save(clip / "audios" / "featuresMFCC.npy", mfcc)
    return clip


def msaf_ravdess(folder: Path) -> Path:
    root = folder / "ravdess"
    for actor in (1, 2, 3):
        for take in (1, 2):
            ravdess_clip(root / "preprocessed", 2 + actor, actor, take)
    # Modality 02 is the picture without sound; MSAF skips it.
    silent = root / "preprocessed/Actor_01/02-01-01-01-01-01-01.mp4"
    silent.mkdir()
    return root


def label_npz(path: Path, emo: bool = False, **corpora: list[str]) -> Path:
    members = {
        f"{corpus}_corpus": {
            name: {"emo": i % 3 if emo else 0, "val": -10 if emo else 0.5 * i}
            for i, name in enumerate(samples)
        }
        for corpus, samples in corpora.items()
    }
    np.savez_compressed(path, **members)  # type: ignore[arg-type]
    return path


def merbench(folder: Path) -> Path:
    root = folder / "merbench"
    root.mkdir()
    corpora = {
        key: names(split, "v{}_{}")
        for key, split in {
            "train": "train",
            "val": "valid",
            "test": "test",
        }.items()
    }
    label_npz(root / "label.npz", **corpora)
    samples = [name for corpus in corpora.values() for name in corpus]
    for index, name in enumerate(samples):
        generator = np.random.default_rng(index)
        for level, array in {
            "hubert-UTT": generator.normal(size=6),
            "clip-FRA": generator.normal(size=(1 + index % 4, 5)).squeeze(),
        }.items():
            inner = root / "features" / level
            inner.mkdir(parents=True, exist_ok=True)
            np.save(inner / f"{name}.npy", array.astype(np.float32))
    return root


def csd_file(path: Path, root: str, entries: dict[str, Any]) -> Path:
    """A computational sequence as the SDK deploys it."""
    import h5py

    with h5py.File(path, "w") as file:
        data = file.create_group(f"{root}/data")
        metadata = file.create_group(f"{root}/metadata")
        metadata.create_dataset(
            "root name", data=[f'"{root}"'], dtype=h5py.string_dtype()
        )
        for video, (features, intervals) in entries.items():
            group = data.create_group(video)
            group.create_dataset("features", data=features)
            group.create_dataset("intervals", data=intervals)
    return path


def times(count: int, step: float) -> Array:
    starts = np.arange(count) * step
    return np.stack([starts, starts + step], axis=1)


CSD_FOLDS = {"train": ["a", "b"], "valid": ["c"], "test": ["d"]}


def csd(folder: Path) -> Path:
    """Four videos of 6 s with two segments each, [0, 2] and [3, 5.5]."""
    root = folder / "csd"
    root.mkdir()
    label, covarep, facet = {}, {}, {}
    for place, video in enumerate("abcd"):
        segments = np.asarray([[0.0, 2.0], [3.0, 5.5]])
        label[video] = (np.asarray([[place + 0.5], [-place]]), segments)
        covarep[video] = (
            100.0 * place + np.arange(60 * AUDIO).reshape(60, AUDIO) + 1,
            times(60, 0.1),
        )
        facet[video] = (
            np.ones((6, VIDEO), np.float32) * np.arange(1, 7)[:, None],
            times(6, 1.0),
        )
    del facet["d"]
    csd_file(root / "CMU_MOSI_Opinion_Labels.csd", "Opinion Labels", label)
    csd_file(root / "CMU_MOSI_COVAREP.csd", "COVAREP", covarep)
    csd_file(root / "CMU_MOSI_VisualFacet.csd", "FACET_4.2", facet)
    words = {v: (np.full((3, 1), b"hey"), times(3, 2.0)) for v in "abcd"}
    csd_file(root / "CMU_MOSI_TimestampedWords.csd", "words", words)
    lines = [
        f"standard_{split}_fold={CSD_FOLDS[split]!r}"
        for split in ("train", "valid", "test")
    ]
    (root / "cmu_mosi_std_folds.py").write_text("\n".join(lines))
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


def skeleton_text(frames: int, bodies: int = 1, first: float = 0.5) -> str:
    lines = [str(frames)]
    for frame in range(frames):
        lines.append(str(bodies))
        for body in range(bodies):
            lines.append(f"7205759403793{1000 + body} 0 1 1 1 1 0 0.03 -0.2 2")
            lines.append("25")
            for joint in range(25):
                x = first + body + 0.01 * joint
                rest = "272.1 210.4 1043.9 582.9 0.2 0.05 0.97 -0.02 2"
                lines.append(f"{x} {frame} {joint} {rest}")
    return "\r\n".join(lines) + "\r\n"


def ntu_skeleton(folder: Path) -> Path:
    root = folder / "nturgb+d_skeletons"
    root.mkdir()
    for subject in (1, 2, 3):
        for action in (1, 50):
            file = root / f"{ntu_name(subject, action)}.skeleton"
            bodies = 2 if action == 50 else 1
            file.write_text(skeleton_text(3 + subject, bodies), newline="")
    return root


def affwild2(folder: Path) -> Path:
    from PIL import Image

    root = folder / "affwild2"
    task = root / "Annotations/VA_Estimation_Challenge"
    other = root / "Annotations/EXPR_Classification_Challenge/Train_Set"
    other.mkdir(parents=True)
    (other / "1-30.txt").write_text("Neutral,Anger\n0\n")
    for split, video in (("Train_Set", "1-30"), ("Validation_Set", "7_left")):
        inner = task / split
        inner.mkdir(parents=True)
        rows = ["0.1,-0.2", "-5,-5", "0.3,0.4", "-1,1", "0.5,-5"]
        text = "valence,arousal\n" + "\n".join(rows) + "\n"
        (inner / f"{video}.txt").write_text(text)
        faces = root / "cropped_aligned" / video
        faces.mkdir(parents=True)
        for frame in (1, 2, 4):
            pixels = np.full((12, 12, 3), 20 * frame, np.uint8)
            Image.fromarray(pixels).save(faces / f"{frame:05d}.jpg")
    return root


def utd_arrays(action: int, subject: int) -> dict[str, Array]:
    frames = 3 + action
    skeleton = np.arange(20 * 3 * frames, dtype=np.float64) / 100 + subject
    return {
        "skeleton": skeleton.reshape(20, 3, frames),
        "inertial": np.full((2 * frames, 6), 0.5 * action),
        "depth": np.full((240, 320, frames), 1000.0 + subject),
    }


def utd_mhad(folder: Path, compressed: bool = True) -> Path:
    from scipy.io import savemat

    root = folder / "utd"
    keys = {"skeleton": "d_skel", "inertial": "d_iner", "depth": "d_depth"}
    for modality, key in keys.items():
        inner = root / modality.capitalize()
        inner.mkdir(parents=True)
        for subject in (1, 2, 3):
            for action in (1, 2, 10):
                name = f"a{action}_s{subject}_t1_{modality}.mat"
                value = {key: utd_arrays(action, subject)[modality]}
                savemat(inner / name, value, do_compression=compressed)
    return root


MAKERS = {
    "mmsa": mmsa,
    "mult": mult,
    "multibench": multibench,
    "mag": mag,
    "misa": misa,
    "msaf_npy": msaf_npy,
    "msaf_ravdess": msaf_ravdess,
    "merbench": merbench,
    "csd": csd,
    "ntu_mmaction": ntu_mmaction,
    "ntu_skeleton": ntu_skeleton,
    "affwild2": affwild2,
    "utd_mhad": utd_mhad,
}

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
