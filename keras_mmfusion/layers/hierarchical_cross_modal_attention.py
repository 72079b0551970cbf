"""Cross-modal attention from all, from the others, and from each other."""

import functools
import operator
from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from keras_mmfusion.layers.modality_dict import (
    as_list,
    like_inputs,
    modality_order,
    modality_shapes,
)
from keras_mmfusion.layers.modality_reinforcement import ModalityReinforcement
from keras_mmfusion.rates import dropout_rate
from keras_mmfusion.registry import register
from keras_mmfusion.seeds import part_seed
from keras_mmfusion.types import Modalities, Tensor

LEVELS = ("mixed", "coarse", "fine")


@register()
class HierarchicalCrossModalAttention(keras.layers.Layer):
    """Reinforces every modality by the others on three levels.

    For a target t with the other modalities p, q, ... and reinforcement units
    U(source, target),

        mixed:   a = U([t ; p ; q], t)      all, joined over time
        coarse:  b = U([p ; q], a)          the others, joined over time
        fine:    y = U(p, b) + U'(q, b)     each by its own unit, summed

    All targets read the same inputs, and every unit has its own weights. A
    level that is off passes its input on.

    Args:
        num_heads: Number of heads of every unit; must divide d.
        levels: Which of "mixed", "coarse" and "fine" there are.
        dropout: Rate of dropout on the attention maps.
        residual_dropout: As in `ModalityReinforcement`.
        modalities: Order of the modalities when the inputs are a dict;
            sorted by name if `None`.
        seed: Integer seed of the dropouts, or `None`.

    Call arguments:
        inputs: Dict or list of two or more float tensors (B, T_m, d), of any
            lengths and one width.
        sources: What the units attend to, like `inputs`; `inputs` if `None`.
        mask: Optional dict or list of boolean tensors (B, T_m), true up to
            the length of the sample.
        training: Whether to drop.
        return_attention: Also return the attention maps.

    Returns:
        The structure of `inputs`, zero at padded steps. With
        `return_attention`, a pair of it and a dict of float32 maps (B, heads,
        T_target, T_source), named "<target>_mixed", "<target>_coarse" and
        "<target>_fine_<source>".

    Raises:
        ValueError: If a level is unknown or the widths differ.

    Example:

    ```python
    import numpy as np
    import keras_mmfusion as mmf

    x = {"text": np.ones((2, 4, 8)), "audio": np.ones((2, 9, 8))}
    y = mmf.layers.HierarchicalCrossModalAttention(num_heads=2)(x)
    print(y["audio"].shape)  # (2, 9, 8)
    ```

    Reference:
        Yang et al., arXiv 2407.04955, Eq. 10.
    """

    def __init__(
        self,
        num_heads: int,
        levels: Sequence[str] = LEVELS,
        dropout: float = 0.0,
        residual_dropout: float = 0.0,
        modalities: Sequence[str] | None = None,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        unknown = [level for level in levels if level not in LEVELS]
        if unknown or isinstance(levels, str):
            raise ValueError(
                f"`levels` is a list of some of {LEVELS}. "
                f"Received: levels={levels!r}"
            )
        self.num_heads = num_heads
        self.levels = [level for level in LEVELS if level in levels]
        self.rate = dropout_rate("dropout", dropout)
        self.residual_dropout = dropout_rate(
            "residual_dropout", residual_dropout
        )
        self.modalities = None if modalities is None else list(modalities)
        self.seed = seed
        self.supports_masking = True

    def build(self, input_shape: Any) -> None:
        self.order = modality_order(input_shape, self.modalities, self.name)
        shapes = modality_shapes(input_shape, self.order)
        if len({shape[-1] for shape in shapes}) > 1:
            raise ValueError(
                "All modalities must have the same number of channels. "
                f"Received: {dict(zip(self.order, shapes, strict=True))}"
            )
        self.units: dict[str, ModalityReinforcement] = {}
        for target, shape in zip(self.order, shapes, strict=True):
            for name in self._sources(target):
                unit = ModalityReinforcement(
                    self.num_heads,
                    self.rate,
                    self.residual_dropout,
                    part_seed(self.seed, name),
                    name=name,
                    dtype=self.dtype_policy,
                )
                unit.build((None, None, shape[-1]))
                self.units[name] = unit
        self.built = True

    def _by_key(self, values: Any) -> dict[Any, Any]:
        order: list[Any] = list(self.order)
        return dict(zip(order, as_list(values, order), strict=True))

    def _level_units(self, target: Any) -> list[dict[str, list[Any]]]:
        """For every level its units, by name, and what each attends to."""
        others = [key for key in self.order if key != target]
        units: dict[str, dict[str, list[Any]]] = {
            "mixed": {f"{target}_mixed": list(self.order)},
            "coarse": {f"{target}_coarse": others},
            "fine": {f"{target}_fine_{o}": [o] for o in others},
        }
        return [units[level] for level in self.levels]

    def _sources(self, target: Any) -> dict[str, list[Any]]:
        """All units of a target, and what each attends to."""
        return {
            k: v
            for units in self._level_units(target)
            for k, v in units.items()
        }

    def call(
        self,
        inputs: Modalities,
        sources: Modalities | None = None,
        mask: Any = None,
        training: bool | None = None,
        return_attention: bool = False,
    ) -> Any:
        xs = self._by_key(inputs)
        seen = xs if sources is None else self._by_key(sources)
        masks = _filled(self._by_key(mask), seen)
        maps: dict[str, Tensor] = {}

        def reinforce(unit: str, group: list[Any], t: Any, x: Tensor) -> Tensor:
            y = self.units[unit](
                x,
                source=_joined([seen[key] for key in group]),
                target_mask=masks[t],
                source_mask=_joined([masks[key] for key in group]),
                training=training,
                return_attention=return_attention,
            )
            if return_attention:
                y, maps[unit] = y
            return y

        results = []
        for t, x in xs.items():
            for units in self._level_units(t):
                parts = [
                    reinforce(u, group, t, x) for u, group in units.items()
                ]
                x = functools.reduce(operator.add, parts)
            results.append(x)
        outputs = like_inputs(inputs, self.order, results)
        return (outputs, maps) if return_attention else outputs

    def compute_mask(self, *args: Any, **kwargs: Any) -> Any:
        return None

    def compute_output_spec(
        self,
        inputs: Modalities,
        sources: Modalities | None = None,
        mask: Any = None,
        training: bool | None = None,
        return_attention: bool = False,
    ) -> Any:
        xs = as_list(inputs, self.order)
        outputs = like_inputs(
            inputs,
            self.order,
            [keras.KerasTensor(x.shape, dtype=self.compute_dtype) for x in xs],
        )
        if not return_attention:
            return outputs
        seen = as_list(inputs if sources is None else sources, self.order)
        steps = {k: s.shape[1] for k, s in zip(self.order, seen, strict=True)}
        maps = {}
        for t, x in zip(self.order, xs, strict=True):
            for name, group in self._sources(t).items():
                known = [steps[key] for key in group]
                keys = None if None in known else sum(known)
                shape = (x.shape[0], self.num_heads, x.shape[1], keys)
                maps[name] = keras.KerasTensor(shape, dtype="float32")
        return outputs, maps

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "num_heads": self.num_heads,
            "levels": self.levels,
            "dropout": self.rate,
            "residual_dropout": self.residual_dropout,
            "modalities": self.modalities,
            "seed": self.seed,
        }


def _joined(parts: list[Any]) -> Any:
    """Sequences or masks, joined over time."""
    if any(part is None for part in parts):
        return None
    return parts[0] if len(parts) == 1 else ops.concatenate(parts, axis=1)


def _filled(masks: dict[Any, Any], like: dict[Any, Tensor]) -> dict[Any, Any]:
    """Masks for all modalities, or for none."""
    if all(mask is None for mask in masks.values()):
        return masks
    return {
        key: ops.ones_like(like[key][..., 0], dtype="bool")
        if mask is None
        else ops.cast(mask, "bool")
        for key, mask in masks.items()
    }
