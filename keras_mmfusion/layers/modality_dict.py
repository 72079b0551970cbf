"""Inputs that are a dict or a list of modalities, in one fixed order.

The order is the one given by name, else sorted by name; a dict's own order
never matters. A list keeps its order.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from keras_mmfusion.data.checks import differ
from keras_mmfusion.types import Shape


def modality_order(
    inputs: Any, names: Sequence[str] | None, layer: str
) -> list[str] | list[int]:
    """Keys (dict) or positions (list) of two or more modalities, in order."""
    is_one_shape = isinstance(inputs, tuple) and isinstance(inputs[-1], int)
    if (
        not isinstance(inputs, dict | list | tuple)
        or len(inputs) < 2
        or is_one_shape
    ):
        raise ValueError(
            f"Layer '{layer}' fuses a dict or list of two or more modalities. "
            f"Received: {inputs}"
        )
    if not isinstance(inputs, dict):
        if names is not None and len(names) != len(inputs):
            raise ValueError(
                f"Layer '{layer}' was made for the modalities {list(names)}. "
                f"Received a list of {len(inputs)}."
            )
        return list(range(len(inputs)))
    if names is None:
        return sorted(inputs)
    if set(names) != set(inputs) or len(names) != len(set(names)):
        raise ValueError(
            f"Layer '{layer}' expects the modalities {list(names)}. "
            f"Received: {sorted(inputs)}"
        )
    return list(names)


def modality_shapes(input_shape: Any, order: Sequence[Any]) -> list[Shape]:
    """Shapes in modality order, each of rank 2 or more with known channels."""
    shapes = [tuple(input_shape[key]) for key in order]
    for key, shape in zip(order, shapes, strict=True):
        if len(shape) < 2 or shape[-1] is None:
            raise ValueError(
                "A modality has shape (batch, ..., channels) with a known "
                f"number of channels. Received: {key!r} of shape {shape}"
            )
    return shapes


def as_list(values: Any, order: Sequence[Any]) -> list[Any]:
    """The values in modality order; `None` stands for no value at all."""
    if values is None:
        return [None] * len(order)
    if isinstance(values, dict):
        missing = [key for key in order if key not in values]
        unknown = [key for key in values if key not in order]
        if missing or unknown:
            raise ValueError(
                f"Expected the modalities {list(order)}. Received: "
                f"{sorted(values)}; missing {missing}, unknown {unknown}."
            )
    elif len(values) != len(order):
        raise ValueError(
            f"Expected {len(order)} modalities. Received: {len(values)}."
        )
    chosen = {key: values[key] for key in order}
    check_batch_sizes(chosen)
    return list(chosen.values())


def check_batch_sizes(values: Mapping[Any, Any]) -> None:
    """Raises for tensors of unlike batches: one of 1 would broadcast."""
    sizes = {
        key: x.shape[0]
        for key, x in values.items()
        if len(getattr(x, "shape", ())) > 0
    }
    if differ(sizes.values()):
        raise ValueError(
            "All modalities must hold the same samples. Received batch sizes: "
            f"{sizes}"
        )


def like_inputs(inputs: Any, order: Sequence[Any], values: list[Any]) -> Any:
    """Puts values in modality order back into the structure of `inputs`."""
    by_key = dict(zip(order, values, strict=True))
    if isinstance(inputs, dict):
        return {key: by_key[key] for key in inputs}
    return type(inputs)(values)
