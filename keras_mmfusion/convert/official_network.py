"""What is known of a published network and its official state dict."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from keras_mmfusion.convert.official_weights import Assignments, OfficialWeights


@dataclass(frozen=True)
class OfficialNetwork:
    """A published network that `load_official` reads.

    Attributes:
        name: What to call it, "MSAF on CMU-MOSEI".
        preset: Global name of the preset of its form, "msaf_mosei".
        sign: Regular expression that a whole name in its state dict fits, and
            none in those of the others.
        fits: Whether a model is of its form, sizes aside.
        read: Maps the state dict to the variables of such a model.
        parts: Global names of presets of parts of the network; they read the
            same state dict, and skip what they do not have.
    """

    name: str
    preset: str
    sign: str
    fits: Callable[[Any], bool]
    read: Callable[[Any, OfficialWeights], Assignments]
    parts: tuple[str, ...] = ()
