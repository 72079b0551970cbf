"""What can be chosen about an MEA, checked."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from keras_mmfusion.layers.hierarchical_cross_modal_attention import LEVELS
from keras_mmfusion.layers.modality_weighting import MODES
from keras_mmfusion.layers.predictive_self_attention import CHAINS, MIXINGS
from keras_mmfusion.layers.vector_fusion import KINDS
from keras_mmfusion.losses.hsic import FORMS as DISPARITIES
from keras_mmfusion.models.arguments import (
    check_modality_names,
    output_size,
    weight,
    whole_number,
)
from keras_mmfusion.rates import dropout_rate
from keras_mmfusion.types import Shape

# As printed, and with an adversary and a disparity that cannot grow with the
# norm of what they judge.
FORMS: dict[str, dict[str, Any]] = {
    "paper": {"bounded": False, "disparity": "hsic"},
    "stable": {"bounded": True, "disparity": "cka"},
}

# Whole numbers, and the least that they may be.
WHOLE = {
    "num_targets": 1,
    "width": 1,
    "latent": 1,
    "num_heads": 1,
    "exclusive_layers": 0,
    "agnostic_layers": 0,
    "ramp_steps": 0,
}


@dataclass(frozen=True)
class MEASettings:
    """The arguments of `MEA`; see there."""

    shapes: dict[str, Shape]
    num_classes: int | None
    num_targets: int
    binary_heads: int | None
    form: str
    width: int
    latent: int
    num_heads: int
    kernel_sizes: int | dict[str, int]
    exclusive_layers: int
    agnostic_layers: int
    mix: float
    mixing: str
    self_attention: bool
    chain: str | None
    weighting: str | None
    weighting_last_only: bool
    levels: list[str]
    low_level_sources: bool
    exclusive: bool
    agnostic: bool
    disparity: str | None
    adversary: bool
    importance: bool
    fusion: str
    self_loops: bool | None
    pool: str
    alpha: float
    beta: float
    reversal: float
    ramp_steps: int
    input_dropout: float
    attention_dropout: float
    residual_dropout: float
    head_dropout: float
    modalities: list[str]
    seed: int | None

    @classmethod
    def of(cls, arguments: Mapping[str, Any]) -> "MEASettings":
        """From the arguments of the constructor, by name.

        Raises:
            ValueError: If one is out of range, or they contradict each other.
        """
        check_modality_names(arguments["shapes"])
        values = {
            **{f.name: arguments[f.name] for f in fields(cls)},
            "shapes": {
                m: tuple(shape) for m, shape in arguments["shapes"].items()
            },
            "levels": [*arguments["levels"]],
        }
        for name, least in WHOLE.items():
            values[name] = whole_number(name, values[name], least=least)
        for name in ("num_classes", "binary_heads"):
            values[name] = whole_number(name, values[name], optional=True)
        for name in ("alpha", "beta", "reversal"):
            values[name] = weight(name, values[name])
        values["kernel_sizes"] = _kernel_sizes(values["kernel_sizes"])
        order = values["modalities"]
        values["modalities"] = (
            sorted(values["shapes"]) if order is None else list(order)
        )
        settings = cls(**values)
        _check(settings)
        return settings

    def config(self) -> dict[str, Any]:
        """Plain JSON."""
        values = asdict(self)
        return {
            **values,
            "shapes": {m: list(shape) for m, shape in self.shapes.items()},
        }

    @property
    def outputs(self) -> int:
        """Width of the last dense layer."""
        if self.binary_heads is not None:
            return 2 * self.binary_heads
        return output_size(self.num_classes, self.num_targets)

    @property
    def bounded(self) -> bool:
        """Whether the discriminators see normalised vectors."""
        return bool(FORMS[self.form]["bounded"])

    @property
    def measured_disparity(self) -> str | None:
        """The form of the disparity loss, `None` if there is none."""
        both = self.exclusive and self.agnostic
        if not both or self.disparity is None:
            return None
        if self.disparity == "form":
            return str(FORMS[self.form]["disparity"])
        return self.disparity

    @property
    def weighs_by_importance(self) -> bool:
        """Whether there is an importance discriminator."""
        return self.adversary and self.importance and self.agnostic

    def kernel_size(self, modality: str) -> int:
        """Taps of the convolution of a modality."""
        if isinstance(self.kernel_sizes, int):
            return self.kernel_sizes
        return self.kernel_sizes[modality]

    def weighs_after(self, layer: int) -> bool:
        """Whether modalities are weighed after exclusive layer `layer`."""
        last = layer == self.exclusive_layers - 1
        return self.weighting is not None and (
            last or not self.weighting_last_only
        )


def _check(s: MEASettings) -> None:
    _check_modalities(s)
    _check_choices(s)
    output_size(s.num_classes, s.num_targets)
    for part in ("input", "attention", "residual", "head"):
        dropout_rate(f"{part}_dropout", getattr(s, f"{part}_dropout"))
    if s.width % 2 or s.width % s.num_heads:
        raise ValueError(
            "`width` must be even, half for each direction of the LSTM, and "
            "a multiple of the heads. Received: "
            f"width={s.width}, num_heads={s.num_heads}"
        )
    if not (s.exclusive or s.agnostic):
        raise ValueError(
            "At least one branch is needed. Received: exclusive=False, "
            "agnostic=False"
        )
    if s.binary_heads is not None:
        _check_binary_heads(s)


def _check_binary_heads(s: MEASettings) -> None:
    whole_number("binary_heads", s.binary_heads, least=1)
    if s.num_classes is not None or s.num_targets != 1:
        raise ValueError(
            "A model has either classes, regression targets or "
            f"`binary_heads`. Received: binary_heads={s.binary_heads}, "
            f"num_classes={s.num_classes}, num_targets={s.num_targets}"
        )


def _kernel_sizes(sizes: Any) -> int | dict[str, int]:
    if isinstance(sizes, Mapping):
        return {m: _kernel_size(size) for m, size in sizes.items()}
    return _kernel_size(sizes)


def _kernel_size(size: Any) -> int:
    return int(whole_number("kernel_sizes", size, least=1))


def _check_modalities(s: MEASettings) -> None:
    if len(s.shapes) < 2 or sorted(s.modalities) != sorted(s.shapes):
        raise ValueError(
            "MEA fuses two or more modalities, each named once in "
            f"`modalities`. Received: shapes of {list(s.shapes)}, "
            f"modalities={s.modalities}"
        )
    for m, shape in s.shapes.items():
        if len(shape) != 2 or shape[1] is None:
            raise ValueError(
                "MEA takes sequences, of shape (None, features) or (steps, "
                f"features) per sample. Received: '{m}' of shape {shape}. "
                "Give a vector as a sequence of one step."
            )
    if isinstance(s.kernel_sizes, dict) and set(s.kernel_sizes) != set(
        s.shapes
    ):
        raise ValueError(
            "`kernel_sizes` is one number, or one for each of the modalities "
            f"{s.modalities}. Received: {s.kernel_sizes}"
        )


def _check_choices(s: MEASettings) -> None:
    choices: dict[str, tuple[str | None, ...]] = {
        "form": tuple(FORMS),
        "mixing": MIXINGS,
        "chain": (*CHAINS, None),
        "weighting": (*MODES, None),
        "disparity": ("form", *DISPARITIES, None),
        "fusion": ("graph", *KINDS),
        "pool": ("mean", "last"),
    }
    for name, known in choices.items():
        if getattr(s, name) not in known:
            raise ValueError(
                f"`{name}` must be one of {known}. "
                f"Received: {name}={getattr(s, name)!r}"
            )
    if any(level not in LEVELS for level in s.levels):
        raise ValueError(
            f"`levels` holds some of {LEVELS}. Received: levels={s.levels}"
        )
