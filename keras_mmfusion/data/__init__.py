"""Readers and writers of community formats, data sets, batches, corruptions."""

from pathlib import Path
from typing import Any

from keras_mmfusion.data import avletters, corruptions, motion
from keras_mmfusion.data.av_digits import load_sample
from keras_mmfusion.data.checks import check_inputs, check_labels
from keras_mmfusion.data.columns import (
    Column,
    Padded,
    Ragged,
    Vectors,
    padding_side,
)
from keras_mmfusion.data.corruptions import ModalityDropout
from keras_mmfusion.data.dataset import MultimodalDataset, Split
from keras_mmfusion.data.group_noise import GroupNoise
from keras_mmfusion.data.leaks import Leak
from keras_mmfusion.data.letter_augmentation import LetterAugmentation
from keras_mmfusion.data.mapped import mapped
from keras_mmfusion.data.motion_augmentation import MotionAugmentation
from keras_mmfusion.data.standardize import Standardizer
from keras_mmfusion.data.windows import average_overlaps, split_windows

__all__ = [
    "Column",
    "GroupNoise",
    "Leak",
    "LetterAugmentation",
    "ModalityDropout",
    "MotionAugmentation",
    "MultimodalDataset",
    "Padded",
    "Ragged",
    "Split",
    "Standardizer",
    "Vectors",
    "average_overlaps",
    "avletters",
    "check_inputs",
    "check_labels",
    "corruptions",
    "load",
    "mapped",
    "motion",
    "padding_side",
    "split_windows",
]

_BUILT_IN = {"av_digits": load_sample}


def load(source: str | Path, **options: Any) -> MultimodalDataset:
    """Data set by its built-in name, or from a file or folder.

    Args:
        source: `"av_digits"`, or the path of a file or folder in one of the
            supported formats, which is recognised by its content.
        **options: passed on to the built-in data set (`variant=` of
            `"av_digits"`) or to the reader of the format.

    Returns:
        The data set.

    Raises:
        OSError: if there is nothing to read at `source`.
        ValueError: if the content is not what its format asks for, or if
            splits share samples.

    Example:

    ```python
    from keras_mmfusion.data import load

    digits = load("av_digits")
    inputs, labels = digits.valid.arrays()
    ```
    """
    if str(source) in _BUILT_IN:
        return _BUILT_IN[str(source)](**options)
    if not Path(source).exists():
        raise FileNotFoundError(
            "Expected a built-in data set, one of "
            f"{sorted(_BUILT_IN)}, or an existing file or folder. "
            f"Received: {str(source)!r}"
        )
    from keras_mmfusion.data.formats import load_file

    dataset = load_file(source, **options)
    for leak in dataset.check_leaks():
        if leak.kind == "id":
            raise ValueError(
                f"{source}: the splits share samples, so scores on them mean "
                f"nothing. Received: {leak}. Remove the samples from one "
                "split, or read the file as it is with "
                "keras_mmfusion.data.formats.load_file."
            )
    return dataset
