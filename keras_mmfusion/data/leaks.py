"""Leaks: what the splits of a data set share."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from keras_mmfusion.data.split import Split

_SHOWN = 5


@dataclass(frozen=True)
class Leak:
    """What two splits share.

    Args:
        kind: `"id"`, or the name of a group such as `"speaker"`.
        splits: names of the two splits.
        values: the shared ids, speakers, ..., sorted.
        counts: samples with a shared value in either split.
    """

    kind: str
    splits: tuple[str, str]
    values: list[str]
    counts: tuple[int, int]

    def __str__(self) -> str:
        shown = ", ".join(self.values[:_SHOWN])
        more = len(self.values) - _SHOWN
        if more > 0:
            shown += f" and {more} more"
        first, second = self.splits
        return (
            f"{self.kind}: {len(self.values)} in both {first} "
            f"({self.counts[0]} samples) and {second} "
            f"({self.counts[1]} samples): {shown}"
        )


def find_leaks(splits: Mapping[str, "Split"]) -> list[Leak]:
    """Ids and group values that occur in more than one split.

    Args:
        splits: name to split. Ids that were not given are not compared.

    Returns:
        One leak for each kind and each pair of splits that share something.
    """
    leaks = []
    for (first, a), (second, b) in combinations(splits.items(), 2):
        kinds = [k for k in a.groups if k in b.groups]
        if a.has_ids and b.has_ids:
            kinds.insert(0, "id")
        for kind in kinds:
            left, right = _values(a, kind), _values(b, kind)
            shared = np.intersect1d(left, right)
            if len(shared):
                counts = (
                    int(np.isin(left, shared).sum()),
                    int(np.isin(right, shared).sum()),
                )
                leaks.append(Leak(kind, (first, second), [*shared], counts))
    return leaks


def _values(split: "Split", kind: str) -> NDArray[np.str_]:
    values = split.ids if kind == "id" else split.groups[kind]
    # As text: one split's reader may give numbers where another's gives
    # strings of digits, or 1.0 where another gives 1.
    return np.asarray([_as_text(value) for value in values], dtype=np.str_)


def _as_text(value: object) -> str:
    if isinstance(value, float | np.floating) and float(value).is_integer():
        value = int(value)
    return str(value)
