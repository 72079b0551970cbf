"""Small files of the formats, made without our writers: folders."""

from pathlib import Path
from typing import Any

import numpy as np

from tests.data.formats.example_pickles import (
    AUDIO,
    COUNTS,
    VIDEO,
    Array,
    names,
    ntu_name,
    sentiment,
    three,
)


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


def avi(path: Path, frames: int, size: int = 32) -> None:
    """A video whose frame t is grey of brightness 20 t."""
    import av

    with av.open(str(path), "w", format="avi") as file:
        stream = file.add_stream("mpeg4", rate=30)
        stream.width = stream.height = size
        stream.pix_fmt = "yuv420p"
        for index in range(frames):
            pixels = np.full((size, size, 3), 20 * index, np.uint8)
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            file.mux(stream.encode(frame))
        file.mux(stream.encode(None))


def ntu_rgbd(folder: Path) -> Path:
    root = folder / "ntu"
    root.mkdir()
    skeletons = ntu_skeleton(root)
    (root / "nturgb+d_rgb").mkdir()
    for index, file in enumerate(sorted(skeletons.iterdir())):
        avi(root / f"nturgb+d_rgb/{file.stem}_rgb.avi", 5 + index)
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


def affwild2_annotations(video: str, frames: int) -> Array:
    """Labels of a video with some frames, and some labels, left out."""
    generator = np.random.default_rng([frames, *video.encode()])
    labels = generator.uniform(-1, 1, (frames, 2)).round(3)
    labels[generator.uniform(size=frames) < 0.1] = -5
    labels[frames // 3, 1] = -5
    labels[frames // 2] = -5
    labels[frames // 2 + 1] = 0.25
    return labels


def affwild2_features(
    folder: Path, videos: dict[str, dict[str, int]], video: int = 6
) -> Path:
    """Annotations and features of videos with so many frames."""
    root = folder / "affwild2"
    for split, lengths in videos.items():
        inner = root / "Annotations/VA_Estimation_Challenge" / split
        inner.mkdir(parents=True)
        for name, frames in lengths.items():
            rows = affwild2_annotations(name, frames)
            lines = ["valence,arousal", *(f"{v:g},{a:g}" for v, a in rows)]
            (inner / f"{name}.txt").write_text("\n".join(lines) + "\n")
            generator = np.random.default_rng(frames)
            for modality, width in (("audio", 4), ("video", video)):
                path = root / "features" / modality / f"{name}.npy"
                path.parent.mkdir(parents=True, exist_ok=True)
                array = generator.normal(size=(frames, width))
                np.save(path, array.astype(np.float32))
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
