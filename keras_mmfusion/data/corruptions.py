"""Corruptions of zero-padded arrays, to test and train robust models.

Every function takes inputs as a model does (a dict from modality to an array
of shape (B, T, ...) for sequences or (B, D) for vectors) and returns a new
dict; the arrays given are not changed. Padding stays zero, and how much of it
there is changes nothing. A step of zeros within a sequence is a missing
frame; an all-zero modality is missing.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from keras_mmfusion.data.padding import Floats, Ints, nonzero_spans

Inputs = dict[str, Floats]
Seed = int | np.random.Generator


def drop_modality(
    inputs: Mapping[str, Floats],
    modality: str | Sequence[str],
    rate: float = 1.0,
    seed: Seed = 0,
) -> Inputs:
    """Set whole modalities of a share of the samples to zero.

    Args:
        inputs: modality to array.
        modality: one name, or several, which then are missing together.
        rate: probability for each sample.
        seed: number or generator.

    Returns:
        The inputs with missing modalities.

    Example:

    ```python
    import numpy as np
    from keras_mmfusion.data.corruptions import drop_modality

    inputs = {"audio": np.ones((2, 3, 4)), "image": np.ones((2, 5))}
    assert not drop_modality(inputs, "audio")["audio"].any()
    ```
    """
    names = [modality] if isinstance(modality, str) else list(modality)
    result = _copied(inputs, names)
    random = np.random.default_rng(seed)
    chosen = random.random(_batch_size(inputs)) < _checked_rate(rate)
    for name in names:
        result[name][chosen] = 0.0
    return result


def drop_blocks(
    inputs: Mapping[str, Floats],
    rate: float,
    modalities: Sequence[str] | None = None,
    seed: Seed = 0,
) -> Inputs:
    """Set one block in time of every sequence to zero.

    A block at the end shortens the sequence: its valid steps end with the
    last one that is not all zeros.

    Args:
        inputs: modality to array.
        rate: share of a sequence's valid steps in the block, rounded.
        modalities: names of sequences; each gets its own block. Default: all
            sequences.
        seed: number or generator.

    Returns:
        The inputs with missing blocks.

    Example:

    ```python
    import numpy as np
    from keras_mmfusion.data.corruptions import drop_blocks

    audio = drop_blocks({"audio": np.ones((1, 8, 2))}, rate=0.25)["audio"]
    assert audio.any(axis=-1).sum() == 6
    ```
    """
    _checked_rate(rate)
    names = _sequences(inputs, modalities)
    result = _copied(inputs, names)
    random = np.random.default_rng(seed)
    for name in names:
        lengths = _lengths(result[name])
        sizes = np.rint(rate * lengths).astype(np.int64)
        starts = random.integers(0, lengths - sizes + 1)
        steps = np.arange(result[name].shape[1])
        inside = (steps >= starts[:, None]) & (
            steps < (starts + sizes)[:, None]
        )
        result[name][inside] = 0.0
    return result


def drop_frames(
    inputs: Mapping[str, Floats],
    rate: float,
    modalities: Sequence[str] | None = None,
    seed: Seed = 0,
) -> Inputs:
    """Set single steps of sequences to zero, each by itself.

    Args:
        inputs: modality to array.
        rate: probability of each valid step.
        modalities: names of sequences. Default: all sequences.
        seed: number or generator.

    Returns:
        The inputs with missing frames.

    Example:

    ```python
    import numpy as np
    from keras_mmfusion.data.corruptions import drop_frames

    audio = drop_frames({"audio": np.ones((1, 8, 2))}, rate=1.0)["audio"]
    assert not audio.any()
    ```
    """
    _checked_rate(rate)
    names = _sequences(inputs, modalities)
    result = _copied(inputs, names)
    random = np.random.default_rng(seed)
    for name in names:
        dropped = _valid(result[name])
        # Drawn for valid steps alone: padding must not change what is drawn.
        dropped[dropped] = random.random(np.count_nonzero(dropped)) < rate
        result[name][dropped] = 0.0
    return result


def add_noise(
    inputs: Mapping[str, Floats],
    scale: float,
    modalities: Sequence[str] | None = None,
    seed: Seed = 0,
    deviations: Mapping[str, float | NDArray[np.floating]] | None = None,
) -> Inputs:
    """Add Gaussian noise to every value of every step.

        x' = x + scale * deviation * n,    n ~ N(0, 1) for each value

    Missing frames and missing modalities stay missing.

    Args:
        inputs: modality to array.
        scale: noise in units of the features' deviation.
        modalities: names. Default: all.
        seed: number or generator.
        deviations: modality to its deviation, one number or one per feature.
            Default: that of every feature over the non-zero steps of
            `inputs`; give those of the training split if batches are small.

    Returns:
        The noisy inputs.

    Example:

    ```python
    import numpy as np
    from keras_mmfusion.data.corruptions import add_noise

    image = np.array([[1.0, 2.0], [3.0, 2.0], [0.0, 0.0]])
    noisy = add_noise({"image": image}, scale=0.5)["image"]
    assert noisy[2].tolist() == [0.0, 0.0]  # missing stays missing
    ```
    """
    if not scale >= 0:
        raise ValueError(
            f"`scale` must not be negative. Received: scale={scale!r}"
        )
    names = list(inputs) if modalities is None else list(modalities)
    result = _copied(inputs, names)
    random = np.random.default_rng(seed)
    for name in names:
        values = result[name]
        given = None if deviations is None else deviations.get(name)
        axis = 2 if values.ndim >= 3 else 1
        if given is not None and np.ndim(given):
            # A deviation of every feature tells how many axes features have.
            axis = values.ndim - np.ndim(given)
        real = values.any(axis=tuple(range(axis, values.ndim)))
        rows = values[real]
        deviation = (
            rows.std(axis=0, dtype=np.float64)
            if given is None
            else np.asarray(given)
        )
        noise = random.standard_normal(rows.shape)
        values[real] = rows + scale * deviation * noise
    return result


def shift_time(
    inputs: Mapping[str, Floats], modality: str, steps: int
) -> Inputs:
    """Move one sequence in time against the others.

    The valid steps are shifted in a circle, so nothing is lost but the
    alignment.

    Args:
        inputs: modality to array.
        modality: name of a sequence.
        steps: how much later its content comes; earlier if negative.

    Returns:
        The inputs with one modality shifted.

    Example:

    ```python
    import numpy as np
    from keras_mmfusion.data.corruptions import shift_time

    audio = np.array([[[1.0], [2.0], [3.0], [0.0]]])
    later = shift_time({"audio": audio}, "audio", 1)["audio"]
    assert later.ravel().tolist() == [3.0, 1.0, 2.0, 0.0]
    ```
    """
    names = _sequences(inputs, [modality])
    result = _copied(inputs, names)
    values = result[modality]
    for row, length in zip(values, _lengths(values), strict=True):
        row[:length] = np.roll(row[:length], steps, axis=0)
    return result


def swap_partner(
    inputs: Mapping[str, Floats],
    modality: str,
    rate: float = 1.0,
    seed: Seed = 0,
) -> Inputs:
    """Take one modality from another sample.

    The other sample is drawn whatever its label; it is never the sample
    itself, and no sample gives twice.

    Args:
        inputs: modality to array.
        modality: name of the modality that is swapped.
        rate: probability for each sample to get another's modality.
        seed: number or generator.

    Returns:
        The inputs with mismatched samples.

    Raises:
        ValueError: if there is only one sample.

    Example:

    ```python
    import numpy as np
    from keras_mmfusion.data.corruptions import swap_partner

    image = np.array([[1.0], [2.0]])
    swapped = swap_partner({"image": image}, "image")["image"]
    assert swapped.tolist() == [[2.0], [1.0]]
    ```
    """
    result = _copied(inputs, [modality])
    count = _batch_size(inputs)
    if count < 2:
        raise ValueError(
            "Swapping needs at least two samples. "
            f"Received: {count}. Corrupt the whole split at once."
        )
    random = np.random.default_rng(seed)
    order = random.permutation(count)
    # Samples in a circle: everyone's partner is the next.
    partner = np.empty(count, np.int64)
    partner[order] = np.roll(order, 1)
    chosen = np.flatnonzero(random.random(count) < _checked_rate(rate))
    result[modality][chosen] = inputs[modality][partner[chosen]]
    return result


class ModalityDropout:
    """Set whole modalities to zero at random, never all of a sample.

    A transform for `Split.batches`. Each present modality of each sample is
    dropped with probability `rate`; where that would leave none, one of them
    stays.

    Args:
        rate: probability of each modality.

    Call arguments:
        inputs: modality to array.
        seed: number or generator.

    Raises:
        ValueError: if the rate is not in 0..1.

    Example:

    ```python
    from keras_mmfusion.data import ModalityDropout, load

    train = load("av_digits").train
    batches = train.batches(32, transform=ModalityDropout(0.3))
    ```
    """

    def __init__(self, rate: float) -> None:
        self.rate = _checked_rate(rate)

    def __call__(self, inputs: Mapping[str, Floats], seed: Seed = 0) -> Inputs:
        random = np.random.default_rng(seed)
        result = _copied(inputs, list(inputs))
        present = np.stack(
            [
                values.reshape(len(values), -1).any(axis=1)
                for values in result.values()
            ],
            axis=1,
        )
        kept = present & (random.random(present.shape) >= self.rate)
        # The present modality with the highest number stays if none else.
        ranks = np.where(present, random.random(present.shape), -1.0)
        empty = ~kept.any(axis=1)
        kept[empty, ranks[empty].argmax(axis=1)] = True
        for column, values in enumerate(result.values()):
            values[~kept[:, column]] = 0.0
        return result


def _copied(inputs: Mapping[str, Floats], names: Sequence[str]) -> Inputs:
    """Inputs of which the named arrays are float32 copies."""
    unknown = [name for name in names if name not in inputs]
    if unknown:
        raise ValueError(
            f"Expected modalities among {list(inputs)}. Received: {unknown}"
        )
    _batch_size(inputs)
    return {
        name: np.array(values, np.float32) if name in names else values
        for name, values in inputs.items()
    }


def _batch_size(inputs: Mapping[str, Floats]) -> int:
    sizes = {name: len(values) for name, values in inputs.items()}
    if len(set(sizes.values())) != 1:
        raise ValueError(
            "All modalities must hold the same samples. "
            f"Received batch sizes: {sizes}"
        )
    return next(iter(sizes.values()))


def _sequences(
    inputs: Mapping[str, Floats], modalities: Sequence[str] | None
) -> list[str]:
    """Names of the sequences to corrupt."""
    sequences = [name for name, values in inputs.items() if values.ndim >= 3]
    if modalities is None:
        return sequences
    wrong = [name for name in modalities if name not in sequences]
    if wrong:
        raise ValueError(
            f"Expected names of sequences, among {sequences}. Received: {wrong}"
        )
    return list(modalities)


def _checked_rate(rate: float) -> float:
    if not 0.0 <= rate <= 1.0:
        raise ValueError(f"`rate` must lie in 0..1. Received: rate={rate!r}")
    return float(rate)


def _lengths(values: Floats) -> Ints:
    return nonzero_spans(values)[1]


def _valid(values: Floats) -> NDArray[np.bool_]:
    """Steps before the end of every sequence, (B, T)."""
    return np.arange(values.shape[1]) < _lengths(values)[:, None]
