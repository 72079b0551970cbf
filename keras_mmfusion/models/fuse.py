"""Split attention between the layers of Keras models that exist already."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras

from keras_mmfusion.layers import SplitAttentionFusion
from keras_mmfusion.models.arguments import output_size, whole_number
from keras_mmfusion.models.fused_model import FusedModel
from keras_mmfusion.models.graph_cut import CuttableNetwork, Stage
from keras_mmfusion.models.missing_modality import (
    IsPresent,
    ValidSteps,
    ZeroIfMissing,
)
from keras_mmfusion.models.msaf_graph import head
from keras_mmfusion.rates import dropout_rate
from keras_mmfusion.registry import closest
from keras_mmfusion.seeds import part_seed
from keras_mmfusion.types import Tensor


def fuse(
    networks: Mapping[str, Any],
    taps: Sequence[Mapping[str, str]],
    num_classes: int | None = None,
    num_targets: int | None = None,
    combine: str = "sum",
    block_channels: int | Sequence[int] = 16,
    reduction_factor: int = 4,
    attention_floor: float = 0.0,
    segments: int = 1,
    block_dropout: float = 0.0,
    dropout: float = 0.0,
    name: str = "fused",
    seed: int | None = None,
) -> FusedModel:
    """Puts split attention fusion between layers of existing Keras models.

    Every network is cut behind its tapped layers. There the features of all
    tapped networks go through `SplitAttentionFusion` and back into their
    networks.

    The fused model is made of the networks' own layers, not of copies:
    pretrained weights are kept, training the fused model trains the networks,
    and `network.trainable = False` freezes one. The networks go on working
    alone.

    Args:
        networks: Modality to a functional or `Sequential` model with one
            input and one output, channels last; two or more.
        taps: One dict per fusion, in the order of the layers: modality to the
            name of the layer whose output is fused. Two or more modalities
            each; an empty list gives late fusion.
        num_classes: Number of classes, for new heads on the networks'
            outputs, which then must be vectors of features (B, C). `None`
            for regression, or for the networks' own outputs.
        num_targets: Number of regression targets, for new heads. If neither
            this nor `num_classes` is given, the networks' outputs stay.
        combine: "sum" adds up the outputs of the heads, or of the networks;
            "none" gives them as a dict; "concat" is one head on the features
            of all networks.
        block_channels: Channels per block; one number, or one per fusion.
        reduction_factor: See `SplitAttentionFusion`, as the next three.
        attention_floor: With 1 the fusions change nothing.
        segments: Time segments; axis 1 is taken for time, which is right for
            sequences, and wrong for images.
        block_dropout: Probability that a block is dropped in training.
        dropout: Rate of dropout on the features before a new head.
        name: Name of the model.
        seed: Integer seed of dropouts and of the fusions' first weights, or
            `None`.

    Returns:
        A `FusedModel` over a dict of modalities. With new heads it is
        compiled as `MSAF` is; otherwise call `compile` with the loss that the
        networks' outputs need.

    A sample whose input is all zeros for a modality has that modality
    missing: it gets no attention, so the others share it, and its network's
    output does not enter the sum or the head. What padding does inside a
    network is up to the network. Where it has a Keras mask (`Masking`,
    `Embedding(mask_zero=True)`), fusion leaves out the padded steps and more
    padding changes nothing; where it has none, zeros at the end are data.

    Raises:
        ValueError: If a layer does not exist or the network cannot be cut
            there (says why, and where it can be), taps are out of order,
            the outputs do not fit together, or an argument is out of range.

    Example:

    ```python
    import keras
    import numpy as np
    import keras_mmfusion as mmf

    def network(channels):
        inputs = keras.Input((8, 8, channels))
        x = keras.layers.Conv2D(16, 3, activation="relu", name="conv1")(inputs)
        x = keras.layers.Conv2D(16, 3, activation="relu", name="conv2")(x)
        return keras.Model(inputs, keras.layers.GlobalAveragePooling2D()(x))

    networks = {"rgb": network(3), "depth": network(1)}
    taps = [{"rgb": "conv1", "depth": "conv1"}]
    model = mmf.models.fuse(networks, taps, num_classes=5)

    x = {"rgb": np.ones((4, 8, 8, 3)), "depth": np.ones((4, 8, 8, 1))}
    model.fit(x, np.arange(4), verbose=0)
    print(model.predict(x, verbose=0).shape)  # (4, 5)
    ```

    Reference:
        Su et al., MSAF: Multimodal Split Attention Fusion, arXiv 2012.07175;
        the published networks are built in this way from unimodal ones.
    """
    order = _checked_order(networks, taps)
    num_classes = whole_number("num_classes", num_classes, optional=True)
    num_targets = whole_number("num_targets", num_targets, optional=True)
    settings: dict[str, Any] = {
        "reduction_factor": reduction_factor,
        "attention_floor": attention_floor,
        "segments": segments,
        "block_dropout": dropout_rate("block_dropout", block_dropout),
        "seed": seed,
    }
    cuts = {m: CuttableNetwork(networks[m], m) for m in order}
    inputs = {
        m: keras.Input(cut.input.shape[1:], dtype=cut.input.dtype, name=m)
        for m, cut in cuts.items()
    }
    present = {m: IsPresent(name=f"{m}_present")(x) for m, x in inputs.items()}
    stages = {
        m: cut.stages([tap[m] for tap in taps if m in tap])
        for m, cut in cuts.items()
    }
    fusions = [
        SplitAttentionFusion(
            width,
            modalities=[m for m in order if m in tap],
            name=f"fusion{i}",
            **{**settings, "seed": part_seed(seed, f"fusion{i}")},
        )
        for i, (tap, width) in enumerate(_with_width(taps, block_channels), 1)
    ]
    features, attention = _through(fusions, stages, inputs, present)
    size = _size(num_classes, num_targets)
    if size is None:
        outputs = _own_outputs(features, present, cuts, combine)
    else:
        outputs = _new_heads(features, present, size, combine, dropout, seed)
    settings |= {
        "taps": [dict(tap) for tap in taps],
        "num_classes": num_classes,
        "num_targets": num_targets,
        "combine": combine,
        "block_channels": block_channels,
        "dropout": dropout_rate("dropout", dropout),
        "name": name,
    }
    return FusedModel(inputs, outputs, attention, networks, settings)


def _checked_order(
    networks: Mapping[str, Any], taps: Sequence[Mapping[str, str]]
) -> list[str]:
    """The modalities, sorted, so that the order of dicts never matters."""
    if not isinstance(networks, Mapping) or len(networks) < 2:
        raise ValueError(
            "`networks` must be a dict of two or more modalities to Keras "
            f"models. Received: {networks!r}"
        )
    if not isinstance(taps, list | tuple):
        raise ValueError(
            "`taps` must be a list with a dict for each fusion, empty for "
            f"late fusion. Received: {taps!r}"
        )
    for tap in taps:
        if not isinstance(tap, Mapping) or len(tap) < 2:
            raise ValueError(
                "A fusion needs a dict of two or more modalities to the name "
                f"of a layer each. Received: {tap!r}"
            )
        unknown = [m for m in tap if m not in networks]
        if unknown:
            raise ValueError(
                f"There is no network for the tapped modality '{unknown[0]}'."
                f"{closest(unknown[0], networks)} Modalities: "
                f"{sorted(networks)}."
            )
    return sorted(networks)


def _size(num_classes: int | None, num_targets: int | None) -> int | None:
    """Outputs of new heads, `None` without such."""
    if num_classes is None and num_targets is None:
        return None
    return output_size(num_classes, 1 if num_targets is None else num_targets)


def _with_width(
    taps: Sequence[Mapping[str, str]], width: int | Sequence[int]
) -> list[tuple[Mapping[str, str], int]]:
    """Every fusion's taps with its number of block channels."""
    widths = [width] * len(taps) if isinstance(width, int) else list(width)
    if len(widths) != len(taps):
        raise ValueError(
            f"`block_channels` must be a number, or a list of {len(taps)}, "
            f"one for each fusion. Received: {widths}"
        )
    return list(zip(taps, widths, strict=True))


