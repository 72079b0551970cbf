"""A file in the layout of the RAVDESS features, with simulated content."""

import numpy as np


def simulated(path, actors=6, clips=8, seed=0):
    """A file of the layout of RAVDESS, with simulated content."""
    random = np.random.default_rng(seed)
    count = actors * clips
    lengths = random.integers(60, 90, count)
    emotion = np.arange(count) % 8
    frames = []
    for length, label in zip(lengths, emotion, strict=True):
        x = random.normal(-13, 0.1, (length, 40))
        loud = slice(15, length - 15)
        x[loud] += 10 + np.eye(40)[label * 5] * 4
        frames.append(x)
    np.savez(
        path,
        audio_logmel=np.concatenate(frames).astype(np.float16),
        audio_offsets=np.cumsum([0, *lengths]),
        video_au=random.normal(size=(count, 35)).astype(np.float32)
        + 2 * np.eye(35, dtype=np.float32)[emotion],
        emotion=emotion.astype(np.int16),
        emotion_names=np.array([f"emotion {i}" for i in range(8)]),
        actor=np.repeat(np.arange(1, actors + 1), clips),
        name=np.array([f"clip {i}" for i in range(count)]),
    )
    return path
