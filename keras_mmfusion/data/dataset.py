"""Splits and data sets of multimodal samples."""

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from keras_mmfusion.data.columns import (
    Column,
    Floats,
    Ints,
    Selected,
    as_column,
)

Task = Literal["classification", "regression", "binary heads"]
TASKS: tuple[Task, ...] = ("classification", "regression", "binary heads")


class Split:
    """Samples of one split: a column per modality, labels, ids, groups.

    Args:
        features: modality name to `Column`, or to an array: (N, T, D) is
            read as zero-padded sequences, (N, D) as vectors.
        labels: shape (N,) or (N, K).
        ids: one unique name per sample. Default: "0", "1", ...
        groups: what samples may share, name to values of shape (N,), for
            example `{"speaker": speakers}`. `MultimodalDataset.check_leaks`
            compares them across splits.

    Raises:
        ValueError: if the counts differ, labels are not finite numbers, or
            an id comes twice.

    Example:

    ```python
    import numpy as np
    from keras_mmfusion.data import Split

    split = Split(
        {"audio": np.ones((3, 5, 40)), "image": np.ones((3, 4))},
        labels=np.array([0, 1, 0]),
        groups={"speaker": np.array(["ann", "bob", "ann"])},
    )
    inputs, labels = split.arrays()
    assert inputs["audio"].shape == (3, 5, 40)
    ```
    """

    def __init__(
        self,
        features: Mapping[str, Column | ArrayLike],
        labels: ArrayLike,
        ids: Sequence[str] | None = None,
        groups: Mapping[str, ArrayLike] | None = None,
    ) -> None:
        if not features:
            raise ValueError("`features` must name at least one modality.")
        self.features: dict[str, Column] = {
            name: as_column(values) for name, values in features.items()
        }
        self.labels = _checked_labels(labels)
        count = len(self.labels)
        self.has_ids = ids is not None
        self.ids: list[str] = (
            [str(index) for index in range(count)]
            if ids is None
            else [str(name) for name in ids]
        )
        self.groups: dict[str, NDArray[np.generic]] = {
            name: np.asarray(values) for name, values in (groups or {}).items()
        }
        self._check_counts(count)
        _check_unique(self.ids)

    def _check_counts(self, count: int) -> None:
        counts = {"ids": len(self.ids)}
        counts |= {f"feature {k!r}": len(v) for k, v in self.features.items()}
        counts |= {f"group {k!r}": len(v) for k, v in self.groups.items()}
        wrong = {name: n for name, n in counts.items() if n != count}
        if wrong:
            raise ValueError(
                "Features, ids and groups must have as many samples as there "
                f"are labels, {count}. Received: "
                + ", ".join(f"{name} with {n}" for name, n in wrong.items())
            )

    @property
    def modalities(self) -> list[str]:
        """Names of the modalities, in the order they were given."""
        return list(self.features)

    def __len__(self) -> int:
        return len(self.labels)

    def lengths(self) -> dict[str, Ints]:
        """Valid steps per modality and sample; 0 where it is missing."""
        return {k: column.lengths() for k, column in self.features.items()}

    def subset(self, indices: Sequence[int] | Ints) -> "Split":
        """Split of the given samples, in the given order.

        Args:
            indices: positions of the samples to keep, each at most once.

        Returns:
            The smaller split; it shares the columns' memory.
        """
        chosen = np.asarray(indices, np.int64)
        return Split(
            {
                k: Selected(column, chosen)
                for k, column in self.features.items()
            },
            self.labels[chosen],
            ids=[self.ids[index] for index in chosen],
            groups={k: values[chosen] for k, values in self.groups.items()},
        )

    def arrays(
        self, max_length: int | None = None
    ) -> tuple[dict[str, Floats], NDArray[np.generic]]:
        """All samples as right-zero-padded arrays.

        Args:
            max_length: sequences are cut to this many steps. Default: every
                modality is as long as its longest sample.

        Returns:
            The inputs, modality to float32 array of shape (N, T, ...) or
            (N, ...), and the labels.
        """
        everything = np.arange(len(self))
        inputs = {
            name: stack(column, everything, max_length=max_length)
            for name, column in self.features.items()
        }
        return inputs, self.labels


