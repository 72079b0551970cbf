"""Aff-Wild2: the annotation files, and which videos are in which split."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from keras_mmfusion.data.formats._affwild2_folds import folds_of
from keras_mmfusion.data.formats._build import Folds, owners
from keras_mmfusion.data.formats._files import files_in, require_kind
from keras_mmfusion.data.padding import NOT_ANNOTATED

FOLDERS = {
    "train": ("Train_Set", "Training_Set"),
    "valid": ("Validation_Set",),
}
HEADER = "valence,arousal"
NO_ANNOTATIONS = f"no Train_Set with .txt files that begin with {HEADER!r}"
_DEPTH = 3

Labels = dict[str, NDArray[np.float64]]


def annotation_folder(root: Path) -> Path | None:
    """The folder that holds Train_Set and Validation_Set of this task."""
    level = [root]
    for _ in range(_DEPTH):
        for folder in level:
            if any(
                _begins_right(folder / name)
                for names in FOLDERS.values()
                for name in names
            ):
                return folder
        level = [
            entry
            for folder in level
            for entry in sorted(folder.iterdir())
            if entry.is_dir() and not entry.name.startswith("cropped")
        ]
    return None


def _begins_right(folder: Path) -> bool:
    # The folders of the expression and action-unit tasks have these names
    # too; the first line of a file tells which task it is.
    if not folder.is_dir():
        return False
    for path in sorted(folder.glob("*.txt"))[:1]:
        with path.open("rb") as file:
            head = file.read(64).decode("ascii", "replace")
        return head.replace(" ", "").lower().startswith(HEADER)
    return False


def wanted_labels(
    root: Path, fold: int, folds: Folds | None
) -> dict[str, Labels]:
    """Split to video to its labels (frames, 2), in the order of the names."""
    folder = annotation_folder(root)
    if folder is None:
        raise ValueError(f"{root}: {NO_ANNOTATIONS}.")
    found: dict[str, Labels] = {}
    for split, names in FOLDERS.items():
        present = [name for name in names if (folder / name).is_dir()]
        if len(present) > 1:
            raise ValueError(
                f"{folder}: expected one folder of annotations for {split!r}. "
                f"Received: {' and '.join(present)}. Move all files into one "
                "of them and remove the other."
            )
        for name in present:
            relative = (folder / name).relative_to(root)
            paths = files_in(root, str(relative), ".txt")
            if not paths:
                raise ValueError(f"{root}: no annotation files for {split!r}.")
            found[split] = {p.stem: read_annotations(p) for p in paths}
    everything = {k: y for own in found.values() for k, y in own.items()}
    if len(everything) < sum(map(len, found.values())):
        twice = set(found["train"]) & set(found["valid"])
        raise ValueError(
            f"{root}: the splits share samples: {sorted(twice)[:5]} "
            "have annotations in Train_Set and in Validation_Set."
        )
    if folds is None:
        chosen = folds_of({k: list(own) for k, own in found.items()}, fold)
        return {k: {v: everything[v] for v in own} for k, own in chosen.items()}
    owner = owners(root, folds, "video")
    unknown = sorted(set(owner) - set(everything))
    if unknown or not owner or fold != 0:
        raise ValueError(
            f"{root}: `folds` must name videos with annotations, and "
            f"excludes `fold`. Received: {len(owner)} videos, without "
            f"annotations: {unknown[:5]}, fold={fold}"
        )
    return {
        split: {str(name): everything[str(name)] for name in names}
        for split, names in folds.items()
        if names
    }


def read_annotations(path: Path) -> NDArray[np.float64]:
    """Valence and arousal of all frames in one file, -5 where not annotated.

    Args:
        path: the file.

    Returns:
        Shape (frames, 2).
    """
    require_kind(path, "text", f"annotations, text that begins {HEADER!r}")
    lines = path.read_text("ascii", "replace").splitlines()
    if lines[0].replace(" ", "").lower() != HEADER:
        raise ValueError(
            f"{path}: expected the first line {HEADER!r}. "
            f"Received: {lines[0][:60]!r}."
        )
    if len(lines) == 1:
        raise ValueError(
            f"{path}: expected a line for every frame. Received: the header "
            "alone."
        )
    values = np.zeros((len(lines) - 1, 2))
    for number, line in enumerate(lines[1:]):
        parts = line.split(",")
        try:
            values[number] = [float(part) for part in parts]
        except ValueError:
            values[number] = np.nan
        allowed = (np.abs(values[number]) <= 1) | (
            values[number] == NOT_ANNOTATED
        )
        if len(parts) != 2 or not allowed.all():
            raise ValueError(
                f"{path}: line {number + 2}: expected valence and arousal "
                f"from -1 to 1, or -5. Received: {line[:60]!r}."
            )
    return values
