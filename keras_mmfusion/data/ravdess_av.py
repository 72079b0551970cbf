"""RAVDESS speech as log-mel frames and facial action units, by actor.

Reads one `.npz` of 1440 clips of 24 actors:

| array | shape | content |
| --- | --- | --- |
| `audio_logmel` | (frames, bands) | log-mel frames of all clips, 20 ms apart |
| `audio_offsets` | (N + 1,) | clip i is `[offsets[i]:offsets[i + 1]]` |
| `video_au` | (N, 35) | OpenFace action units, mean over the clip |
| `emotion` | (N,) | class number, names in `emotion_names` |
| `actor`, `name` | (N,) | actor number; the file name of the clip |

RAVDESS (Livingstone and Russo 2018) is CC BY-NC-SA 4.0: non-commercial.
"""

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from keras_mmfusion.data.columns import Column, Ragged, Vectors
from keras_mmfusion.data.dataset import MultimodalDataset
from keras_mmfusion.data.padding import Floats
from keras_mmfusion.data.split import Split
from keras_mmfusion.data.standardize import Standardizer

WINDOW = 8  # frames: 160 ms
ORIGIN = (
    "RAVDESS speech (Livingstone and Russo 2018): log-mel frames of the audio "
    "and OpenFace action units of the video, averaged over the clip"
)
LICENCE = "CC BY-NC-SA 4.0: non-commercial, share-alike"

_ARRAYS = (
    "audio_logmel",
    "audio_offsets",
    "video_au",
    "emotion",
    "emotion_names",
    "actor",
    "name",
)
# A frame is speech if it is so far from the silence to the peak of its clip.
_LOUD_SHARE = 0.3
_MARGIN = 5  # frames kept on both sides
_LEAST_DEVIATION = 0.1


def read_ravdess_av(
    path: str | Path,
    test_actors: Sequence[int],
    valid_actors: Sequence[int],
    window: int = WINDOW,
) -> MultimodalDataset:
    """One fold: who is tested, who validates; all others train.

    The audio becomes `speech_windows`. Both modalities are standardised by
    the training actors.

    Args:
        path: the `.npz` file.
        test_actors: actor numbers of the test split.
        valid_actors: actor numbers of the validation split.
        window: frames per audio step.

    Returns:
        Data set with `audio` (None, 3 bands) and `video` (35,), and groups
        `actor`.

    Raises:
        OSError: if there is no such file.
        ValueError: if it is another kind of file, or actors are unknown or in
            two splits.
    """
    arrays = _read(path)
    actors = arrays["actor"]
    known = set(np.unique(actors).tolist())
    asked = [*test_actors, *valid_actors]
    if len(set(asked)) < len(asked) or not set(asked) < known:
        raise ValueError(
            "Expected test and validation actors to be different ones among "
            f"{sorted(known)}, with some left to train. Received: "
            f"{list(test_actors)} and {list(valid_actors)}"
        )
    offsets = arrays["audio_offsets"].astype(np.int64)
    clips = [
        speech_windows(arrays["audio_logmel"][start:end], window)
        for start, end in itertools.pairwise(offsets)
    ]
    ends = np.cumsum([0, *map(len, clips)])
    features: dict[str, Column] = {
        "audio": Ragged(np.concatenate(clips), ends),
        "video": Vectors(arrays["video_au"]),
    }
    whole = Split(
        features,
        arrays["emotion"].astype(np.int64),
        ids=[str(name) for name in arrays["name"]],
        groups={"actor": actors},
    )
    test, valid = np.isin(actors, test_actors), np.isin(actors, valid_actors)
    splits = [
        whole.subset(np.flatnonzero(rows))
        for rows in (~test & ~valid, valid, test)
    ]
    scale = Standardizer(splits[0]).transform
    return MultimodalDataset(
        *map(scale, splits),
        name="ravdess_av",
        task="classification",
        class_names=[str(name) for name in arrays["emotion_names"]],
        origin=ORIGIN,
        licence=LICENCE,
    )


def speech_windows(
    frames: NDArray[np.floating[Any]], window: int = WINDOW
) -> Floats:
    """What is said in a clip, as statistics of short windows.

    The silence before and after is cut off: a frame is loud if its mean over
    bands is 0.3 or more of the way from the 5th to the 98th percentile of its
    clip. Windows do not overlap; frames left at the end are dropped.

    Args:
        frames: log-mel frames of one clip, shape (T, bands).
        window: frames per window.

    Returns:
        For each window and band the mean, the log of the standard deviation
        plus 0.1, and the mean absolute difference of neighbouring frames,
        shape (windows, 3 bands) float32.

    Raises:
        ValueError: if the clip is shorter than a window.

    Example:

    ```python
    import numpy as np
    from keras_mmfusion.data.ravdess_av import speech_windows

    frames = np.full((100, 40), -13.0)
    frames[30:70] = 0.0
    assert speech_windows(frames).shape == (6, 120)  # 40 loud, 5 around
    ```
    """
    x = np.asarray(frames, np.float64)
    if len(x) < window:
        raise ValueError(
            f"Expected a clip of {window} frames or more. Received: {len(x)}"
        )
    energy = x.mean(axis=1)
    low, high = np.percentile(energy, [5, 98])
    loud = np.flatnonzero(energy >= low + _LOUD_SHARE * (high - low))
    start = max(loud[0] - _MARGIN, 0)
    end = max(min(loud[-1] + 1 + _MARGIN, len(x)), min(start + window, len(x)))
    start = min(start, end - window)
    count = (end - start) // window
    x = x[start : start + count * window].reshape(count, window, -1)
    parts = [
        x.mean(axis=1),
        np.log(x.std(axis=1) + _LEAST_DEVIATION),
        np.abs(np.diff(x, axis=1)).mean(axis=1),
    ]
    return np.concatenate(parts, axis=1).astype(np.float32)


def _read(path: str | Path) -> dict[str, NDArray[Any]]:
    try:
        with np.load(path, allow_pickle=False) as file:
            missing = [name for name in _ARRAYS if name not in file]
            arrays = {k: file[k] for k in _ARRAYS if k in file}
    except (ValueError, TypeError, EOFError, BadZipFile) as error:
        raise ValueError(
            f"Expected the .npz file of RAVDESS features. Received: {path}, "
            f"which is damaged or of another format ({error})"
        ) from error
    if missing:
        raise ValueError(
            f"Expected the arrays {list(_ARRAYS)}. Received: {path} without "
            f"{missing}"
        )
    return arrays
