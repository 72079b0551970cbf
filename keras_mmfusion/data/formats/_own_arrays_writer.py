"""Writing a user's own arrays; the layout is in `own_arrays.py`."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from keras_mmfusion.data.dataset import MultimodalDataset, Split
from keras_mmfusion.data.formats._csv_table import GROUP
from keras_mmfusion.data.formats._files import written

Arrays = dict[str, NDArray[Any]]

_RESERVED = ("labels", "split", "ids", "task", "class_names")
# Names of the own parameters of `numpy.savez_compressed`.
_PARAMETERS = ("file", "allow_pickle")


def write(dataset: MultimodalDataset, path: str | Path) -> None:
    """Write a data set as one .npz of this layout.

    Splits without samples are left out.

    Raises:
        ValueError: if a modality has the name of another array of the layout
            or items of several axes, if a group is neither texts nor whole
            numbers, or if there are no samples.
        FileExistsError: if something is at `path` already.
    """
    _check_modalities(dataset)
    splits = {name: s for name, s in dataset.splits.items() if len(s)}
    if not splits:
        raise ValueError(
            "arrays files hold one sample or more. Received: a data set "
            f"whose splits {', '.join(dataset.splits)} are empty."
        )
    # A modality that no sample has is one step of zeros.
    longest = {
        m: max(
            int(s.features[m].lengths().max(initial=1)) for s in splits.values()
        )
        for m in dataset.modalities
    }
    arrays: Arrays = {
        "labels": np.concatenate([s.labels for s in splits.values()]),
        "split": np.repeat(list(splits), [len(s) for s in splits.values()]),
        "task": np.array(dataset.task),
    }
    # The numbers that stand for absent ids are the same in every split.
    if all(s.has_ids for s in splits.values()):
        arrays["ids"] = np.concatenate([s.ids for s in splits.values()])
    groups = _joined_groups([*splits.values()])
    check_groups(Path(path), groups, len(arrays["labels"]))
    arrays |= {GROUP + name: values for name, values in groups.items()}
    if dataset.class_names is not None:
        arrays["class_names"] = np.array(dataset.class_names, dtype=str)
    inputs = [s.arrays()[0] for s in splits.values()]
    for m, steps in longest.items():
        parts = [_to_length(x[m], steps) for x in inputs]
        arrays[m] = np.concatenate(parts)
    with written(path) as unfinished, unfinished.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **arrays)


def _check_modalities(dataset: MultimodalDataset) -> None:
    kept = (*_RESERVED, *_PARAMETERS)
    taken = [m for m in dataset.modalities if m in kept or m.startswith(GROUP)]
    if taken:
        raise ValueError(
            f"arrays files keep {', '.join(kept)} and {GROUP}<name> next "
            "to the modalities, which need other names. Received: a modality "
            f"named {', '.join(taken)}. Rename it."
        )
    # An array of three axes or more is read as sequences.
    wide = {
        m: shape
        for m, shape in dataset.shapes.items()
        if None not in shape and len(shape) != 1
    }
    if wide:
        raise ValueError(
            "arrays files hold a modality as sequences or as one vector per "
            f"sample. Received: items of the shapes {wide}, without a time "
            "axis. Flatten them to vectors, or make one axis the time."
        )


def _joined_groups(splits: Sequence[Split]) -> Arrays:
    """The groups that every split has, over all samples."""
    first, *others = splits
    groups: Arrays = {}
    for name in first.groups:
        if all(name in s.groups for s in others):
            values = np.concatenate([s.groups[name] for s in splits])
            if values.dtype.kind == "O" and all(
                isinstance(value, str) for value in values.flat
            ):
                values = values.astype(str)
            groups[name] = values
    return groups


def _to_length(x: NDArray[Any], steps: int) -> NDArray[Any]:
    if x.ndim == 2:
        return x
    missing = [(0, 0), (0, max(0, steps - x.shape[1]))]
    return np.pad(x, missing + [(0, 0)] * (x.ndim - 2))


def check_groups(path: Path, groups: Arrays, samples: int) -> None:
    """Raise unless groups are what such a file may hold."""
    wrong = {
        GROUP + name: f"{values.dtype} {values.shape}"
        for name, values in groups.items()
        if values.shape != (samples,) or values.dtype.kind not in "iuSU"
    }
    if wrong:
        raise ValueError(
            f"{path}: expected groups as texts or whole numbers of shape "
            f"({samples},). Received: {wrong}"
        )
