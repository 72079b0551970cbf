"""Names of the official RJCA and GRJCA state dicts in our variables."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from keras_mmfusion.convert.backbones import batch_norm, ir_resnet, vggish
from keras_mmfusion.convert.official_network import OfficialNetwork
from keras_mmfusion.convert.official_weights import Assignments, OfficialWeights
from keras_mmfusion.encoders import (
    ChainedEncoder,
    Encoder,
    IRResNetEncoder,
    TCNEncoder,
    VGGishEncoder,
)
from keras_mmfusion.layers import GatedJointCrossAttention, JointCrossAttention
from keras_mmfusion.models import GRJCA

# The official code numbers its modalities in this order, and calls the audio
# network by what goes into it.
OFFICIAL_ORDER = ("video", "audio")
OFFICIAL_NETWORKS = {"video": "video", "audio": "logmel"}

# Members of the official module that its forward pass never uses.
DEAD_IN_FUSION = r"(text_gating\w*|[va]regressor|Joint)\..*"
# Every convolution is listed twice; text features are computed and not used;
# the face network keeps the classifier that it was trained with.
DEAD_IN_NETWORK = (
    r"temporal\..*\.net\..*|(temporal|bn)\.bert\..*|spatial\.visual\.logits\..*"
)


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


def network(model: GRJCA, source: OfficialWeights) -> Assignments:
    """The whole official network, or what is behind its backbones.

    Args:
        model: A `GRJCA` with a `TCNEncoder` for `video` and `audio`, alone
            or chained behind an `IRResNetEncoder` and a `VGGishEncoder`. If
            they are alone, the backbones' weights are skipped.
        source: The state dict of the whole official network.
    """
    source.skip(DEAD_IN_NETWORK)
    assignments: Assignments = []
    for m, name in OFFICIAL_NETWORKS.items():
        kind = "visual" if m == "video" else "audio"
        backbone, temporal = _parts(model, m)
        norm = temporal.stages["norm"]
        if backbone is None:
            source.skip(rf"spatial\.{kind}\..*")
        else:
            read = ir_resnet if m == "video" else vggish
            assignments += read(backbone, source, f"spatial.{kind}.backbone.")
        assignments += temporal_network(temporal, source, f"temporal.{name}.")
        assignments += batch_norm(norm, source, f"bn.{name}.")
    assignments += gated_joint_cross_attention(model.fusion, source, "GRJCA.")
    return assignments + _head(model, source)


def _parts(model: GRJCA, m: str) -> tuple[Any, Any]:
    """Backbone, or `None`, and temporal network of a modality."""
    encoder = model.encoders.get(m)
    parts: list[Encoder | None] = [None, encoder]
    if isinstance(encoder, ChainedEncoder):
        parts = encoder.encoders
    backbone = IRResNetEncoder if m == "video" else VGGishEncoder
    fits = (
        set(model.encoders) == set(OFFICIAL_ORDER)
        and len(parts) == 2
        and isinstance(parts[0], backbone | None)
        and isinstance(parts[1], TCNEncoder)
    )
    if not fits:
        raise ValueError(
            "Official weights fit a GRJCA with a TCNEncoder for 'video' and "
            "one for 'audio', each alone or chained behind IRResNetEncoder "
            "and VGGishEncoder. Received encoders: "
            f"{ {m: type(e).__name__ for m, e in model.encoders.items()} }"
        )
    return parts[0], parts[1]


def temporal_network(
    encoder: TCNEncoder, source: OfficialWeights, prefix: str
) -> Assignments:
    """`network.<i>.*`: gain and direction of every convolution."""
    assignments: Assignments = []
    for i, width in enumerate(encoder.channels):
        block = encoder.stages[f"block{i + 1}"]
        name = f"{prefix}network.{i}."
        for convolution in block.convolutions:
            conv = f"{name}{convolution.name}."
            k, inputs = convolution.kernel_size, convolution.channels
            v = source.take(f"{conv}weight_v", (width, inputs, k))
            g = source.take(f"{conv}weight_g", (width, 1, 1))
            assignments += [
                (convolution.direction, v.transpose(2, 1, 0)),
                (convolution.gain, g[:, 0, 0]),
                (convolution.bias, source.take(f"{conv}bias", (width,))),
            ]
        if block.shortcut is not None:
            inputs = block.shortcut.kernel.shape[0]
            kernel = source.take(f"{name}downsample.weight", (width, inputs, 1))
            bias = source.take(f"{name}downsample.bias", (width,))
            assignments += [
                (block.shortcut.kernel, kernel[..., 0].T),
                (block.shortcut.bias, bias),
            ]
    return assignments


def _head(model: GRJCA, source: OfficialWeights) -> Assignments:
    """`regressor1`, `bn1` and `regressor2`."""
    head = model.head
    widths = dict(
        zip(model.fusion.order, model.fusion.attention[0].widths, strict=True)
    )
    inputs, units = head.hidden.kernel.shape
    kernel = source.take("regressor1.weight", (units, inputs)).T
    start = widths["video"]
    rows = {"video": kernel[:start], "audio": kernel[start:]}
    outputs = head.output_dense.units
    return [
        (
            head.hidden.kernel,
            np.concatenate([rows[m] for m in model.modalities]),
        ),
        (head.hidden.bias, source.take("regressor1.bias", (units,))),
        *batch_norm(head.norm, source, "bn1."),
        (
            head.output_dense.kernel,
            source.take("regressor2.weight", (outputs, units)).T,
        ),
        (head.output_dense.bias, source.take("regressor2.bias", (outputs,))),
    ]


AFFWILD2 = OfficialNetwork(
    name="GRJCA on Aff-Wild2",
    preset="grjca_affwild2",
    sign=r"GRJCA\..*",
    fits=lambda model: isinstance(model, GRJCA),
    read=network,
    parts=("grjca_affwild2_features",),
)
