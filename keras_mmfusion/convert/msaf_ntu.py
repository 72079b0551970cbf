"""Names of the official MSAF network on NTU RGB+D (I3D + HCN) in ours."""

from typing import Any

from keras_mmfusion.convert.backbones import (
    batch_norm,
    convolution,
    dense,
)
from keras_mmfusion.convert.msaf import split_attention
from keras_mmfusion.convert.official_network import OfficialNetwork
from keras_mmfusion.convert.official_weights import Assignments, OfficialWeights
from keras_mmfusion.encoders import HCNEncoder, I3DEncoder
from keras_mmfusion.encoders.i3d_encoder import MIXED
from keras_mmfusion.models import MSAF

# Number of every Mixed block among the official layers.
MIXED_NUMBERS = dict(zip(MIXED, (5, 6, 8, 9, 10, 11, 12, 14, 15), strict=True))
CLASSIFIER_NUMBER = 18
# The official blocks of the first fusion: the video, then every person.
VIDEO, SKELETON = "video", "skeleton"


def fits(model: Any) -> bool:
    """Whether a model has this network's encoders, fusions and heads."""
    if not isinstance(model, MSAF) or set(model.encoders) != {VIDEO, SKELETON}:
        return False
    return (
        isinstance(model.encoders[VIDEO], I3DEncoder)
        and isinstance(model.encoders[SKELETON], HCNEncoder)
        and len(model.fusions) == 2
        and model.combine != "concat"
    )


def network(model: MSAF, source: OfficialWeights) -> Assignments:
    """`visual`, `skeleton`, `msaf1` and `msaf2`.

    Args:
        model: An `MSAF` that `fits`.
        source: The state dict of the whole official network.
    """
    encoders = model.encoders
    assignments = [
        *i3d(encoders[VIDEO], source, "visual.features."),
        *hcn(encoders[SKELETON], source, "skeleton."),
    ]
    for i in (1, 2):
        layer = model.get_layer(f"fusion{i}")
        persons = [s for s in layer.order if s != VIDEO]
        assignments += split_attention(
            layer, source, f"msaf{i}.", (VIDEO, *persons)
        )
    video, skeleton = (model.get_layer(f"head_{m}") for m in (VIDEO, SKELETON))
    inputs, outputs = video.kernel.shape
    name = f"visual.features.{CLASSIFIER_NUMBER}."
    kernel = source.take(f"{name}weight", (outputs, inputs, 1, 1, 1))
    return [
        *assignments,
        (video.kernel, kernel[:, :, 0, 0, 0].T),
        (video.bias, source.take(f"{name}bias", (outputs,))),
        *dense(skeleton, source, "skeleton.fc8."),
    ]


def i3d(
    encoder: I3DEncoder, source: OfficialWeights, prefix: str = "features."
) -> Assignments:
    """`<n>.conv` and `<n>.bn`; in Mixed blocks behind `branch<i>.<j>`.

    Args:
        encoder: The encoder.
        source: The state dict.
        prefix: What stands before the number of a layer, with its dot.
    """
    stem = encoder.stages["stem"]
    assignments: Assignments = []
    for number, unit in ((0, stem.unit1), (2, stem.unit2), (3, stem.unit3)):
        assignments += _unit(unit, source, f"{prefix}{number}.")
    for block, number in MIXED_NUMBERS.items():
        for i, branch in enumerate(encoder.stages[block].branches):
            # The last branch begins with its pooling.
            first = 1 if i == 3 else 0
            for j, unit in enumerate(branch, start=first):
                name = f"{prefix}{number}.branch{i}.{j}."
                assignments += _unit(unit, source, name)
    return assignments


def hcn(
    encoder: HCNEncoder, source: OfficialWeights, prefix: str = ""
) -> Assignments:
    """`conv1`, ..., `conv6` and `fc7`; the motion's end with an `m`.

    Args:
        encoder: The encoder.
        source: The state dict.
        prefix: What stands before `conv1`, with its dot.
    """
    stages = encoder.stages
    assignments: Assignments = []
    for network, kind in zip(stages["conv4"].networks, ("", "m"), strict=True):
        for name in ("conv1", "conv2", "conv3", "conv4"):
            # All but the second stand in a sequence with what follows them.
            place = "" if name == "conv2" else "0."
            assignments += convolution(
                getattr(network, name), source, f"{prefix}{name}{kind}.{place}"
            )
    for name in ("conv5", "conv6"):
        assignments += convolution(
            stages[name].conv, source, f"{prefix}{name}.0."
        )
    channels = stages["conv6"].conv.filters
    fc7 = stages["fc7"].dense
    return [*assignments, *dense(fc7, source, f"{prefix}fc7.0.", channels)]


def _unit(unit: Any, source: OfficialWeights, prefix: str) -> Assignments:
    """Convolution without bias, and batch normalisation."""
    return [
        *convolution(unit.conv, source, f"{prefix}conv."),
        *batch_norm(unit.norm, source, f"{prefix}bn."),
    ]


NTU = OfficialNetwork(
    name="MSAF on NTU RGB+D",
    preset="msaf_ntu",
    sign=r"skeleton\.conv\dm\..*",
    fits=fits,
    read=network,
)
