"""A model's encoders, by modality and in one order."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras

from keras_mmfusion import registry
from keras_mmfusion.encoders import Encoder
from keras_mmfusion.models.arguments import check_modality_names


def encoder_order(
    encoders: Mapping[str, Any], modalities: Sequence[str] | None
) -> list[str]:
    """The modalities in the order given, else sorted; two or more.

    Args:
        encoders: Modality to encoder.
        modalities: The order, or `None`.
    """
    check_modality_names(encoders)
    order = sorted(encoders) if modalities is None else list(modalities)
    if sorted(order) != sorted(encoders) or len(order) < 2:
        raise ValueError(
            "`modalities` must list every encoder once, and there must be two "
            f"or more. Received: modalities={modalities}, encoders for "
            f"{sorted(encoders)}"
        )
    return order


def make_encoder(modality: str, encoder: Any) -> Encoder:
    """The encoder, or one made from its config; named like its modality."""
    if isinstance(encoder, Mapping):
        encoder = registry.from_config(encoder)
    if not isinstance(encoder, Encoder):
        raise ValueError(
            "An encoder is an `Encoder` or its config. Received for "
            f"'{modality}': {encoder!r}"
        )
    if encoder.name != modality:
        raise ValueError(
            f"The encoder of '{modality}' must be named so, since its weights "
            f"are saved under that name. Received: name='{encoder.name}'"
        )
    return encoder


def input_of(encoders: Mapping[str, Encoder]) -> dict[str, Any]:
    """A symbolic input for every encoder, named like its modality."""
    return {
        m: keras.Input(encoder.sample_shape, name=m)
        for m, encoder in encoders.items()
    }
