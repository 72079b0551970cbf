"""The published ways of turning a sentiment score into a class.

Each rule takes a namespace `xp` (`numpy` or `keras.ops`), truth `y` and
prediction `p`, and returns (class of y, class of p, counted). Classes are
whole numbers from 0; a class of -1 is no class. One definition serves the
NumPy functions and the Keras metrics, so they cannot drift apart.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Decision = tuple[Any, Any, Any]


@dataclass(frozen=True)
class Rule:
    """How one protocol decides classes.

    Attributes:
        classes: Number of classes.
        decide: `(xp, y, p) -> (truth, predicted, kept)`.
    """

    classes: int
    decide: Callable[[Any, Any, Any], Decision]


def _all(xp: Any, y: Any) -> Any:
    """Every sample is counted."""
    return xp.ones_like(y, dtype="bool")


def _nonneg(xp: Any, y: Any, p: Any) -> Decision:
    return xp.where(y >= 0, 1, 0), xp.where(p >= 0, 1, 0), _all(xp, y)


def _pos(xp: Any, y: Any, p: Any) -> Decision:
    return xp.where(y > 0, 1, 0), xp.where(p > 0, 1, 0), y != 0


def _pos_nonpos(xp: Any, y: Any, p: Any) -> Decision:
    return xp.where(y > 0, 1, 0), xp.where(p > 0, 1, 0), _all(xp, y)


def _mag(xp: Any, y: Any, p: Any) -> Decision:
    return xp.where(y >= 0, 1, 0), xp.where(p >= 0, 1, 0), y != 0


def _msaf(xp: Any, y: Any, p: Any) -> Decision:
    """An exactly zero prediction is neither class."""
    signed = xp.where(p > 0, 1, xp.where(p < 0, 0, -1))
    return xp.where(y > 0, 1, 0), signed, y != 0


def _rounded(limit: int) -> Callable[[Any, Any, Any], Decision]:
    def decide(xp: Any, y: Any, p: Any) -> Decision:
        # Both namespaces round ties to even, as the published numbers do.
        truth = xp.round(xp.clip(y, -limit, limit)) + limit
        return truth, xp.round(xp.clip(p, -limit, limit)) + limit, _all(xp, y)

    return decide


def _cut(*cuts: float) -> Callable[[Any, Any, Any], Decision]:
    """Intervals closed on the right: a score on a cut is in the lower one."""

    def classes(xp: Any, score: Any) -> Any:
        clipped = xp.clip(score, -1, 1)
        number = xp.where(clipped > cuts[0], 1, 0)
        for cut in cuts[1:]:
            number = number + xp.where(clipped > cut, 1, 0)
        return number

    def decide(xp: Any, y: Any, p: Any) -> Decision:
        return classes(xp, y), classes(xp, p), _all(xp, y)

    return decide


RULES: dict[str, Rule] = {
    "nonneg": Rule(2, _nonneg),
    "pos": Rule(2, _pos),
    "pos_nonpos": Rule(2, _pos_nonpos),
    "mag": Rule(2, _mag),
    "msaf": Rule(2, _msaf),
    "seven": Rule(7, _rounded(3)),
    "five": Rule(5, _rounded(2)),
    "three": Rule(3, _rounded(1)),
    "sims_two": Rule(2, _cut(0.0)),
    "sims_three": Rule(3, _cut(-0.1, 0.1)),
    "sims_five": Rule(5, _cut(-0.7, -0.1, 0.1, 0.7)),
}

# Rule behind each accuracy and F1; the flag exchanges the F1's weights.
ACCURACIES: dict[str, str] = {
    "acc2_nonneg": "nonneg",
    "acc2_pos": "pos",
    "acc2_pos_nonpos": "pos_nonpos",
    "acc2_mag": "mag",
    "acc2_msaf": "msaf",
    "acc7": "seven",
    "acc5": "five",
    "acc3": "three",
    "sims_acc2": "sims_two",
    "sims_acc3": "sims_three",
    "sims_acc5": "sims_five",
}
F1_SCORES: dict[str, tuple[str, bool]] = {
    "f1_nonneg": ("nonneg", False),
    "f1_pos": ("pos", False),
    "f1_pos_swapped": ("pos", True),
    "f1_pos_nonpos_swapped": ("pos_nonpos", True),
    "f1_mag": ("mag", False),
    "f1_msaf": ("msaf", False),
    "sims_f1": ("sims_two", False),
}
