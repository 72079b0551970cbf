"""AVLetters: lip video and speech of ten people who say the alphabet.

Reads one `.npz` of 780 clips, 26 letters three times by each speaker:

| array | shape | content |
| --- | --- | --- |
| `lips` | (frames, 30, 40) | grey values of the mouth, 25 a second |
| `lips_offsets` | (N + 1,) | clip i is `[offsets[i]:offsets[i + 1]]` |
| `mfcc` | (frames, 26) | 12 cepstra, energy, slopes; 50 a second |
| `mfcc_offsets` | (N + 1,) | the same for these |
| `letter` | (N,) | 0 to 25 |
| `repetition`, `speaker` | (N,) | 1 to 3; 0 to 9 |
| `name` | (N,) | name of the clip |

Matthews et al., Extraction of Visual Features for Lipreading, IEEE TPAMI 24(2),
2002. The terms of the data are not known: academic research only.

`lips_input` and `mfcc_input` make the inputs of a model from a clip. Their
scales are fixed, so nothing has to be fitted to training data.
"""

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from keras_mmfusion.data.archive import read_arrays
from keras_mmfusion.data.columns import Column, Ragged
from keras_mmfusion.data.cosine_waves import cosine_waves
from keras_mmfusion.data.dataset import MultimodalDataset
from keras_mmfusion.data.held_out import hold_out
from keras_mmfusion.data.motion import central_differences, checked_clip
from keras_mmfusion.data.padding import Floats
from keras_mmfusion.data.split import Split

ORIGIN = (
    "AVLetters (Matthews et al., IEEE TPAMI 2002): lip video and MFCC of 26 "
    "letters, 10 speakers, 3 repetitions"
)
LICENCE = "terms not known: academic research only, not redistributed"
FRAME = (30, 40)
WAVES = (12, 6)  # of the cosine transform, down and across
CEPSTRA = 13  # with energy; the file has their slopes besides
# A mouth whose grey values deviate by less, of 255, does not move.
_STILL = 1.0
_VELOCITY = 2.5
_SLOPE = 3.0
# Deviations within a clip of speakers 0 to 6 in repetitions 1 and 2. Mouths are
# about symmetric, so waves that are not have less of it.
_LIPS_SCALE = np.array([6, 1.5, 5, 1.6, 2.1, 1.0], np.float32)
_MFCC_SCALE = np.array(
    [
        1.4,
        0.8,
        0.66,
        0.52,
        0.63,
        0.45,
        0.36,
        0.29,
        0.29,
        0.23,
        0.21,
        0.22,
        0.32,
    ],
    np.float32,
)

_ARRAYS = (
    "lips",
    "lips_offsets",
    "mfcc",
    "mfcc_offsets",
    "letter",
    "repetition",
    "speaker",
    "name",
)


def read_avletters(
    path: str | Path,
    by: Literal["speaker", "repetition"],
    test: Sequence[int],
    valid: Sequence[int],
) -> MultimodalDataset:
    """All clips, split by speaker or by repetition.

    Args:
        path: the `.npz` file.
        by: "speaker" for people never seen before, "repetition" for letters
            that the same people say once more.
        test: numbers of the speakers or repetitions of the test split.
        valid: the same of the validation split; none of it if empty. All
            others train.

    Returns:
        Data set with `audio` (None, 39) and `lips` (None, 144), labels 0..25,
        and groups `speaker`, `repetition` and `series` (speaker and letter).

    Raises:
        OSError: if there is no such file.
        ValueError: if it is another kind of file, or the numbers are unknown,
            in two splits, or leave nothing to train on.
    """
    arrays = read_arrays(path, _ARRAYS, "AVLetters")
    if by not in ("speaker", "repetition"):
        raise ValueError(
            f"`by` must be 'speaker' or 'repetition'. Received: {by!r}"
        )
    train, watch, last = hold_out(_whole(arrays), by, test, valid)
    return MultimodalDataset(
        train,
        watch,
        last,
        name=f"avletters, by {by}",
        task="classification",
        class_names=[chr(ord("A") + i) for i in range(26)],
        origin=ORIGIN,
        licence=LICENCE,
    )