def _through(
    fusions: Sequence[SplitAttentionFusion],
    stages: Mapping[str, Sequence[Stage | None]],
    inputs: Mapping[str, Tensor],
    present: Mapping[str, Tensor],
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Outputs of all networks, fused on the way, and the attention."""
    left = {m: list(parts) for m, parts in stages.items()}
    features, attention = dict(inputs), dict[str, Tensor]()
    masks: dict[str, Any] = dict.fromkeys(inputs)

    def run_next(m: str) -> None:
        stage = left[m].pop(0)
        if stage is not None:
            features[m], masks[m] = stage.run(features[m], masks[m])

    for fusion in fusions:
        tapped = fusion.modalities or []
        for m in tapped:
            run_next(m)
        valid = {
            m: ValidSteps(name=f"{m}_{fusion.name}_steps")(
                features[m], present[m], masks[m]
            )
            for m in tapped
        }
        fused, attention[fusion.name] = fusion(
            {m: features[m] for m in tapped}, mask=valid, return_attention=True
        )
        # Fusion attaches its mask to what it gives. This takes it off again:
        # a network gets the masks that it had, and no others.
        for m in tapped:
            layer = ZeroIfMissing(name=f"{m}_{fusion.name}")
            features[m] = layer(fused[m], present[m])
    for m in features:
        run_next(m)
    return features, attention


def _own_outputs(
    features: Mapping[str, Tensor],
    present: Mapping[str, Tensor],
    cuts: Mapping[str, CuttableNetwork],
    combine: str,
) -> Any:
    """What the networks give, added up or as a dict."""
    if combine == "none":
        return dict(features)
    if combine != "sum":
        raise ValueError(
            'Without `num_classes` or `num_targets`, `combine` must be "sum" '
            f'or "none". Received: combine={combine!r}'
        )
    shapes = {m: tuple(x.shape) for m, x in features.items()}
    if len(set(shapes.values())) > 1:
        raise ValueError(
            f"The networks' outputs do not add up: {shapes}. Pass "
            '`num_classes` for new heads, or combine="none".'
        )
    for m, cut in cuts.items():
        if cut.gives_probabilities:
            raise ValueError(
                f"The network of '{m}' ends in a softmax or sigmoid, and "
                "probabilities do not add up to probabilities. Build it "
                "without (`classifier_activation=None` in "
                "keras.applications), or pass `num_classes` for new heads on "
                'features, or combine="none".'
            )
    return keras.layers.Add(name="sum")(
        list(_zero_if_missing(features, present).values())
    )


def _new_heads(
    features: Mapping[str, Tensor],
    present: Mapping[str, Tensor],
    outputs: int,
    combine: str,
    dropout: float,
    seed: int | None,
) -> Any:
    """Dense heads on what the networks give."""
    shapes = {m: tuple(x.shape) for m, x in features.items()}
    if any(len(s) != 2 or s[1] is None for s in shapes.values()):
        raise ValueError(
            "New heads need networks that give vectors of features (B, C). "
            f"Received: {shapes}. End the network with global pooling "
            '(`include_top=False, pooling="avg"` in keras.applications).'
        )
    vectors = _zero_if_missing(features, present)
    return head(vectors, outputs, combine, dropout, seed)


def _zero_if_missing(
    outputs: Mapping[str, Tensor], present: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    """Outputs of the networks, without those for missing modalities."""
    return {
        m: ZeroIfMissing(name=f"{m}_output")(x, present[m])
        for m, x in outputs.items()
    }
