"""Official names of the MSAF network on RAVDESS in our variables."""

from typing import Any

from keras_mmfusion.convert.backbones import batch_norm, convolution, dense
from keras_mmfusion.convert.msaf import split_attention
from keras_mmfusion.convert.official_network import OfficialNetwork
from keras_mmfusion.convert.official_weights import Assignments, OfficialWeights
from keras_mmfusion.encoders import MFCCEncoder, ResNeXt3DEncoder
from keras_mmfusion.models import MSAF

VIDEO = "video_model_blocks."
AUDIO = "audio_model_blocks."
# Official block, and position in it, of what follows the stem.
STAGES = {
    "stage1": "0.3.",
    "stage2": "0.4.",
    "stage3": "0.5.",
    "stage4": "1.0.",
}


def fits(model: Any) -> bool:
    """Whether a model has this network's encoders, fusions and heads."""
    if not isinstance(model, MSAF) or set(model.encoders) != {"video", "audio"}:
        return False
    video, audio = model.encoders["video"], model.encoders["audio"]
    return (
        isinstance(video, ResNeXt3DEncoder)
        and isinstance(audio, MFCCEncoder)
        and len(video.blocks) == len(STAGES)
        and len(model.fusions) == 2
        and model.combine != "concat"
    )


def network(model: MSAF, source: OfficialWeights) -> Assignments:
    """The whole network: two encoders, two fusions, a head for each encoder.

    Args:
        model: An `MSAF` that `fits`.
        source: The state dict of the whole official network.
    """
    video, audio = model.encoders["video"], model.encoders["audio"]
    if video.stem_relu:
        raise ValueError(
            "The official fused network has no ReLU in the stem of its video "
            "network. Received: an encoder with stem_relu=True, with which "
            "its weights would give other numbers. Build it with "
            "stem_relu=False, as the preset 'msaf_ravdess' does."
        )
    official_order = ("video", "audio")
    assignments: Assignments = []
    for i in range(2):
        assignments += split_attention(
            model.get_layer(f"fusion{i + 1}"),
            source,
            f"msaf.{i}.",
            official_order,
        )
    return [
        *assignments,
        *resnext(video, source),
        *mfcc(audio, source),
        *dense(model.get_layer("head_video"), source, f"{VIDEO}2.2."),
        *dense(
            model.get_layer("head_audio"),
            source,
            f"{AUDIO}2.2.",
            audio.channels[-1],
        ),
    ]


def resnext(encoder: ResNeXt3DEncoder, source: OfficialWeights) -> Assignments:
    """Stem and residual blocks of the video network."""
    stem = encoder.stages["stem"]
    assignments = [
        *convolution(stem.conv, source, f"{VIDEO}0.0."),
        *batch_norm(stem.norm, source, f"{VIDEO}0.1."),
    ]
    for stage, place in STAGES.items():
        for b, block in enumerate(encoder.stages[stage].blocks):
            name = f"{VIDEO}{place}{b}."
            assignments += [
                *_pointwise(block.conv1, source, f"{name}conv1."),
                *batch_norm(block.norm1, source, f"{name}bn1."),
                *convolution(block.conv2, source, f"{name}conv2."),
                *batch_norm(block.norm2, source, f"{name}bn2."),
                *_pointwise(block.conv3, source, f"{name}conv3."),
                *batch_norm(block.norm3, source, f"{name}bn3."),
            ]
            if block.shortcut is not None:
                name = f"{name}downsample."
                assignments += [
                    *_pointwise(block.shortcut, source, f"{name}0."),
                    *batch_norm(block.shortcut_norm, source, f"{name}1."),
                ]
    return assignments


def mfcc(encoder: MFCCEncoder, source: OfficialWeights) -> Assignments:
    """The three convolutions of the audio network."""
    first, second, third = (
        encoder.stages[stage] for stage in ("conv1", "conv2", "conv3")
    )
    return [
        *convolution(first.conv, source, f"{AUDIO}0.0."),
        *batch_norm(first.norm, source, f"{AUDIO}0.2."),
        *convolution(second.conv, source, f"{AUDIO}0.3."),
        *batch_norm(third.pool_norm, source, f"{AUDIO}1.1."),
        *convolution(third.conv, source, f"{AUDIO}1.3."),
        *batch_norm(third.norm, source, f"{AUDIO}1.5."),
    ]


def _pointwise(layer: Any, source: OfficialWeights, prefix: str) -> Assignments:
    """A 1x1x1 convolution, which is a dense layer here."""
    inputs, outputs = layer.kernel.shape
    kernel = source.take(f"{prefix}weight", (outputs, inputs, 1, 1, 1))
    return [(layer.kernel, kernel[:, :, 0, 0, 0].T)]


RAVDESS = OfficialNetwork(
    name="MSAF on RAVDESS",
    preset="msaf_ravdess",
    sign=r"video_model_blocks\..*",
    fits=fits,
    read=network,
)
