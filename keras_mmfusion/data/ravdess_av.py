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

import numpy as np
from numpy.typing import NDArray

from keras_mmfusion.data.archive import read_arrays
from keras_mmfusion.data.columns import Column, Vectors
from keras_mmfusion.data.dataset import MultimodalDataset
from keras_mmfusion.data.padding import Floats
from keras_mmfusion.data.split import Split
from keras_mmfusion.data.standardize import Standardizer

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
_LEAST_FRAMES = 8


def read_ravdess_av(
    path: str | Path,
    test_actors: Sequence[int],
    valid_actors: Sequence[int],
) -> MultimodalDataset:
    """One fold: who is tested, who validates; all others train.

    The audio becomes `speech_statistics`. Both modalities are standardised by
    the training actors.

    Args:
        path: the `.npz` file.
        test_actors: actor numbers of the test split.
        valid_actors: actor numbers of the validation split; none of it if
            empty.

    Returns:
        Data set with `audio` (7 bands + 3,) and `video` (35,), and groups
        `actor`.

    Raises:
        OSError: if there is no such file.
        ValueError: if it is another kind of file, or actors are unknown or in
            two splits.
    """
    arrays = read_arrays(path, _ARRAYS, "RAVDESS features")
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
        speech_statistics(arrays["audio_logmel"][start:end])
        for start, end in itertools.pairwise(offsets)
    ]
    features: dict[str, Column] = {
        "audio": Vectors(np.stack(clips)),
        "video": Vectors(arrays["video_au"]),
    }
    whole = Split(
        features,
        arrays["emotion"].astype(np.int64),
        ids=[str(name) for name in arrays["name"]],
        groups={"actor": actors},
    )
    test, valid = np.isin(actors, test_actors), np.isin(actors, valid_actors)
    train, valid_part, test_part = (
        whole.subset(np.flatnonzero(rows))
        for rows in (~test & ~valid, valid, test)
    )
    scale = Standardizer(train).transform
    return MultimodalDataset(
        scale(train),
        scale(valid_part) if len(valid_part) else None,
        scale(test_part),
        name="ravdess_av",
        task="classification",
        class_names=[str(name) for name in arrays["emotion_names"]],
        origin=ORIGIN,
        licence=LICENCE,
    )


def speech_statistics(frames: NDArray[np.floating[Any]]) -> Floats:
    """What is said in a clip, as one vector of statistics.

    Loud frames are those whose mean over bands is above its 40th percentile.
    The speech is what lies between the first and the last frame that is 0.3
    or more of the way from the 5th to the 98th percentile of that mean, with
    five frames on both sides.

    Args:
        frames: log-mel frames of one clip, shape (T, bands), T >= 8.

    Returns:
        For each band the mean, standard deviation and 90th percentile of the
        loud frames, the standard deviation of the differences between
        neighbouring frames, and the means of the three thirds of the speech;
        then the standard deviation and the maximum of the mean over bands,
        and the number of loud frames: shape (7 bands + 3,) float32.

    Raises:
        ValueError: if the clip has fewer than 8 frames.

    Example:

    ```python
    import numpy as np
    from keras_mmfusion.data.ravdess_av import speech_statistics

    frames = np.random.default_rng(0).normal(size=(100, 40))
    assert speech_statistics(frames).shape == (283,)
    ```
    """
    x = np.asarray(frames, np.float64)
    if len(x) < _LEAST_FRAMES:
        raise ValueError(
            f"Expected a clip of {_LEAST_FRAMES} frames or more. "
            f"Received: {len(x)}"
        )
    energy = x.mean(axis=1)
    above = energy > np.percentile(energy, 40)
    loud = x[above] if above.any() else x  # All alike: nothing is louder.
    low, high = np.percentile(energy, [5, 98])
    speech = np.flatnonzero(energy >= low + _LOUD_SHARE * (high - low))
    start = max(min(speech[0] - _MARGIN, len(x) - _LEAST_FRAMES), 0)
    end = max(speech[-1] + 1 + _MARGIN, start + _LEAST_FRAMES)
    thirds = np.array_split(x[start:end], 3)
    parts = [
        loud.mean(axis=0),
        loud.std(axis=0),
        np.percentile(loud, 90, axis=0),
        np.diff(x, axis=0).std(axis=0),
        *(third.mean(axis=0) for third in thirds),
        [energy.std(), energy.max(), len(loud)],
    ]
    return np.concatenate(parts).astype(np.float32)
