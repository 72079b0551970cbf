"""One split: a column per modality, labels, ids and groups."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from keras_mmfusion.data.columns import Column, Selected, as_column
from keras_mmfusion.data.padding import (
    Floats,
    Ints,
    check_on_grid,
    stacked,
)

if TYPE_CHECKING:
    from keras_mmfusion.data.batches import Batches, Transform


class Split:
    """Samples of one split: a column per modality, labels, ids, groups.

    Args:
        features: modality name to `Column`, or to an array: (N, T, D) is
            read as zero-padded sequences, (N, D) as vectors.
        labels: shape (N,) or (N, K); or (N, T, K), K real numbers at every
            step, -5 at steps without a label. All sequences then have the
            labels' rate and at most T steps. Batches, `fit`, descriptions,
            leak checks, corruptions and standardisation take such labels;
            the sealed runner and the file writers refuse them (score with
            `evaluation.report_videos`).
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
    def per_step(self) -> bool:
        """Whether there is a label at every step, (N, T, K)."""
        return self.labels.ndim == 3

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

        Raises:
            ValueError: if the positions are no whole numbers; those of a
                mask are `np.flatnonzero(mask)`.
        """
        chosen = np.asarray(indices)
        if chosen.size and chosen.dtype.kind not in "iu":
            raise ValueError(
                "`indices` are positions, whole numbers. Received: dtype "
                f"{chosen.dtype}. Of a mask, pass np.flatnonzero(mask)."
            )
        chosen = chosen.astype(np.int64)
        part = Split(
            {
                k: Selected(column, chosen)
                for k, column in self.features.items()
            },
            self.labels[chosen],
            ids=[self.ids[index] for index in chosen],
            groups={k: values[chosen] for k, values in self.groups.items()},
        )
        part.has_ids = self.has_ids
        return part

    def arrays(
        self, max_length: int | None = None
    ) -> tuple[dict[str, Floats], NDArray[np.generic]]:
        """All samples as right-zero-padded arrays.

        Args:
            max_length: sequences are cut to this many steps. Default: every
                modality is as long as its longest sample, or as the labels
                if there is one at every step; one that no sample has is one
                step of zeros.

        Returns:
            The inputs, modality to float32 array of shape (N, T, ...) or
            (N, ...), and the labels.
        """
        inputs = {}
        grid = self.labels[:, :max_length].shape[1] if self.per_step else None
        for name, column in self.features.items():
            items = [column[index] for index in range(len(self))]
            if column.is_sequence and self.per_step:
                check_on_grid(name, column.lengths(), self.labels.shape[1])
            if column.is_sequence and max_length is not None:
                items = [item[:max_length] for item in items]
            inputs[name] = stacked(items, column.item_shape, grid)
        return inputs, self.labels[:, :grid] if self.per_step else self.labels

    def batches(
        self,
        batch_size: int,
        shuffle: bool = False,
        seed: int = 0,
        buckets: int | None = None,
        max_length: int | None = None,
        transform: "Transform | None" = None,
        workers: int = 1,
    ) -> "Batches":
        """Batches for `fit`, `evaluate` and `predict` on every backend.

        Without `shuffle` samples keep their order, so that predictions
        belong to `labels`; give `shuffle=True` for training.

        Args:
            batch_size: samples in a batch; one batch may be smaller.
            shuffle: whether every epoch has another order.
            seed: makes orders and transforms reproducible. `fit` shuffles
                the order of the batches once more, with Python's own random
                numbers, unless it is given `shuffle=False`.
            buckets: how many padded lengths there may be; batches of short
                samples are padded less. 1 pads all to the longest sample,
                or to the labels if there is one at every step. Default: 8,
                or 1 with a label at every step, because `predict` joins the
                outputs of all batches.
            max_length: sequences are cut to this many steps.
            transform: function of the inputs and a `numpy.random.Generator`
                that returns changed inputs, such as `ModalityDropout(0.3)`.
            workers: threads that load the samples of a batch.

        Returns:
            A `keras.utils.PyDataset` of pairs of inputs and labels.

        Raises:
            ValueError: if a number is not positive.

        Example:

        ```python
        from keras_mmfusion.data import load

        batches = load("av_digits").train.batches(32, shuffle=True)
        inputs, labels = batches[0]
        assert inputs["audio"].shape[::2] == (32, 40)
        ```
        """
        from keras_mmfusion.data.batches import Batches

        return Batches(
            self,
            batch_size,
            shuffle,
            seed,
            buckets,
            max_length,
            transform,
            workers,
        )

    def to_tf_dataset(self, batch_size: int, **options: Any) -> Any:
        """The batches as a `tf.data.Dataset`; each pass is a new epoch.

        Args:
            batch_size: samples in a batch.
            **options: further arguments of `batches`.

        Returns:
            A dataset of pairs of inputs and labels.

        Raises:
            ImportError: if TensorFlow is not installed.
        """
        from keras_mmfusion.data.adapters import to_tf_dataset

        return to_tf_dataset(self, batch_size, **options)

    def to_torch(
        self, batch_size: int, num_workers: int = 0, **options: Any
    ) -> Any:
        """The batches as a PyTorch `DataLoader`; each pass is a new epoch.

        Args:
            batch_size: samples in a batch.
            num_workers: processes, started anew ("spawn"), that load
                batches; 0 loads in this one.
            **options: further arguments of `batches`.

        Returns:
            A loader of pairs of inputs (dict of tensors) and labels.

        Raises:
            ImportError: if PyTorch is not installed.
        """
        from keras_mmfusion.data.adapters import to_torch

        return to_torch(self, batch_size, num_workers, **options)


def _checked_labels(labels: ArrayLike) -> NDArray[np.generic]:
    array = np.asarray(labels)
    # JAX would read the bytes of another machine's order as they are.
    array = array.astype(array.dtype.newbyteorder("="), copy=False)
    if array.dtype.kind not in "fiub" or array.ndim not in (1, 2, 3):
        raise ValueError(
            "`labels` must be numbers of shape (N,), (N, K) or (N, T, K). "
            f"Received: dtype {array.dtype}, shape {array.shape}"
        )
    if array.ndim == 3 and array.dtype.kind != "f":
        raise ValueError(
            "`labels` of every step, (N, T, K), must be real numbers. "
            f"Received: dtype {array.dtype}"
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