class MultimodalDataset:
    """Train, valid and test splits of one data set.

    Args:
        train: training split, or None.
        valid: validation split, or None.
        test: test split, or None.
        name: short name for reports.
        task: `"classification"` (integer labels (N,)), `"regression"`
            (labels (N,) or (N, K)) or `"binary heads"` (labels (N, K) of 0
            and 1).
        class_names: names of the classes, or of the columns of (N, K)
            labels.
        origin: where the data comes from.
        licence: terms under which the data may be used.

    Raises:
        ValueError: if there is no split, the splits differ in modalities or
            widths, or the labels do not fit the task.
    """

    def __init__(
        self,
        train: Split | None,
        valid: Split | None,
        test: Split | None,
        name: str,
        task: Task,
        class_names: Sequence[str] | None = None,
        origin: str = "",
        licence: str = "",
    ) -> None:
        self.train = train
        self.valid = valid
        self.test = test
        self.name = name
        self.task = task
        self.class_names = None if class_names is None else list(class_names)
        self.origin = origin
        self.licence = licence

    @property
    def splits(self) -> dict[str, Split]:
        """The splits that exist, by name."""
        named = {"train": self.train, "valid": self.valid, "test": self.test}
        return {k: split for k, split in named.items() if split is not None}

    @property
    def modalities(self) -> list[str]:
        """Names of the modalities."""
        return next(iter(self.splits.values())).modalities

    @property
    def shapes(self) -> dict[str, tuple[int | None, ...]]:
        """Per-sample shape of every modality, `(None, 40)` for sequences."""
        split = next(iter(self.splits.values()))
        return {k: column.item_shape for k, column in split.features.items()}


def stack(
    column: Column,
    indices: Ints,
    length: int | None = None,
    max_length: int | None = None,
) -> Floats:
    """Items of a column in one array, zero-padded on the right.

    Args:
        column: the column.
        indices: samples to take, shape (B,).
        length: padded length of sequences. Default: the longest item.
        max_length: longer sequences are cut to this many steps.

    Returns:
        float32 array of shape (B, T, ...) or (B, ...).
    """
    items = [column[int(index)] for index in indices]
    if not column.is_sequence:
        shape = tuple(int(size or 0) for size in column.item_shape)
        return np.stack(items) if items else np.zeros((0, *shape), np.float32)
    if max_length is not None:
        items = [item[:max_length] for item in items]
    if length is None:
        length = max((len(item) for item in items), default=0)
    shape = tuple(int(size or 0) for size in column.item_shape[1:])
    padded = np.zeros((len(items), length, *shape), np.float32)
    for row, item in zip(padded, items, strict=True):
        kept = item[:length]
        row[: len(kept)] = kept
    return padded


def _checked_labels(labels: ArrayLike) -> NDArray[np.generic]:
    array = np.asarray(labels)
    if array.dtype.kind not in "fiub" or array.ndim not in (1, 2):
        raise ValueError(
            "`labels` must be numbers of shape (N,) or (N, K). "
            f"Received: dtype {array.dtype}, shape {array.shape}"
        )
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        bad = ~np.isfinite(array.reshape(len(array), -1)).all(axis=1)
        raise ValueError(
            "`labels` must be finite. Received: NaN or inf in "
            f"{np.count_nonzero(bad)} samples, first {np.argmax(bad)}. "
            "Drop these samples."
        )
    return array


def _check_unique(ids: list[str]) -> None:
    if len(set(ids)) == len(ids):
        return
    seen: set[str] = set()
    repeated = []
    for name in ids:
        if name in seen:
            repeated.append(name)
        seen.add(name)
    raise ValueError(
        f"`ids` must be unique. Received: {len(repeated)} repeated ids, "
        f"first {repeated[0]!r}"
    )
