"""Names of the official RJCA and GRJCA state dicts in our variables."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from keras_mmfusion.convert.official_weights import Assignments, OfficialWeights
from keras_mmfusion.layers import GatedJointCrossAttention, JointCrossAttention

# The official code numbers its modalities in this order.
OFFICIAL_ORDER = ("video", "audio")

# Members of the official module that its forward pass never uses.
DEAD_IN_FUSION = r"(text_gating\w*|[va]regressor|Joint)\..*"


def joint_cross_attention(
    layer: JointCrossAttention, source: OfficialWeights, prefix: str = ""
) -> Assignments:
    """`dense_coattn.*` and `linears.*` of one step.

    Args:
        layer: A built layer.
        source: The state dict.
        prefix: What stands before `dense_coattn`, with its dot.
    """
    if layer.temporal_mixing != "dense":
        raise ValueError(
            "Official weights mix time steps with a full matrix, "
            'temporal_mixing="dense". Received a layer with '
            f'temporal_mixing="{layer.temporal_mixing}".'
        )
    widths = dict(zip(layer.order, layer.widths, strict=True))
    official = official_order(layer.order)
    d = sum(layer.widths)

    def linear(name: str, units: int, inputs: int) -> tuple[Any, Any]:
        name = f"{prefix}{name}."
        kernel = source.take(f"{name}weight", (units, inputs)).T
        return kernel, source.take(f"{name}bias", (units,))

    kernel, bias = linear("dense_coattn.query_linear", d, d)
    # The channels of J may stay in the official order, those of its inputs
    # come in ours.
    starts = np.cumsum([0, *(widths[m] for m in official)])
    rows = {
        m: np.arange(start, start + widths[m])
        for m, start in zip(official, starts, strict=False)
    }
    kernel = kernel[np.concatenate([rows[m] for m in layer.order])]
    assignments = [(layer.joint.kernel, kernel), (layer.joint.bias, bias)]
    for i, m in enumerate(layer.order):
        number = official.index(m)
        T = layer.key[i].dense.kernel.shape[0]
        kernel, bias = linear(f"dense_coattn.key{number + 1}_linear", T, T)
        key = layer.key[i].dense
        assignments += [(key.kernel, kernel), (key.bias, bias[:, None])]
        for dense, name, inputs in (
            (
                layer.value[i],
                f"dense_coattn.value{number + 1}_linear",
                widths[m],
            ),
            (layer.attention_output[i], f"linears.{number}.0", d),
        ):
            kernel, bias = linear(name, widths[m], inputs)
            assignments += [(dense.kernel, kernel), (dense.bias, bias)]
    return assignments


def gated_joint_cross_attention(
    layer: GatedJointCrossAttention, source: OfficialWeights, prefix: str = ""
) -> Assignments:
    """`coattn.dcn_layers.<i>.*` and the gates of GRJCA or HGRJCA.

    Without gates the names may also start with `dcn_layers`, as in RJCA's
    module of the steps alone.

    Args:
        layer: A built layer.
        source: The state dict.
        prefix: What stands before `coattn`, with its dot.
    """
    if layer.share_weights:
        raise ValueError(
            "The official code has its own weights for every step. Received a "
            "layer with share_weights=True."
        )
    source.skip(f"{prefix}{DEAD_IN_FUSION}")
    inner = "coattn."
    if layer.gate is None and not any(
        name.startswith(f"{prefix}coattn.") for name in source.names()
    ):
        inner = ""
    assignments: Assignments = []
    for k, attention in enumerate(layer.attention):
        assignments += joint_cross_attention(
            attention, source, f"{prefix}{inner}dcn_layers.{k}."
        )
    official = official_order(layer.order)
    names = OFFICIAL_ORDER if official == list(range(2)) else official
    for level, gates in layer.gates.items():
        for m, gate in zip(layer.order, gates, strict=True):
            name = f"{prefix}{names[official.index(m)]}_gating_fc_layer"
            if layer.gate == "hierarchical":
                name += level.replace("gate", "_stage")
            kernel = tuple(reversed(gate.kernel.shape))
            assignments += [
                (gate.kernel, source.take(f"{name}.weight", kernel).T),
                (gate.bias, source.take(f"{name}.bias", kernel[:1])),
            ]
    return assignments


def official_order(order: Sequence[Any]) -> list[Any]:
    """The modalities in the official order; other names in their own."""
    if set(order) == set(OFFICIAL_ORDER):
        return list(OFFICIAL_ORDER)
    return list(order)
