"""Simulated features and annotations in Aff-Wild2's layout, to try code on."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

_FOLDERS = {"train": "Train_Set", "valid": "Validation_Set"}
_WIDTHS = {"video": 512, "audio": 128}


def simulated_affect(
    folder: str | Path,
    frames: dict[str, Sequence[int]] | None = None,
    seed: int = 0,
) -> Path:
    """Writes annotations and features of made-up videos.

    Valence and arousal are smooth random curves. Features are linear in them
    plus noise: of both in `video`, of arousal alone in `audio`. For a third
    of every video, in one piece, there is no face: `video` is zeros. One
    frame in twenty is not annotated. Scores on such data say that code runs,
    no more.

    Args:
        folder: an empty or new folder.
        frames: "train" and "valid" to the number of frames of every video.
            Default: twelve videos and four.
        seed: seed of all random numbers.

    Returns:
        The folder, for `data.load(folder, window=300)`. The two people of
        `train0_left` and `train0_right` share one recording.

    Example:

    ```python
    import tempfile
    from keras_mmfusion.data import load
    from keras_mmfusion.data.simulated_affect import simulated_affect

    with tempfile.TemporaryDirectory() as folder:
        simulated_affect(folder, {"train": [400, 90], "valid": [300]})
        data = load(folder, window=300, hop=200)
        print(len(data.train))  # 3
    ```
    """
    root = Path(folder)
    random = np.random.default_rng(seed)
    if frames is None:
        frames = {"train": [700, 500] * 6, "valid": [600, 250, 500, 450]}
    mixing = {m: random.normal(size=(2, w)) for m, w in _WIDTHS.items()}
    mixing["audio"][0] = 0
    for split, lengths in frames.items():
        for number, count in enumerate(lengths):
            name = f"{split}{number}"
            if split == "train" and number < 2:
                name = f"train0_{('left', 'right')[number]}"
            labels = _curves(random, count)
            _write_features(root / "features", name, labels, mixing, random)
            labels[random.uniform(size=count) < 0.05] = -5
            lines = [f"{v:.3f},{a:.3f}" for v, a in labels]
            path = root / f"Annotations/{_FOLDERS[split]}/{name}.txt"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("\n".join(["valence,arousal", *lines]) + "\n")
    return root


def _curves(random: np.random.Generator, count: int) -> NDArray[np.float64]:
    """Valence and arousal, smooth over about two seconds: (count, 2)."""
    steps = random.normal(0, 0.14, (count, 2))
    steps[0] = random.normal(0, 1, 2)
    for t in range(1, count):
        steps[t] += 0.99 * steps[t - 1]
    return np.tanh(steps)


def _write_features(
    root: Path,
    name: str,
    labels: NDArray[np.float64],
    mixing: dict[str, NDArray[np.float64]],
    random: np.random.Generator,
) -> None:
    count = len(labels)
    for modality, weights in mixing.items():
        noise = random.normal(0, 3, (count, weights.shape[1]))
        values = labels @ weights + noise
        if modality == "video":
            start = int(random.integers(0, count - count // 3 + 1))
            values[start : start + count // 3] = 0
        path = root / modality / f"{name}.npy"
        path.parent.mkdir(parents=True, exist_ok=True)
        np.save(path, values.astype(np.float32))
