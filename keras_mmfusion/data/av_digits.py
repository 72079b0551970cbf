"""AV digits: a spoken digit and a handwritten one, paired by their label.

Both parts are real, the pairing is synthetic: nothing joins the two but the
label. `load_sample` reads the part that is packaged with the library: all
900 validation and 6000 test pairs and 1260 of the 7200 training pairs.
`from_full` builds the same features for all pairs from the full file.

The features, from a log-mel frame `x` (40 bins, 10 ms hop) and the 784 grey
values `p` in 0..1 of a digit:

    x   = code / 11 - 14,  code in 0..255        (storage in one byte)
    x'  = log(exp(x) + exp(n)),  n ~ N(0, 1)     (variant "degraded" only)
    audio = (x' - mean) / deviation              per bin, training frames

    image = W (p - mean(p)) / deviation          (variant "degraded")
    image = p                                    (variant "clean")

Variant "sequences" is the degraded one cut into steps: four frames, and two
rows of the image that the four components stand for; see `digit_sequences`.

`W` holds the first 4 principal components of the training images (28 % of
their variance). In the degraded variant neither modality suffices.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from keras_mmfusion.data.columns import (
    Column,
    Padded,
    Ragged,
    Selected,
    Vectors,
)
from keras_mmfusion.data.dataset import MultimodalDataset, Split
from keras_mmfusion.data.digit_sequences import image_rows, join_frames
from keras_mmfusion.data.padding import Ints

Variant = Literal["degraded", "clean", "sequences"]
VARIANTS = ("degraded", "clean", "sequences")
Doubles = NDArray[np.float64]
Bytes = NDArray[np.uint8]

SAMPLE_PATH = Path(__file__).parent / "samples" / "av_digits.npz"
SPLITS = ("train", "valid", "test")
IMAGE_COMPONENTS = 4

_CODES_PER_UNIT = 11.0
_CODE_ZERO = -14.0
_FULL_FRAMES = 125237
_MEL_BINS = 40
# First and last number of the noise. NumPy may change what a seed draws.
_NOISE_ENDS = (0.1257302210933933, -0.09568036292478872)

_ORIGIN = (
    "Free Spoken Digit Dataset (github.com/Jakobovski/"
    "free-spoken-digit-dataset, commit 26eb9aa) and MNIST (LeCun, Cortes, "
    "Burges); synthetic pairs of equal label"
)
_LICENCE = "CC BY-SA 4.0 (see data/samples/AV_DIGITS_LICENSE.md)"


@dataclass(frozen=True)
class Recordings:
    """Spoken digits, concatenated.

    Args:
        codes: log-mel frames in one byte per value, shape (frames, 40).
        offsets: recording `i` is `codes[offsets[i]:offsets[i + 1]]`.
        first_frames: where each recording begins in the full file, (R,).
        names: file names without ending, `digit_speaker_index`.
    """

    codes: Bytes
    offsets: Ints
    first_frames: Ints
    names: list[str]


@dataclass(frozen=True)
class Pairs:
    """Pairs of one split.

    Args:
        recordings: positions in `Recordings`, shape (N,).
        labels: digits 0..9, shape (N,).
        images: grey values 0..255, shape (N, 784).
        image_names: where each image comes from.
    """

    recordings: Ints
    labels: Ints
    images: Bytes
    image_names: list[str]


@dataclass(frozen=True)
class Statistics:
    """What the features need to know of the full training split.

    Args:
        audio_mean: mean log-mel frame, by variant, each of shape (40,).
        audio_deviation: standard deviations, by variant, each (40,).
        image_mean: mean training image, shape (784,).
        image_components: principal components W, shape (4, 784).
        image_deviation: standard deviation of the components, shape (4,).
    """

    audio_mean: dict[str, Doubles]
    audio_deviation: dict[str, Doubles]
    image_mean: Doubles
    image_components: Doubles
    image_deviation: Doubles


def load_sample(variant: Variant = "degraded") -> MultimodalDataset:
    """Packaged AV-digits sample.

    Args:
        variant: `"degraded"` (noisy audio, 4 image components), `"clean"`
            (audio as recorded, 784 grey values; see the module's text), or
            `"sequences"`, what is degraded as steps: `audio` (None, 160), at
            most 24 steps of 40 ms, and `image` (None, 56), 14 pairs of rows.

    Returns:
        The data set: `audio` (None, 40) and `image` (4,) or (784,), labels
        0..9; 1260 training, 900 validation and 6000 test pairs with groups
        `speaker` and `recording`. The test pairs share 300 recordings, so
        a standard error must be taken over recordings, not over pairs.

    Example:

    ```python
    from keras_mmfusion.data import load

    digits = load("av_digits")
    assert digits.shapes == {"audio": (None, 40), "image": (4,)}
    assert len(digits.test) == 6000
    ```
    """
    with np.load(SAMPLE_PATH, allow_pickle=False) as file:
        stored = dict(file)
    recordings = Recordings(
        stored["audio_codes"],
        stored["audio_offsets"].astype(np.int64),
        stored["audio_first_frames"].astype(np.int64),
        [str(name) for name in stored["audio_names"]],
    )
    pairs = {
        split: Pairs(
            stored[f"{split}_recordings"].astype(np.int64),
            stored[f"{split}_labels"].astype(np.int64),
            stored[f"{split}_images"],
            image_names(split, stored[f"{split}_image_indices"]),
        )
        for split in SPLITS
    }
    return _assemble(recordings, pairs, _stored_statistics(stored), variant)


def from_full(
    path: str | Path, variant: Variant = "degraded"
) -> MultimodalDataset:
    """All pairs of the full AV-digits file, with the sample's features.

    Args:
        path: the full `av_digits.npz`.
        variant: see `load_sample`.

    Returns:
        The data set of 7200 training, 900 validation and 6000 test pairs.

    Raises:
        OSError: if the file cannot be read.
        ValueError: if it is another file.
    """
    recordings, pairs = read_full(path)
    statistics = fit_statistics(recordings, pairs["train"])
    return _assemble(recordings, pairs, statistics, variant)


def read_full(path: str | Path) -> tuple[Recordings, dict[str, Pairs]]:
    """Recordings and pairs of the full AV-digits file.

    Args:
        path: the full `av_digits.npz`.

    Returns:
        The 3000 recordings, and the pairs of every split.
    """
    needed = {"audio_logmel", "speaker_names", "pairs_train"}
    try:
        with np.load(path, allow_pickle=False) as file:
            full = dict(file)
    except (ValueError, TypeError, EOFError, BadZipFile) as error:
        raise ValueError(
            f"Expected the full AV-digits file. Received: {path}, which is "
            f"damaged or of another format ({error})"
        ) from error
    if not needed <= set(full) or len(full["audio_logmel"]) != _FULL_FRAMES:
        raise ValueError(
            f"Expected the full AV-digits file, with {_FULL_FRAMES} frames "
            f"and the arrays {sorted(needed)} and others. Received: {path} "
            f"with {sorted(full)}"
        )
    offsets = full["audio_offsets"].astype(np.int64)
    speakers = full["speaker_names"][full["audio_speaker"]]
    names = [
        f"{digit}_{speaker}_{index}"
        for digit, speaker, index in zip(
            full["audio_label"], speakers, full["audio_index"], strict=True
        )
    ]
    codes = encode(full["audio_logmel"])
    recordings = Recordings(codes, offsets, offsets[:-1], names)
    return recordings, {split: _full_pairs(full, split) for split in SPLITS}


def fit_statistics(recordings: Recordings, train: Pairs) -> Statistics:
    """Training statistics of the features.

    Args:
        recordings: the recordings of the full file.
        train: the training pairs of the full file.

    Returns:
        Means and deviations, in float64.
    """
    used = np.unique(train.recordings)
    frames = _spans(recordings.offsets[used], recordings.offsets[used + 1])
    clean = decode(recordings.codes)
    variants = {
        "clean": clean[frames],
        "degraded": _degrade(clean, recordings)[frames],
    }
    pixels = train.images / 255.0
    mean = pixels.mean(axis=0)
    _, scales, rows = np.linalg.svd(pixels - mean, full_matrices=False)
    components = rows[:IMAGE_COMPONENTS]
    # An SVD leaves the sign open: the largest weight is made positive.
    largest = np.abs(components).argmax(axis=1)
    signs = np.sign(components[np.arange(len(components)), largest])
    return Statistics(
        audio_mean={k: x.mean(axis=0) for k, x in variants.items()},
        audio_deviation={k: x.std(axis=0) for k, x in variants.items()},
        image_mean=mean,
        image_components=components * signs[:, None],
        image_deviation=scales[:IMAGE_COMPONENTS] / np.sqrt(len(pixels)),
    )


def encode(logmel: NDArray[np.floating[Any]]) -> Bytes:
    """One-byte codes of log-mel values; steps of 1/11 from -14 to 9.2."""
    codes = (logmel.astype(np.float64) - _CODE_ZERO) * _CODES_PER_UNIT
    return np.rint(codes).clip(0, 255).astype(np.uint8)


def decode(codes: Bytes) -> Doubles:
    """Log-mel values of one-byte codes."""
    return codes / _CODES_PER_UNIT + _CODE_ZERO


def image_names(split: str, indices: NDArray[np.integer[Any]]) -> list[str]:
    """Names of images by their position in the file they come from."""
    source = "mnist-test" if split == "test" else "mnist-valid"
    return [f"{source}-{index}" for index in indices]


def _assemble(
    recordings: Recordings,
    pairs: Mapping[str, Pairs],
    statistics: Statistics,
    variant: Variant,
) -> MultimodalDataset:
    if variant not in VARIANTS:
        raise ValueError(
            f"`variant` must be one of {VARIANTS}. "
            f"Received: variant={variant!r}"
        )
    frames = decode(recordings.codes)
    noise = "clean" if variant == "clean" else "degraded"
    if noise == "degraded":
        frames = _degrade(frames, recordings)
    frames -= statistics.audio_mean[noise]
    frames /= statistics.audio_deviation[noise]
    if variant == "sequences":
        audio = join_frames(frames, recordings.offsets)
    else:
        audio = Ragged(frames.astype(np.float32), recordings.offsets)
    made = {
        name: _split(recordings, pairs[name], audio, statistics, variant)
        for name in SPLITS
    }
    return MultimodalDataset(
        **made,
        name="av_digits" if variant == "degraded" else f"av_digits ({variant})",
        task="classification",
        class_names=[str(digit) for digit in range(10)],
        origin=_ORIGIN,
        licence=_LICENCE,
    )


def _split(
    recordings: Recordings,
    pairs: Pairs,
    audio: Ragged,
    statistics: Statistics,
    variant: Variant,
) -> Split:
    image = pairs.images / 255.0
    parts = statistics.image_components
    if variant != "clean":
        image = (image - statistics.image_mean) @ parts.T
    if variant == "degraded":
        image /= statistics.image_deviation
    column: Column = (
        Padded(image_rows(image, parts))
        if variant == "sequences"
        else Vectors(image.astype(np.float32))
    )
    features: dict[str, Column] = {
        "audio": Selected(audio, pairs.recordings),
        "image": column,
    }
    names = [recordings.names[index] for index in pairs.recordings]
    return Split(
        features,
        pairs.labels,
        ids=[
            f"{name}+{image_name}"
            for name, image_name in zip(names, pairs.image_names, strict=True)
        ],
        groups={
            "speaker": np.array([name.split("_")[1] for name in names]),
            "recording": np.array(names),
        },
    )


def _degrade(frames: Doubles, recordings: Recordings) -> Doubles:
    """Frames with the noise that the full file gets at their place."""
    noise = np.random.default_rng(0).standard_normal((_FULL_FRAMES, _MEL_BINS))
    if not np.allclose((noise[0, 0], noise[-1, -1]), _NOISE_ENDS):
        raise ValueError(
            "This NumPy draws other random numbers than those that made the "
            "degraded AV digits. Use variant='clean' or another NumPy. "
            f"Received: numpy {np.__version__}"
        )
    counts = np.diff(recordings.offsets)
    first = recordings.first_frames
    noise = noise[_spans(first, first + counts)]
    return np.log(np.exp(frames) + np.exp(noise))


def _spans(starts: Ints, ends: Ints) -> Ints:
    """All positions of the spans `start..end - 1`, one span after another."""
    return np.concatenate(
        [np.arange(a, b) for a, b in zip(starts, ends, strict=True)]
    )


def _full_pairs(full: Mapping[str, NDArray[Any]], split: str) -> Pairs:
    short = "val" if split == "valid" else split
    audio, image, label = full[f"pairs_{short}"].astype(np.int64).T
    pool = full["image_test" if split == "test" else "image_trainval"]
    images = pool.reshape(len(pool), -1)[image]
    return Pairs(audio, label, images, image_names(split, image))


def _stored_statistics(stored: Mapping[str, NDArray[Any]]) -> Statistics:
    variants = ("degraded", "clean")
    return Statistics(
        audio_mean={k: stored[f"audio_mean_{k}"] for k in variants},
        audio_deviation={k: stored[f"audio_deviation_{k}"] for k in variants},
        image_mean=stored["image_mean"],
        image_components=stored["image_components"],
        image_deviation=stored["image_deviation"],
    )
