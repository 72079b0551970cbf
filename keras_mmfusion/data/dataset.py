"""Data sets: the splits of one set of multimodal samples."""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from keras_mmfusion.data.checks import check_labels, warn_without_class_0
from keras_mmfusion.data.describe import describe, figure
from keras_mmfusion.data.leaks import Leak, find_leaks
from keras_mmfusion.data.padding import ItemShape
from keras_mmfusion.data.split import Split

__all__ = ["TASKS", "MultimodalDataset", "Split", "Task"]

Task = Literal["classification", "regression", "binary heads"]
TASKS: tuple[Task, ...] = ("classification", "regression", "binary heads")


class MultimodalDataset:
    """Train, valid and test splits of one data set.

    Args:
        train: training split, or None.
        valid: validation split, or None.
        test: test split, or None.
        name: short name for reports.
        task: `"classification"` (integer labels (N,)), `"regression"`
            (labels (N,), (N, K) or, at every step, (N, T, K)) or
            `"binary heads"` (labels (N, K) of 0 and 1).
        class_names: names of the classes, or of the columns of (N, K)
            labels.
        origin: where the data comes from.
        licence: terms under which the data may be used.

    Raises:
        ValueError: if there is no split, the splits differ in modalities or
            widths, or the labels do not fit the task.

    Example:

    ```python
    import numpy as np
    from keras_mmfusion.data import MultimodalDataset, Split

    inputs = {"audio": np.ones((4, 9, 40)), "image": np.ones((4, 5))}
    train = Split(inputs, labels=[0, 1, 1, 0])
    toy = MultimodalDataset(train, None, None, "toy", "classification")
    assert "samples" in toy.describe()
    ```
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
        self._check()

    def _check(self) -> None:
        if self.task not in TASKS:
            raise ValueError(
                f"`task` must be one of {TASKS}. Received: task={self.task!r}"
            )
        if not self.splits:
            raise ValueError("At least one split must be given.")
        names = self.class_names or []
        if len(set(names)) < len(names):
            raise ValueError(f"Class names must differ. Received: {names}")
        if any(0 in shape for shape in self.shapes.values()):
            raise ValueError(
                "Every modality must have a feature at least. Received: "
                f"{self.shapes}"
            )
        for name, split in self.splits.items():
            shapes = {k: v.item_shape for k, v in split.features.items()}
            if shapes != self.shapes:
                raise ValueError(
                    "All splits must have the same modalities and widths, "
                    f"{self.shapes}. Received: {shapes} in {name!r}"
                )
            if len(split):
                self._check_labels(name, split.labels)
        self._check_first_class()
        if len({split.per_step for split in self.splits.values()}) > 1:
            raise ValueError(
                "All splits must have a label per sample, or all at every "
                "step. Received: labels of shapes "
                f"{[split.labels.shape for split in self.splits.values()]}"
            )

    def _check_labels(self, name: str, labels: NDArray[np.generic]) -> None:
        try:
            if labels.ndim == 3:
                self._check_step_labels(labels)
            elif self.task == "classification":
                count = int(max(labels.max(), 0)) + 1
                if self.class_names is not None:
                    count = len(self.class_names)
                check_labels(labels, num_classes=count)
            elif self.task == "binary heads":
                check_labels(labels.reshape(-1), num_classes=2)
            elif self.class_names is not None:
                check_labels(labels, num_outputs=len(self.class_names))
        except ValueError as error:
            raise ValueError(f"In split {name!r}: {error}") from error

    def _check_first_class(self) -> None:
        found = [s.labels.min() for s in self.splits.values() if len(s)]
        named = self.class_names is not None
        if found and self.task == "classification" and not named:
            warn_without_class_0(repr(self.name), min(found))

    def _check_step_labels(self, labels: NDArray[np.generic]) -> None:
        if self.task != "regression":
            raise ValueError(
                "Labels at every step, (N, T, K), are for the task "
                f"'regression'. Received: task={self.task!r}"
            )
        names = self.class_names
        check_labels(
            labels.reshape(-1, labels.shape[2]),
            num_outputs=None if names is None else len(names),
        )

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
    def shapes(self) -> dict[str, ItemShape]:
        """Per-sample shape of every modality, `(None, 40)` for sequences."""
        split = next(iter(self.splits.values()))
        return {k: column.item_shape for k, column in split.features.items()}

    def describe(self) -> str:
        """Counts, lengths, missing rates and label histogram as text.

        Returns:
            Lines with one column per split. Lengths are those of the samples
            that have the modality.
        """
        return describe(self)

    def figure(self) -> Any:
        """Label histogram and distribution of lengths.

        Returns:
            A `matplotlib.figure.Figure`; save it with `.savefig(path)`.

        Raises:
            ImportError: if matplotlib is not installed.
        """
        return figure(self)

    def check_leaks(self) -> list[Leak]:
        """Ids, speakers, videos or other groups that splits share.

        Returns:
            One `Leak` for each kind and each two splits that share it, with
            names and counts; an empty list if nothing is shared. Ids are
            compared only where they were given.

        Example:

        ```python
        from keras_mmfusion.data import load

        kinds = {leak.kind for leak in load("av_digits").check_leaks()}
        assert kinds == {"speaker"}  # the same six people in all splits
        ```
        """
        return find_leaks(self.splits)
