"""Simulated clips in the layout of RAVDESS and NTU RGB+D, to try code."""

import numpy as np

from keras_mmfusion.data.dataset import MultimodalDataset, Split
from keras_mmfusion.data.padding import Floats

EMOTIONS = 8
# Coefficients and joints, as in the data sets.
MFCC, JOINTS = 13, 25
# How much louder the label is than noise of 1 or, in frames, of 20 of 255.
LOUDNESS = 3.0


def simulated_emotions(
    actors: int = 6,
    takes: int = 1,
    frames: int = 6,
    size: int = 32,
    steps: int = 60,
    seed: int = 0,
) -> MultimodalDataset:
    """Noise in which picture and sound each show the label.

    It has the layout of MSAF's RAVDESS folder, and nothing else in common
    with it: scores on it say that code runs and learns, no more. A bright
    spot tells the upper bit of eight emotions by its column and the middle
    one by its row; the first coefficients of the sound tell the lower two.

    Args:
        actors: Number of actors; each shows every emotion.
        takes: Clips of one emotion by one actor.
        frames: Frames of a clip.
        size: Height and width of the frames.
        steps: Steps of the sound.
        seed: Seed of all random numbers.

    Returns:
        A data set with all clips in `train`, named like RAVDESS' files.

    Example:

    ```python
    from keras_mmfusion.data.simulated_clips import simulated_emotions

    data = simulated_emotions(actors=2)
    print(len(data.train), data.shapes["video"])  # 16 (None, 32, 32, 3)
    ```
    """
    random = np.random.default_rng(seed)
    video, audio, labels, names = [], [], [], []
    for actor in range(1, actors + 1):
        for emotion in range(EMOTIONS):
            for take in range(1, takes + 1):
                bits = [emotion >> 2 & 1, emotion >> 1 & 1, emotion & 1]
                video.append(_spot(frames, size, bits[0], bits[1], random))
                sound = random.normal(size=(steps, MFCC)).astype(np.float32)
                sound[:, 0] += LOUDNESS * (2 * bits[1] - 1)
                sound[:, 1] += LOUDNESS * (2 * bits[2] - 1)
                audio.append(sound)
                labels.append(emotion)
                names.append(
                    f"01-01-{emotion + 1:02d}-01-01-{take:02d}-{actor:02d}"
                )
    features = {"audio": np.stack(audio), "video": np.stack(video)}
    speakers = [name[-2:] for name in names]
    split = Split(features, labels, names, {"speaker": speakers})
    return MultimodalDataset(
        split, None, None, "simulated emotions", "classification"
    )


def simulated_actions(
    subjects: tuple[int, ...] = (1, 2, 3, 4),
    actions: int = 4,
    frames: int = 6,
    size: int = 32,
    seed: int = 0,
) -> MultimodalDataset:
    """Noise in which picture and skeleton each show the action.

    It has the layout of NTU RGB+D, and nothing else in common with it. A
    bright spot tells one bit of the action by its column, and one by its
    row; the joints of the first person move upwards or sideways or not.

    Args:
        subjects: Numbers of the subjects; the cross-subject protocol trains
            on 1, 2, 4, 5, 8, ... and tests on 3, 6, 7, ...
        actions: Number of actions, at most four.
        frames: Frames of video and skeleton.
        size: Height and width of the video.
        seed: Seed of all random numbers.

    Returns:
        A data set with all clips in `train`, named like NTU's files.

    Example:

    ```python
    from keras_mmfusion.data.simulated_clips import simulated_actions

    data = simulated_actions(subjects=(1, 3))
    print(data.shapes["skeleton"])  # (None, 2, 25, 3)
    ```
    """
    random = np.random.default_rng(seed)
    video, skeleton, labels, names = [], [], [], []
    time = np.linspace(0, LOUDNESS / 2, frames)[:, None]
    for subject in subjects:
        for action in range(actions):
            for camera in (1, 2, 3):
                bits = action >> 1 & 1, action & 1
                video.append(_spot(frames, size, *bits, random))
                body = random.normal(size=(frames, 2, JOINTS, 3)) / 10
                body[:, 1] = 0  # There is no second person.
                body[:, 0, JOINTS // 2 :, 0] += time * bits[0]
                body[:, 0, JOINTS // 2 :, 1] += time * bits[1]
                skeleton.append(body.astype(np.float32))
                labels.append(action)
                names.append(
                    f"S001C{camera:03d}P{subject:03d}R001A{action + 1:03d}"
                )
    features = {"skeleton": np.stack(skeleton), "video": np.stack(video)}
    split = Split(features, labels, names)
    return MultimodalDataset(
        split, None, None, "simulated actions", "classification"
    )


def _spot(
    frames: int, size: int, right: int, low: int, random: np.random.Generator
) -> Floats:
    """Grey noise with a bright square in one of the four quarters."""
    noise = 100 + 20 * random.normal(size=(frames, size, size, 3))
    half, quarter = size // 2, size // 4
    top, left = low * half + quarter // 2, right * half + quarter // 2
    spot = noise[:, top : top + quarter, left : left + quarter]
    spot += 20 * LOUDNESS
    return np.clip(noise, 0, 255).astype(np.float32)
