"""From checked columns to a `MultimodalDataset`, with errors naming files."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from keras_mmfusion.data.columns import Column, Selected
from keras_mmfusion.data.dataset import MultimodalDataset, Split, Task
from keras_mmfusion.data.padding import Ints

SPLITS = ("train", "valid", "test")
Folds = Mapping[str, Sequence[str]]


def make_split(
    source: object,
    name: str,
    features: Mapping[str, Column],
    labels: ArrayLike,
    ids: Sequence[str] | None,
    groups: Mapping[str, ArrayLike] | None = None,
) -> Split:
    """A split; what is wrong with it is said together with the file."""
    try:
        return Split(features, labels, ids=ids, groups=groups)
    except ValueError as error:
        raise ValueError(f"{source}: split {name!r}: {error}") from None


def make_dataset(
    source: Path,
    layout: str,
    splits: Mapping[str, Split],
    task: Task,
    class_names: Sequence[str] | None = None,
) -> MultimodalDataset:
    """A data set of the given splits, if they fit together."""
    _check_alike(source, splits)
    try:
        return MultimodalDataset(
            splits.get("train"),
            splits.get("valid"),
            splits.get("test"),
            name=source.stem,
            task=task,
            class_names=class_names,
            origin=f"{source} ({layout})",
        )
    except ValueError as error:
        raise ValueError(f"{source}: {error}") from None


def _check_alike(source: Path, splits: Mapping[str, Split]) -> None:
    shapes = {
        split: {k: c.item_shape for k, c in data.features.items()}
        | {"labels": data.labels.shape[2 if data.per_step else 1 :]}
        for split, data in splits.items()
    }
    first = next(iter(shapes))
    for split, found in shapes.items():
        if found != shapes[first]:
            raise ValueError(
                f"{source}: the splits must have the same modalities and "
                f"widths. Received: {shapes[first]} in {first!r} and {found} "
                f"in {split!r}. Files of different releases were mixed."
            )


def split_by_group(
    source: Path,
    features: Mapping[str, Column],
    labels: NDArray[Any],
    ids: Sequence[str],
    groups: Mapping[str, ArrayLike],
    by: str,
    folds: Folds,
) -> dict[str, Split]:
    """Splits made of whole groups (speakers, videos, subjects).

    Args:
        source: the file or folder.
        features: columns of all samples.
        labels: labels of all samples.
        ids: names of all samples.
        groups: per sample, as in `Split`.
        by: the group that decides.
        folds: split name to the groups in it, for example
            `{"train": ["1", "3"], "test": ["2"]}`. Samples in no fold are
            left out.

    Returns:
        The splits that have samples.
    """
    values = np.asarray([str(value) for value in np.asarray(groups[by])])
    owner = owners(source, folds, by)
    unknown = set(owner) - set(values.tolist())
    if len(unknown) == len(owner):
        raise ValueError(
            f"{source}: none of the folds' names is a {by} of this data. "
            f"Expected names like {values[0]!r}. Received: "
            f"{sorted(owner)[:3]}."
        )
    placed = np.asarray([owner.get(value, "") for value in values.tolist()])
    splits = {}
    for name in SPLITS:
        chosen = np.flatnonzero(placed == name)
        if len(chosen):
            splits[name] = _chosen(
                source, name, chosen, features, labels, ids, groups
            )
    return splits


def owners(source: object, folds: Folds, by: str) -> dict[str, str]:
    """Which split every group is in.

    Raises:
        ValueError: if a split has an unknown name, or a group is in two.
    """
    owner: dict[str, str] = {}
    for split, names in folds.items():
        if split not in SPLITS or isinstance(names, str):
            raise ValueError(
                "`folds` must map 'train', 'valid' and 'test' to lists of "
                f"{by} names. Received: {split!r}: {str(names)[:60]}"
            )
        for name in map(str, names):
            if owner.setdefault(name, split) != split:
                raise ValueError(
                    f"{source}: {by} {name!r} is in two folds, "
                    f"{owner[name]!r} and {split!r}."
                )
    return owner


def _chosen(
    source: Path,
    name: str,
    chosen: Ints,
    features: Mapping[str, Column],
    labels: NDArray[Any],
    ids: Sequence[str],
    groups: Mapping[str, ArrayLike],
) -> Split:
    return make_split(
        source,
        name,
        {key: Selected(column, chosen) for key, column in features.items()},
        labels[chosen],
        [ids[index] for index in chosen],
        {key: np.asarray(values)[chosen] for key, values in groups.items()},
    )
