"""Batches of a split for `fit`, `evaluate` and `predict`."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
from numpy.typing import NDArray

from keras_mmfusion.data.columns import Column
from keras_mmfusion.data.padding import (
    Floats,
    Ints,
    check_on_grid,
    label_steps,
    stacked,
)

if TYPE_CHECKING:
    from keras_mmfusion.data.split import Split

Inputs = dict[str, Floats]
Transform = Callable[[Inputs, np.random.Generator], Inputs]
Batch = tuple[Inputs, NDArray[np.generic]]

# Seeds of different purposes must differ: NumPy treats the seeds [a, b] and
# [a, b, 0] alike.
_SHUFFLE, _TRANSFORM = 1, 2
_BUCKETS = 8


class Batches(keras.utils.PyDataset):  # type: ignore[misc, unused-ignore]
    """Batches of a split, each padded to one of a few lengths.

    The lengths of a modality are the multiples of a step, its longest sample
    divided by `buckets` and rounded up. All modalities of a batch use the
    same multiple, so there are at most `buckets` different shapes however
    many modalities there are: JAX compiles once for each.

    Without `shuffle` the samples keep their order. With `shuffle` every
    epoch draws a new one: samples in random order are sorted by their
    bucket, cut into batches, and the batches put in random order. The
    smaller batch, where the count does not divide, is one from the middle,
    never always that of the longest samples.

    If there is a label at every step, (N, T, K), all sequences and the labels
    are padded alike, the longest to T.

    TensorFlow takes a length for fixed if the first two batches share it, so
    these differ, or all batches have one length.

    Args:
        split: the samples.
        batch_size: samples in a batch; one batch may be smaller.
        shuffle: whether every epoch has another order.
        seed: makes orders and transforms reproducible. `fit` shuffles the
            order of batches once more unless it is given `shuffle=False`.
        buckets: how many padded lengths there may be; 1 pads every batch to
            the longest sample. Default: 8, or 1 with a label at every step.
        max_length: sequences are cut to this many steps.
        transform: function of the inputs and a `numpy.random.Generator` that
            returns changed inputs, for example `ModalityDropout(0.3)`.
        workers: threads that load the samples of a batch. More than one pays
            if reading waits for a disk. (The `workers` of
            `keras.utils.PyDataset` stay at 1: with more, Keras 3.15 on JAX
            and PyTorch hands batches of one epoch to the next, and counts
            some twice.)

    Raises:
        ValueError: if a number is not positive.
    """

    def __init__(
        self,
        split: "Split",
        batch_size: int,
        shuffle: bool = False,
        seed: int = 0,
        buckets: int | None = None,
        max_length: int | None = None,
        transform: Transform | None = None,
        workers: int = 1,
    ) -> None:
        super().__init__()
        self.split = split
        self.batch_size = _positive("batch_size", batch_size)
        self.shuffle = shuffle
        self.seed = seed
        if buckets is None:
            buckets = 1 if split.per_step else _BUCKETS
        self.buckets = _positive("buckets", buckets)
        self.transform = transform
        self.threads = _positive("workers", workers)
        self.epoch = 0
        self._longest: dict[str, int] = {}
        self._step: dict[str, int] = {}
        self._level = self._sample_levels(max_length)
        self._plan: tuple[int, list[Ints], Ints] | None = None

    def __len__(self) -> int:
        return -(-len(self.split) // self.batch_size)

    def __getitem__(self, index: int) -> Batch:
        return self.batch(self.epoch, index)

    def on_epoch_end(self) -> None:
        """Move on to the next order; Keras calls this after every epoch."""
        self.epoch += 1

    def indices(self, epoch: int) -> list[Ints]:
        """Positions in the split of the samples of every batch.

        Args:
            epoch: number of the epoch; without `shuffle` all are alike.

        Returns:
            One array of positions per batch.
        """
        return self._planned(epoch)[0]

    def batch(self, epoch: int, index: int) -> Batch:
        """One batch of any epoch.

        Args:
            epoch: number of the epoch.
            index: position of the batch in that epoch.

        Returns:
            The inputs, modality to float32 array (B, T, ...) or (B, ...),
            and the labels (B,), (B, K) or (B, T, K), float32 if they are
            fractions.
        """
        if not 0 <= index < len(self):
            raise IndexError(f"Batch {index} of {len(self)} batches.")
        samples, levels = self._planned(epoch)
        rows = samples[index]
        lengths = self._lengths_at(int(levels[index]))
        inputs = {
            name: self._stacked(column, rows, lengths.get(name))
            for name, column in self.split.features.items()
        }
        if self.transform is not None:
            seeds = [_TRANSFORM, self.seed, epoch, index]
            inputs = self.transform(inputs, np.random.default_rng(seeds))
        labels = self.split.labels[rows]
        if self.split.per_step:
            labels = labels[:, : next(iter(lengths.values()))]
        if labels.dtype.kind == "f":
            labels = labels.astype(np.float32)
        return inputs, labels

    def _stacked(
        self, column: Column, rows: Ints, length: int | None
    ) -> Floats:
        if self.threads == 1:
            items = [column[int(row)] for row in rows]
        else:
            with ThreadPoolExecutor(self.threads) as pool:
                items = list(pool.map(column.__getitem__, rows.tolist()))
        return stacked(items, column.item_shape, length)

    def _sample_levels(self, max_length: int | None) -> Ints:
        """Bucket of every sample, from 1: the largest over modalities."""
        levels = np.ones(len(self.split), np.int64)
        labels, grid = self.split.labels, None
        if self.split.per_step:
            grid = labels.shape[1]
        if max_length is not None:
            _positive("max_length", max_length)
        for name, column in self.split.features.items():
            if not column.is_sequence:
                continue
            lengths = column.lengths()
            longest = int(lengths.max(initial=0))
            if grid is not None:
                check_on_grid(name, lengths, grid)
                # Every annotated step is in the batch.
                lengths = np.maximum(lengths, label_steps(labels))
                longest = grid
            if max_length is not None:
                lengths = np.minimum(lengths, max_length)
                longest = min(longest, max_length)
            # At least one step, so that no layer meets an empty axis.
            longest = max(longest, 1)
            self._longest[name] = longest
            self._step[name] = -(-longest // self.buckets)
            levels = np.maximum(levels, -(-lengths // self._step[name]))
        if grid is not None and not self._step:
            raise ValueError(
                "A label at every step needs a modality with steps. "
                f"Received: {self.split.modalities}, all of them vectors."
            )
        return levels

    def _lengths_at(self, level: int) -> dict[str, int]:
        """Padded length of every sequence modality in a bucket."""
        return {
            name: min(level * step, self._longest[name])
            for name, step in self._step.items()
        }

    def _planned(self, epoch: int) -> tuple[list[Ints], Ints]:
        """Samples and bucket of every batch of an epoch."""
        if not self.shuffle:
            epoch = 0
        # Read once: another thread may be at another epoch.
        plan = self._plan
        if plan is None or plan[0] != epoch:
            made = self._shuffled(epoch) if self.shuffle else self._ordered()
            plan = self._plan = (epoch, *made)
        return plan[1], plan[2]

    def _ordered(self) -> tuple[list[Ints], Ints]:
        everything = np.arange(len(self.split))
        starts = range(0, len(everything), self.batch_size)
        samples = [everything[i : i + self.batch_size] for i in starts]
        levels = self._batch_levels(samples)
        if len(samples) < 2 or self._tell_apart(levels[:2], levels):
            return samples, levels
        # The order must stay, but a batch may be padded to more steps.
        for position in (0, 1):
            raised = levels.copy()
            raised[position] = levels.max()
            if self._tell_apart(raised[:2], levels):
                return samples, raised
        return samples, np.full_like(levels, levels.max())

    def _shuffled(self, epoch: int) -> tuple[list[Ints], Ints]:
        random = np.random.default_rng([_SHUFFLE, self.seed, epoch])
        order = random.permutation(len(self.split))
        order = order[np.argsort(self._level[order], kind="stable")]
        sizes = np.full(len(self), self.batch_size)
        if len(sizes):
            # Always the same place: the buckets of the batches must be the
            # same in every epoch for the rule on the first two to hold.
            sizes[len(sizes) // 2] -= int(sizes.sum()) - len(order)
        samples = np.split(order, np.cumsum(sizes)[:-1])
        levels = self._batch_levels(samples)
        places = random.permutation(len(samples))
        if len(places) > 1 and not self._tell_apart(levels[places[:2]], levels):
            # The shortest and the longest batch differ wherever any two do.
            # Both were sorted to the ends.
            ends = [0, len(samples) - 1]
            places = np.array([*ends, *(p for p in places if p not in ends)])
        return [samples[place] for place in places], levels[places]

    def _batch_levels(self, samples: list[Ints]) -> Ints:
        return np.array(
            [self._level[rows].max(initial=1) for rows in samples], np.int64
        )

    def _tell_apart(self, first_two: Ints, levels: Ints) -> bool:
        """Whether two batches differ in every length that varies at all."""
        first, second = (self._lengths_at(int(level)) for level in first_two)
        shortest = self._lengths_at(int(levels.min()))
        longest = self._lengths_at(int(levels.max()))
        return all(
            first[name] != second[name]
            for name in first
            if shortest[name] != longest[name]
        )


def _positive(name: str, value: Any) -> int:
    if isinstance(value, bool) or int(value) != value or value < 1:
        raise ValueError(
            f"`{name}` must be a positive whole number. Received: {value!r}"
        )
    return int(value)