def lips_input(frames: NDArray[Any]) -> Floats:
    """How a mouth moves, as slow waves down and across the picture.

    The mean frame of the clip, which shows who speaks, is taken off; what is
    left gets deviation 1, and each frame a cosine transform of which the 12 x 6
    lowest frequencies, down and across, are kept (80 % of the variance).

    Args:
        frames: grey values 0..255 of one clip, shape (T, 30, 40).

    Returns:
        Float32 array (T, 144): 72 waves, each about of deviation 1, then
        their change from step to step. A mouth that does not move gives
        zeros, as if it was missing.

    Raises:
        ValueError: if the clip has another shape.

    Example:

    ```python
    import numpy as np
    from keras_mmfusion.data.avletters import lips_input

    clip = np.random.default_rng(0).integers(0, 256, (24, 30, 40))
    print(lips_input(clip).shape)  # (24, 144)
    ```
    """
    x = checked_clip(frames, FRAME, "lip")
    x = x - x.mean(axis=0)
    deviation = x.std()
    if deviation < _STILL:
        return np.zeros((len(x), 2 * WAVES[0] * WAVES[1]), np.float32)
    down, across = (
        cosine_waves(n, size).astype(np.float32)
        for n, size in zip(WAVES, FRAME, strict=True)
    )
    return lips_channels(down @ (x / deviation) @ across.T)


def lips_channels(waves: Floats) -> Floats:
    """Waves (..., T, 12, 6) to channels (..., T, 144)."""
    scaled = waves / _LIPS_SCALE
    flat = scaled.reshape(*waves.shape[:-2], -1).astype(np.float32)
    return np.concatenate(
        [flat, _VELOCITY * central_differences(flat)], axis=-1
    )


def lips_waves(channels: Floats) -> Floats:
    """Channels (..., T, 144) back to waves (..., T, 12, 6)."""
    flat = channels[..., : WAVES[0] * WAVES[1]]
    waves: Floats = flat.reshape(*flat.shape[:-1], *WAVES) * _LIPS_SCALE
    return waves


def mfcc_input(frames: NDArray[Any]) -> Floats:
    """Cepstra less their mean over the clip, their slopes, and slopes of these.

    The slopes that come with the frames are not used: at both ends of a clip
    they are off, being taken of frames that are not there.

    Args:
        frames: HTK's MFCC_E_D of one clip, shape (T, 26): 12 cepstra, energy,
            and the slopes of both.

    Returns:
        Float32 array (T, 39), each about of deviation 1.

    Raises:
        ValueError: if the clip has another shape.

    Example:

    ```python
    import numpy as np
    from keras_mmfusion.data.avletters import mfcc_input

    clip = np.random.default_rng(0).normal(size=(48, 26))
    print(mfcc_input(clip).shape)  # (48, 39)
    ```
    """
    x = checked_clip(frames, (2 * CEPSTRA,), "speech")[:, :CEPSTRA]
    return mfcc_channels((x - x.mean(axis=0)) / _MFCC_SCALE)


def mfcc_channels(cepstra: Floats) -> Floats:
    """Scaled cepstra (..., T, 13) to channels (..., T, 39)."""
    x = cepstra.astype(np.float32)
    slopes = _SLOPE * _slope(x)
    return np.concatenate([x, slopes, _SLOPE * _slope(slopes)], axis=-1)


def _slope(x: Floats) -> Floats:
    """Slope of the line through five steps, (..., T, C); the ends are held."""
    edges = [(0, 0)] * (x.ndim - 2) + [(2, 2), (0, 0)]
    steps = x.shape[-2]
    a, b, _, c, d = (
        np.pad(x, edges, mode="edge")[..., i : i + steps, :] for i in range(5)
    )
    return np.asarray((2 * (d - a) + (c - b)) / 10, np.float32)


def _whole(arrays: dict[str, NDArray[Any]]) -> Split:
    features: dict[str, Column] = {}
    for name, raw, function in (
        ("audio", "mfcc", mfcc_input),
        ("lips", "lips", lips_input),
    ):
        offsets = arrays[f"{raw}_offsets"].astype(np.int64)
        clips = [
            function(arrays[raw][a:b]) for a, b in itertools.pairwise(offsets)
        ]
        features[name] = Ragged(np.concatenate(clips), offsets)
    speaker, letter = arrays["speaker"], arrays["letter"].astype(np.int64)
    return Split(
        features,
        letter,
        ids=[str(name) for name in arrays["name"]],
        groups={
            "speaker": speaker,
            "repetition": arrays["repetition"],
            # One person's repetitions of a letter are not independent.
            "series": speaker.astype(np.int64) * 26 + letter,
        },
    )
