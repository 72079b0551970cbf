"""Simulated asynchronous sequences, to try code that needs licensed data."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from keras_mmfusion.data.columns import Ragged
from keras_mmfusion.data.dataset import MultimodalDataset, Split

# The public unaligned CMU-MOSEI files: longest sequence and features.
MOSEI = {"text": (50, 300), "audio": (500, 74), "video": (500, 35)}
EMOTIONS = ("neutral", "happy", "sad", "angry")
# How much of the label a modality tells, and how loudly against noise of 1.
SHARES = {"text": 2.0, "audio": 1.0, "video": 1.0}
LOUDNESS = 2.0


def simulated_sentiment(
    samples: Sequence[int] = (200, 50, 50),
    shapes: Mapping[str, tuple[int, int]] | None = None,
    binary_heads: bool = False,
    seed: int = 0,
) -> MultimodalDataset:
    """Noise in which each modality shows a part of the label for a while.

    It has the format of CMU-MOSI, CMU-MOSEI and IEMOCAP, and nothing else in
    common with them: scores on it say that code runs and learns, no more.
    Sequences have any length, and the parts of one label come at different
    times. With parts s_m in (-1, 1), the label is Σ_m share_m s_m plus noise.

    Args:
        samples: Sizes of the training, validation and test split.
        shapes: Modality to its longest sequence and number of features, in
            the order "text", "audio", "video"; default: of CMU-MOSEI.
        binary_heads: Four yes-or-no emotions instead of a number in [-3, 3].
        seed: Seed of all random numbers.

    Returns:
        A data set; each five samples of a split share a video.

    Raises:
        ValueError: If the modalities are others.

    Example:

    ```python
    from keras_mmfusion.data.simulated import simulated_sentiment

    small = {"text": (6, 8), "audio": (20, 5), "video": (15, 4)}
    data = simulated_sentiment((20, 5, 5), small)
    print(data.shapes["audio"], data.task)  # (None, 5) regression
    ```
    """
    shapes = dict(MOSEI if shapes is None else shapes)
    if set(shapes) != set(SHARES):
        raise ValueError(
            f"`shapes` must name the modalities {list(SHARES)}. "
            f"Received: {list(shapes)}"
        )
    rng = np.random.default_rng(seed)
    patterns = {m: rng.normal(size=width) for m, (_, width) in shapes.items()}
    heads = rng.normal(size=(len(shapes), len(EMOTIONS)))
    splits = {
        name: _split(
            name, count, shapes, patterns, heads if binary_heads else None, rng
        )
        for name, count in zip(("train", "valid", "test"), samples, strict=True)
    }
    return MultimodalDataset(
        **splits,
        name="simulated sequences",
        task="binary heads" if binary_heads else "regression",
        class_names=EMOTIONS if binary_heads else None,
        origin="keras_mmfusion.data.simulated",
        licence="none needed",
    )


def _split(
    name: str,
    count: int,
    shapes: Mapping[str, tuple[int, int]],
    patterns: Mapping[str, NDArray[Any]],
    heads: NDArray[Any] | None,
    rng: np.random.Generator,
) -> Split:
    parts = {m: rng.uniform(-1, 1, count) for m in shapes}
    features = {
        m: _sequences(parts[m], steps, patterns[m], rng)
        for m, (steps, _) in shapes.items()
    }
    if heads is None:
        told = sum(SHARES[m] * part for m, part in parts.items())
        noisy = told + rng.normal(0, 0.2, count)
        labels = np.clip(noisy, -3, 3).astype(np.float32)
    else:
        labels = (np.stack([*parts.values()], 1) @ heads > 0).astype(np.int64)
    return Split(
        features,
        labels,
        ids=[f"{name}{i // 5}_{i % 5}" for i in range(count)],
        groups={"video": np.asarray([f"{name}{i // 5}" for i in range(count)])},
    )


def _sequences(
    parts: NDArray[Any],
    longest: int,
    pattern: NDArray[Any],
    rng: np.random.Generator,
) -> Ragged:
    """Noise; for a fifth of the time also the pattern, times the part."""
    lengths = rng.integers(max(longest // 2, 1), longest + 1, len(parts))
    lengths[0] = longest  # So that a file has the length it should have.
    rows = []
    for part, length in zip(parts, lengths, strict=True):
        x = rng.normal(size=(length, len(pattern)))
        shown = max(length // 5, 1)
        start = rng.integers(0, length - shown + 1)
        x[start : start + shown] += LOUDNESS * part * pattern
        rows.append(x.astype(np.float32))
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    return Ragged(np.concatenate(rows), offsets)
