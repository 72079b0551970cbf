"""Splits whose samples are changed when they are read."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from keras_mmfusion.data.columns import Column
from keras_mmfusion.data.padding import Floats, Ints, ItemShape

if TYPE_CHECKING:
    from keras_mmfusion.data.split import Split

Change = tuple[Callable[[Floats], Floats], ItemShape]


def mapped(split: "Split", **changes: Change) -> "Split":
    """A split whose samples go through a function when they are read.

    Args:
        split: the samples.
        **changes: modality to the function of one sample, without padding,
            and the shape of what it returns: (None, ...) for a sequence of as
            many steps as before, or any other shape.

    Returns:
        The split; labels, ids and groups stay. A missing modality stays
        missing: the function does not see it.

    Raises:
        ValueError: if a modality is unknown, or when a sample is read whose
            function returns another shape.

    Example:

    ```python
    from keras_mmfusion import data

    train = data.load("av_digits").train
    loudness = data.mapped(
        train, audio=(lambda x: x.mean(1, keepdims=True), (None, 1))
    )
    assert loudness.features["audio"][0].shape[1] == 1
    ```
    """
    from keras_mmfusion.data.split import Split

    unknown = [name for name in changes if name not in split.features]
    if unknown:
        raise ValueError(
            f"Expected modalities among {list(split.features)}. "
            f"Received: {unknown}"
        )
    features: dict[str, Column] = {
        name: _Mapped(column, *changes[name]) if name in changes else column
        for name, column in split.features.items()
    }
    result = Split(features, split.labels, split.ids, split.groups)
    result.has_ids = split.has_ids
    return result


class _Mapped:
    """A column whose samples go through a function."""

    def __init__(
        self,
        column: Column,
        function: Callable[[Floats], Floats],
        item_shape: ItemShape,
    ) -> None:
        self._column = column
        self._function = function
        self._item_shape = tuple(item_shape)

    @property
    def is_sequence(self) -> bool:
        return bool(self._item_shape) and self._item_shape[0] is None

    @property
    def item_shape(self) -> ItemShape:
        return self._item_shape

    def __len__(self) -> int:
        return len(self._column)

    def __getitem__(self, index: int, /) -> Floats:
        item = self._column[index]
        steps = len(item) if self.is_sequence else None
        if not item.any():
            fixed = [n for n in self._item_shape if n is not None]
            lead = [] if steps is None else [steps]
            return np.zeros((*lead, *fixed), np.float32)
        changed = np.asarray(self._function(item), np.float32)
        expected = (steps, *self._item_shape[1:])
        if steps is None:
            expected = self._item_shape
        if changed.shape != expected:
            raise ValueError(
                f"The function of sample {index} must return the shape "
                f"{expected}. Received: {changed.shape}."
            )
        return changed

    def lengths(self) -> Ints:
        lengths = self._column.lengths()
        if self.is_sequence:
            return lengths
        return (lengths > 0).astype(np.int64)
