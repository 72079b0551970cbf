"""Noise that looks like the differences between groups of samples."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from keras_mmfusion.data.padding import Floats

if TYPE_CHECKING:
    from keras_mmfusion.data.split import Split


class GroupNoise:
    """Moves every sample as if another speaker had made it.

        x' = x + scale Σ_g n_g (m_g - m) / √G,    n_g ~ N(0, 1)

    with m_g the mean of group g and m the mean of these: noise with the
    covariance of the group means. A network that is trained with it leans
    less on what only tells its training speakers apart. All steps of a
    sequence move together; zero steps (padding, missing) stay zero. A
    transform for `Split.batches`, which training batches go through.

    Args:
        train: The split that gives the means.
        group: Name of its group, such as "speaker".
        scale: Modality to scale; 1 is as much as groups differ.

    Call arguments:
        inputs: Modality to array.
        random: Generator.

    Raises:
        ValueError: If the split has no such group or modality, or a single
            group.

    Example:

    ```python
    import numpy as np
    from keras_mmfusion.data import GroupNoise, Split

    x = np.array([[1.0, 5.0], [1.2, 5.0], [3.0, 5.0], [3.2, 5.0]])
    groups = {"speaker": np.array(["ann", "ann", "bob", "bob"])}
    split = Split({"face": x}, labels=[0, 1, 0, 1], groups=groups)
    noise = GroupNoise(split, "speaker", {"face": 1.0})
    moved = noise({"face": x}, np.random.default_rng(0))["face"]
    assert (moved[:, 1] == 5.0).all()  # speakers do not differ here
    ```
    """

    def __init__(
        self, train: "Split", group: str, scale: Mapping[str, float]
    ) -> None:
        unknown = [name for name in scale if name not in train.features]
        if group not in train.groups or unknown:
            raise ValueError(
                f"Expected a group among {list(train.groups)} and modalities "
                f"among {train.modalities}. Received: {group!r} and "
                f"{list(scale)}"
            )
        names, numbers = np.unique(train.groups[group], return_inverse=True)
        if len(names) < 2:
            raise ValueError(
                f"Expected two or more groups {group!r}. Received: "
                f"{names.tolist()}"
            )
        self.group = group
        self.scale = {name: float(value) for name, value in scale.items()}
        self._sequence = {
            name: train.features[name].is_sequence for name in scale
        }
        self._deviations = {
            name: _deviations(train, name, numbers) for name in scale
        }

    def __call__(
        self, inputs: Mapping[str, Floats], random: np.random.Generator
    ) -> dict[str, Floats]:
        result = dict(inputs)
        for name, deviations in self._deviations.items():
            if name not in inputs:
                continue
            x = inputs[name]
            n = random.standard_normal((len(x), len(deviations)))
            noise = (self.scale[name] * n @ deviations).astype(np.float32)
            first = 2 if self._sequence[name] else 1  # axis of features
            noise = noise.reshape(len(x), *[1] * (first - 1), *x.shape[first:])
            real = x.any(axis=tuple(range(first, x.ndim)), keepdims=True)
            result[name] = np.where(real, x + noise, 0.0).astype(np.float32)
        return result


def _deviations(
    train: "Split", name: str, numbers: NDArray[np.integer]
) -> NDArray[np.float64]:
    """(m_g - m) / √G of the groups that have the modality, (G, features)."""
    means: dict[int, list[NDArray[np.float64]]] = {}
    column = train.features[name]
    for number, index in zip(numbers, range(len(train)), strict=True):
        item = column[index].astype(np.float64)
        if not item.size:
            continue
        rows = item.reshape(len(item) if column.is_sequence else 1, -1)
        rows = rows[rows.any(axis=1)]
        if len(rows):
            means.setdefault(int(number), []).append(rows.mean(axis=0))
    table = np.array([np.mean(means[key], axis=0) for key in sorted(means)])
    centred: NDArray[np.float64] = table - table.mean(axis=0)
    return centred / np.sqrt(len(table))
