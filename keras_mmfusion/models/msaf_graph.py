"""Parts of MSAF's graph: the taps of a fusion, and the heads."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
from keras import ops

from keras_mmfusion.encoders import Encoder
from keras_mmfusion.layers import MaskedAveragePooling, SplitAttentionFusion
from keras_mmfusion.rates import dropout_rate
from keras_mmfusion.registry import register_inner
from keras_mmfusion.seeds import part_seed
from keras_mmfusion.types import Tensor


def run_fused(
    encoders: Mapping[str, Encoder],
    inputs: Mapping[str, Tensor],
    masks: Mapping[str, Tensor],
    fusions: Sequence[Mapping[str, Any]],
    seed: int | None,
) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Final features (B, C) by modality, and the attention of every fusion.

    Args:
        encoders: Modality to encoder, as the next two.
        inputs: Tensors of the inputs.
        masks: Their masks.
        fusions: See `MSAF`.
        seed: Of the fusions' first weights and block dropout.
    """
    features: dict[str, Any] = dict(inputs)
    reached: dict[str, str | None] = dict.fromkeys(encoders)
    attention = {}
    for i, arguments in enumerate(map(dict, fusions), start=1):
        after = check_fusion(arguments, encoders, reached)
        tapped, valid = {}, {}
        for m, stage in after.items():
            x = encoders[m].run(features[m], masks[m], reached[m], stage)
            tapped[m], reached[m] = x, stage
            valid[m] = step_mask(x, encoders[m].mask_after(stage, masks[m]))
        streams = by_stream(tapped)
        arguments.pop("after")
        name = f"fusion{i}"
        fusion = SplitAttentionFusion(
            **arguments,
            modalities=list(streams),
            seed=part_seed(seed, name),
            name=name,
        )
        fused, attention[fusion.name] = fusion(
            streams, mask=by_stream(valid), return_attention=True
        )
        features.update(by_modality(fused, tapped))
    for m, encoder in encoders.items():
        x = encoder.run(features[m], masks[m], reached[m], None)
        features[m] = as_vector(m, encoder, x, masks[m])
    return features, attention


def as_vector(m: str, encoder: Encoder, x: Tensor, mask: Tensor) -> Tensor:
    """What an encoder gave, of a sequence the mean over its valid steps.

    Args:
        m: The modality.
        encoder: Its encoder.
        x: What the encoder gave.
        mask: The mask of the encoder's input.
    """
    if len(x.shape) == 2:
        return x
    if len(x.shape) != 3:
        raise ValueError(
            "MSAF needs encoders that give a vector (B, C) or a sequence "
            f"(B, T, C). Received for '{m}': output of shape {x.shape}"
        )
    valid = encoder.mask_after(list(encoder.stages)[-1], mask)
    return MaskedAveragePooling(name=f"{m}_mean")(x, mask=valid)


def check_fusion(
    fusion: Mapping[str, Any],
    encoders: Mapping[str, Encoder],
    reached: Mapping[str, str | None],
) -> dict[str, str]:
    """The taps of a fusion, modality to stage, in the order of modalities.

    Args:
        fusion: `after`, and arguments of the layer.
        encoders: Modality to encoder.
        reached: Modality to the stage it was last fused behind, or `None`.
    """
    after = fusion.get("after")
    if not isinstance(after, Mapping) or len(after) < 2:
        raise ValueError(
            "A fusion needs `after`, a dict of two or more modalities to the "
            f"stage they are fused behind. Received: {dict(fusion)}"
        )
    if "block_channels" not in fusion:
        raise ValueError(
            "A fusion needs `block_channels`, the channels of a block. "
            f"Received: {dict(fusion)}"
        )
    given = {"modalities", "seed", "name"} & set(fusion)
    if given:
        raise ValueError(
            "The model itself gives its fusions their modalities, seed and "
            f"name. Received: {sorted(given)}. Leave them out."
        )
    for m, stage in after.items():
        stages = list(encoders[m].stages) if m in encoders else []
        if stage not in stages:
            raise ValueError(
                f"There is no stage '{stage}' of modality '{m}'. Modalities: "
                f"{list(encoders)}; stages of '{m}': {stages}."
            )
        last = reached[m]
        if last is not None and stages.index(stage) < stages.index(last):
            raise ValueError(
                "The fusions must be in the order of the stages. Received one "
                f"behind stage '{stage}' of '{m}' after one behind '{last}'."
            )
    return {m: after[m] for m in encoders if m in after}


def by_stream(features: Mapping[str, Any]) -> dict[str, Tensor]:
    """Every stream a modality of its own: "skeleton/person1", ...

    Args:
        features: Modality to what its stage gave: a tensor, or a dict of
            streams that the next stage takes.
    """
    streams: dict[str, Tensor] = {}
    for m, x in features.items():
        if isinstance(x, Mapping):
            streams |= {f"{m}/{key}": x[key] for key in sorted(x)}
        else:
            streams[m] = x
    return streams


def by_modality(
    streams: Mapping[str, Tensor], features: Mapping[str, Any]
) -> dict[str, Any]:
    """Streams in the structure of `features`, the inverse of `by_stream`."""
    return {
        m: {key: streams[f"{m}/{key}"] for key in x}
        if isinstance(x, Mapping)
        else streams[m]
        for m, x in features.items()
    }


def step_mask(features: Any, mask: Tensor) -> Any:
    """The mask at the rank of the features: a sequence may be summed up.

    Args:
        features: A tensor, or a dict of streams with one mask for all.
        mask: Their mask (B, T) or (B,).
    """
    if isinstance(features, Mapping):
        return {key: step_mask(x, mask) for key, x in features.items()}
    if len(features.shape) == 2 and len(mask.shape) == 2:
        return ops.any(mask, axis=1)
    return mask


@register_inner
class Head(keras.layers.Dense):
    """Dense layer in float32 that hands no mask on.

    A bfloat16 output would have steps of 1/128. With a mask Keras would leave
    the samples of a missing modality out of the loss.
    """

    def __init__(self, units: int, **kwargs: Any) -> None:
        super().__init__(units, **{"dtype": "float32", **kwargs})

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> None:
        return None


def head(
    features: dict[str, Any],
    outputs: int,
    combine: str,
    dropout: float,
    seed: int | None,
) -> Any:
    """One dense layer on all features, or one for every modality.

    Args:
        features: Modality to features (B, C).
        outputs: Number of outputs.
        combine: See `MSAF`.
        dropout: Rate of dropout before a dense layer.
        seed: Of the dropout.
    """
    dropout = dropout_rate("dropout", dropout)
    if combine == "concat":
        x = keras.layers.Concatenate(name="features")(list(features.values()))
        x = keras.layers.Dropout(dropout, seed=seed, name="features_drop")(x)
        return Head(outputs, name="head")(x)
    if combine not in ("sum", "none"):
        raise ValueError(
            '`combine` must be "concat", "sum" or "none". '
            f"Received: combine={combine!r}"
        )
    if "sum" in features:
        raise ValueError(
            'No modality can be called "sum" unless combine="concat": that is '
            "the name of the sum of the modalities' outputs."
        )
    logits = {}
    for m, x in features.items():
        own = part_seed(seed, m)
        x = keras.layers.Dropout(dropout, seed=own, name=f"{m}_drop")(x)
        logits[m] = Head(outputs, name=f"head_{m}")(x)
    if combine == "none":
        return logits
    added = keras.layers.Add(name="sum", dtype="float32")
    return added(list(logits.values()))
