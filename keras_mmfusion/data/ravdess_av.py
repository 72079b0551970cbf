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

import numpy as np

from keras_mmfusion.data.archive import read_arrays
from keras_mmfusion.data.columns import Column, Vectors
from keras_mmfusion.data.dataset import MultimodalDataset
from keras_mmfusion.data.held_out import hold_out
from keras_mmfusion.data.speech_statistics import speech_statistics
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


def read_ravdess_av(
    path: str | Path,
    test_actors: Sequence[int],
    valid_actors: Sequence[int],
) -> MultimodalDataset:
    """One fold: who is tested, who validates; all others train.

    The audio becomes `speech_statistics`, and the video the square roots of
    the action units, whose deviation then grows less with their size. Both
    are standardised by the training actors. A preset trained on this takes
    the same inputs, standardised by its own training actors.

    Args:
        path: the `.npz` file.
        test_actors: actor numbers of the test split.
        valid_actors: actor numbers of the validation split; none of it if
            empty.

    Returns:
        Data set with `audio` (486,) and `video` (35,), and groups
        `actor`.

    Raises:
        OSError: if there is no such file.
        ValueError: if it is another kind of file, or actors are unknown or in
            two splits.
    """
    arrays = read_arrays(path, _ARRAYS, "RAVDESS features")
    offsets = arrays["audio_offsets"].astype(np.int64)
    clips = [
        speech_statistics(arrays["audio_logmel"][start:end])
        for start, end in itertools.pairwise(offsets)
    ]
    features: dict[str, Column] = {
        "audio": Vectors(np.stack(clips)),
        # OpenFace intensities and presences are not negative.
        "video": Vectors(np.sqrt(np.maximum(arrays["video_au"], 0))),
    }
    whole = Split(
        features,
        arrays["emotion"].astype(np.int64),
        ids=[str(name) for name in arrays["name"]],
        groups={"actor": arrays["actor"]},
    )
    train, watch, last = hold_out(whole, "actor", test_actors, valid_actors)
    scale = Standardizer(train).transform
    return MultimodalDataset(
        scale(train),
        None if watch is None else scale(watch),
        scale(last),
        name="ravdess_av",
        task="classification",
        class_names=[str(name) for name in arrays["emotion_names"]],
        origin=ORIGIN,
        licence=LICENCE,
    )
