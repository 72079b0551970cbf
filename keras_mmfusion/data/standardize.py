"""Standardisation that leaves padding and missing data alone."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from keras_mmfusion.data.columns import Column
from keras_mmfusion.data.padding import Floats, Ints, ItemShape

if TYPE_CHECKING:
    from keras_mmfusion.data.split import Split

# In the place of a real row that would become all zeros, and so padding.
_NOT_PADDING = 1e-6


class Standardizer:
    """Mean 0 and deviation 1 per feature, by the training split.

        y = (x - mean) / deviation        for rows that are not all zeros

    A row is one time step of a sequence, or a whole vector. All-zero rows
    (padding, missing frames, missing modalities) count for nothing and stay
    zero. A real row that equals the mean gets 1e-6 in its first feature, so
    that it does not become padding. A feature that never changes is only
    centred.

    Args:
        train: the split that gives means and deviations.
        modalities: names of the modalities to standardise. Default: all.

    Example:

    ```python
    import numpy as np
    from keras_mmfusion.data import Split, Standardizer

    audio = np.array([[[1.0], [3.0], [0.0]]])  # two steps and padding
    split = Split({"audio": audio}, labels=[0])
    scaled = Standardizer(split).transform(split)
    assert scaled.features["audio"][0].tolist() == [[-1.0], [1.0]]
    ```
    """

    def __init__(
        self, train: "Split", modalities: Sequence[str] | None = None
    ) -> None:
        names = train.modalities if modalities is None else list(modalities)
        unknown = [name for name in names if name not in train.features]
        if unknown:
            raise ValueError(
                f"`modalities` must be among {train.modalities}. "
                f"Received: {unknown}"
            )
        self.mean: dict[str, NDArray[np.float64]] = {}
        self.deviation: dict[str, NDArray[np.float64]] = {}
        for name in names:
            mean, deviation = _moments(name, train.features[name])
            self.mean[name] = mean
            self.deviation[name] = deviation

    def transform(self, split: "Split") -> "Split":
        """Split whose features are standardised when they are read.

        Args:
            split: any split with these modalities.

        Returns:
            The standardised split; labels, ids and groups stay.
        """
        from keras_mmfusion.data.split import Split

        features: dict[str, Column] = {
            name: _Standardized(column, self.mean[name], self.deviation[name])
            if name in self.mean
            else column
            for name, column in split.features.items()
        }
        scaled = Split(features, split.labels, split.ids, split.groups)
        scaled.has_ids = split.has_ids
        return scaled

    def __call__(self, inputs: Mapping[str, Floats]) -> dict[str, Floats]:
        """Standardise zero-padded arrays.

        Args:
            inputs: modality to array of shape (B, T, ...) or (B, ...).

        Returns:
            Modality to float32 array of the same shape.
        """
        return {
            name: _standardized(values, self.mean[name], self.deviation[name])
            if name in self.mean
            else values
            for name, values in inputs.items()
        }


class _Standardized:
    """A column that is standardised when it is read."""

    def __init__(
        self,
        column: Column,
        mean: NDArray[np.float64],
        deviation: NDArray[np.float64],
    ) -> None:
        self._column = column
        self._mean = mean
        self._deviation = deviation

    @property
    def is_sequence(self) -> bool:
        return self._column.is_sequence

    @property
    def item_shape(self) -> ItemShape:
        return self._column.item_shape

    def __len__(self) -> int:
        return len(self._column)

    def __getitem__(self, index: int, /) -> Floats:
        return _standardized(self._column[index], self._mean, self._deviation)

    def lengths(self) -> Ints:
        return self._column.lengths()


def _standardized(
    values: NDArray[np.floating],
    mean: NDArray[np.float64],
    deviation: NDArray[np.float64],
) -> Floats:
    """Standardised rows of shape `mean.shape`; all-zero rows stay."""
    flat = np.asarray(values, np.float64).reshape(-1, mean.size)
    real = (flat != 0).any(axis=1)
    scaled = (flat - mean.ravel()) / deviation.ravel()
    result = np.where(real[:, None], scaled, 0.0).astype(np.float32)
    vanished = real & ~result.any(axis=1)
    result[vanished, :1] = _NOT_PADDING
    return result.reshape(values.shape)


def _moments(
    name: str,
    column: Column,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and deviation of the non-zero rows, in two passes."""
    shape = column.item_shape[1:] if column.is_sequence else column.item_shape
    fixed = tuple(size for size in shape if size is not None)
    size = int(np.prod(fixed))
    total, count = np.zeros(size), 0
    for index in range(len(column)):
        rows = _real_rows(column[index], size)
        if not np.isfinite(rows).all():
            raise ValueError(
                f"Expected finite numbers in modality {name!r}. Received: NaN "
                f"or infinite ones in sample {index} of the training split. "
                "Replace them, or drop the sample."
            )
        total += rows.sum(axis=0)
        count += len(rows)
    mean = total / max(count, 1)
    squares = np.zeros(size)
    for index in range(len(column)):
        rows = _real_rows(column[index], size)
        squares += ((rows - mean) ** 2).sum(axis=0)
    deviation = np.sqrt(squares / max(count, 1))
    # Rounding leaves a constant feature a deviation of about 1e-16 of it.
    constant = deviation <= 1e-12 * np.abs(mean)
    deviation[constant] = 1.0
    return mean.reshape(fixed), deviation.reshape(fixed)


def _real_rows(item: Floats, size: int) -> NDArray[np.float64]:
    rows = item.reshape(-1, size).astype(np.float64)
    return rows[rows.any(axis=1)]
