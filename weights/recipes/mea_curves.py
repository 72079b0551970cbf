"""Forms of MEA compared on validation data, epoch by epoch."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_mmfusion.data import Split
from keras_mmfusion.evaluation import files

# What shows that training goes wrong; see `MEA`.
WATCHED = {
    "val_task_loss": "task loss",
    "val_accuracy": "accuracy",
    "val_agnostic_norm": "norm of the agnostic vectors",
    "val_exclusive_spread": "spread of the exclusive branch",
    "val_agnostic_spread": "spread of the agnostic branch",
}
CHOICE = "choice.json"
Folds = Sequence[tuple[Split, Split]]
Build = Callable[[int], Any]


def compare(
    candidates: Mapping[str, Build],
    folds: Folds,
    path: Path,
    seeds: int,
    **fit: Any,
) -> dict[str, Any]:
    """Trains every candidate on every fold and writes what was seen.

    Args:
        candidates: Name to a function of the seed.
        folds: Pairs of training and validation split.
        path: JSON file; a candidate that it holds is not trained again.
        seeds: Number of seeds.
        **fit: `epochs`, `batch_size`, `valid_batch`, `transform`.

    Returns:
        Candidate to watched quantity to its values, (runs, epochs).
    """
    found: dict[str, Any] = files.read_json(path) if path.exists() else {}
    for name, build in candidates.items():
        if name in found:
            continue
        histories = [
            history(build, *fold, seed, **fit)
            for seed in range(seeds)
            for fold in folds
        ]
        found[name] = {
            key: [one[key] for one in histories] for key in histories[0]
        }
        files.write_json(path, found)
        print(f"{name}: {summary(found[name])}", flush=True)
    return found


def history(
    build: Build,
    train: Split,
    valid: Split,
    seed: int,
    epochs: int,
    batch_size: int,
    valid_batch: int,
    transform: Any = None,
) -> dict[str, list[float]]:
    keras.utils.set_random_seed(seed)
    batches = train.batches(
        batch_size,
        shuffle=True,
        seed=seed,
        buckets=1,
        transform=transform,
    )
    seen = build(seed).fit(
        batches,
        validation_data=valid.batches(valid_batch, buckets=1),
        epochs=epochs,
        shuffle=False,
        verbose=0,
    )
    return {
        key: [float(v) for v in seen.history[key]]
        for key in WATCHED
        if key in seen.history
    }


def summary(curves: Mapping[str, Any]) -> str:
    """Accuracy and loss after the last epoch, over folds and seeds."""
    accuracy = np.array(curves["val_accuracy"])[:, -1]
    text = f"accuracy {accuracy.mean():.3f} ± {accuracy.std(ddof=1):.3f}"
    if "val_task_loss" in curves:
        loss = np.array(curves["val_task_loss"])[:, -1]
        text += f", task loss {loss.mean():.3f}"
    return text + f" ({len(accuracy)} runs)"


def curve_note(work: Path, names: Iterable[str], count: int = 6) -> str:
    """Means over folds and seeds at some epochs, as a table for a card."""
    if not (work / CHOICE).exists():
        return ""
    found = files.read_json(work / CHOICE)
    runs, last = np.shape(next(iter(found.values()))["val_accuracy"])
    epochs = sorted({round(last ** (i / (count - 1))) for i in range(count)})
    lines = [
        f"\n- Forms on validation data, mean of {runs} trainings:\n",
        "| | form | " + " | ".join(f"epoch {e}" for e in epochs) + " |",
        "|---" * (len(epochs) + 2) + "|",
    ]
    for key, words in WATCHED.items():
        for name in (name for name in names if name in found):
            values = np.mean(found[name][key], axis=0)
            cells = " | ".join(f"{values[e - 1]:.3g}" for e in epochs)
            lines.append(f"| {words} | {name} | {cells} |")
    return "\n".join(lines)
