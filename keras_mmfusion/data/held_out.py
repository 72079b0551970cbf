"""Splits in which whole groups, such as speakers, are held out."""

from collections.abc import Sequence

import numpy as np

from keras_mmfusion.data.split import Split

Parts = tuple[Split, Split | None, Split]


def hold_out(
    whole: Split, group: str, test: Sequence[int], valid: Sequence[int]
) -> Parts:
    """Training, validation and test split of all samples.

    Args:
        whole: All samples.
        group: Name of the groups, such as "actor".
        test: Their numbers in the test split.
        valid: The same of the validation split, `None` if empty. All others
            train.

    Raises:
        ValueError: If the numbers are unknown, in two splits, or leave
            nothing to train on or to test.
    """
    numbers = whole.groups[group]
    known = set(np.unique(numbers).tolist())
    asked = [*test, *valid]
    if len(set(asked)) < len(asked) or not test or not set(asked) < known:
        raise ValueError(
            f"Expected test and validation {group}s to be different ones among "
            f"{sorted(known)}, with some left to train. Received: "
            f"{list(test)} and {list(valid)}"
        )
    tested, watched = np.isin(numbers, test), np.isin(numbers, valid)
    train, watch, last = (
        whole.subset(np.flatnonzero(rows))
        for rows in (~tested & ~watched, watched, tested)
    )
    return train, watch if valid else None, last
