"""Names of the official MSAF state dicts (anita-hu/MSAF) in our variables."""

from typing import Any

import numpy as np

from keras_mmfusion.convert.official_network import OfficialNetwork
from keras_mmfusion.convert.official_weights import Assignments, OfficialWeights
from keras_mmfusion.encoders import LSTMEncoder
from keras_mmfusion.layers import SplitAttentionFusion
from keras_mmfusion.models import MSAF


def split_attention(
    layer: SplitAttentionFusion,
    source: OfficialWeights,
    prefix: str = "",
    official_order: tuple[str, ...] | None = None,
) -> Assignments:
    """`blocks.<segment>.*`; one Linear per block becomes one stacked kernel.

    Args:
        layer: A built layer.
        source: The state dict.
        prefix: What stands before `blocks`, with its dot.
        official_order: The modalities in the order of the official blocks, if
            it is not the layer's own.
    """
    C = layer.block_channels
    reduced = C // layer.reduction_factor
    blocks = dict(zip(layer.order, layer.blocks, strict=True))
    order = official_order or layer.order
    official = [(m, i) for m in order for i in range(blocks[m])]
    official_index = [
        official.index((m, i)) for m in layer.order for i in range(blocks[m])
    ]

    joint_kernel, joint_bias, kernel, bias = [], [], [], []
    norm: dict[str, list[np.ndarray]] = {
        "weight": [],
        "bias": [],
        "running_mean": [],
        "running_var": [],
    }
    for s in range(layer.segments):
        name = f"{prefix}blocks.{s}."
        joint = f"{name}joint_features."
        joint_kernel.append(source.take(f"{joint}0.weight", (reduced, C)).T)
        joint_bias.append(source.take(f"{joint}0.bias", (reduced,)))
        for key, values in norm.items():
            values.append(source.take(f"{joint}1.{key}", (reduced,)))
        dense = [f"{name}dense_group.{k}." for k in official_index]
        kernel.append([source.take(f"{d}weight", (C, reduced)) for d in dense])
        bias.append([source.take(f"{d}bias", (C,)) for d in dense])

    norm_layer = layer.joint_norm
    return [
        (layer.joint.kernel, np.stack(joint_kernel)),
        (layer.joint.bias, np.stack(joint_bias)),
        (norm_layer.gamma, np.concatenate(norm["weight"])),
        (norm_layer.beta, np.concatenate(norm["bias"])),
        (norm_layer.moving_mean, np.concatenate(norm["running_mean"])),
        (norm_layer.moving_variance, np.concatenate(norm["running_var"])),
        # (segment, block, C, reduced) to (segment, reduced, block, C)
        (layer.attention.kernel, np.array(kernel).transpose(0, 3, 1, 2)),
        (layer.attention.bias, np.array(bias)),
    ]


def is_recurrent(model: Any) -> bool:
    """Whether a model has the form of the network on CMU-MOSEI."""
    return (
        isinstance(model, MSAF)
        and all(isinstance(e, LSTMEncoder) for e in model.encoders.values())
        and len(model.fusions) == 1
        and model.combine == "concat"
    )


def recurrent_network(model: MSAF, source: OfficialWeights) -> Assignments:
    """The CMU-MOSEI network: two LSTMs per modality, one fusion, one head."""
    assignments = split_attention(
        model.get_layer("fusion1"), source, "msaf.0.", tuple(model.modalities)
    )
    features = 0
    for m in model.modalities:
        for i, stage in enumerate(model.encoders[m].stages.values()):
            assignments += lstm(stage, source, f"{m}_model.{i}.")
        features += model.encoders[m].units
    head = model.get_layer("head")
    units = head.units
    name = "multimodal_classifier.0."
    kernel = source.take(f"{name}weight", (units, features)).T
    return [
        *assignments,
        (head.kernel, kernel),
        (head.bias, source.take(f"{name}bias", (units,))),
    ]


def lstm(layer: Any, source: OfficialWeights, prefix: str) -> Assignments:
    """PyTorch orders the gates i, f, g, o as Keras does, with two biases."""
    gates = 4 * layer.units
    width = layer.kernel.shape[0]

    def take(name: str, shape: tuple[int, ...]) -> np.ndarray:
        return source.take(f"{prefix}{name}_l0", shape)

    return [
        (layer.kernel, take("weight_ih", (gates, width)).T),
        (layer.recurrent_kernel, take("weight_hh", (gates, layer.units)).T),
        (layer.bias, take("bias_ih", (gates,)) + take("bias_hh", (gates,))),
    ]


MOSEI = OfficialNetwork(
    name="MSAF on CMU-MOSEI",
    preset="msaf_mosei",
    sign=r"\w+_model\.\d+\.weight_ih_l0",
    fits=is_recurrent,
    read=recurrent_network,
)
