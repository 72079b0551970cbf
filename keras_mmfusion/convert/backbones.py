"""Official names of the IR-ResNet and VGGish weights in our variables."""

from typing import Any

import numpy as np

from keras_mmfusion.convert.official_weights import Assignments, OfficialWeights
from keras_mmfusion.encoders import IRResNetEncoder, VGGishEncoder


def ir_resnet(
    encoder: IRResNetEncoder, source: OfficialWeights, prefix: str
) -> Assignments:
    """`input_layer`, `body.<block>` and `output_layer`.

    Args:
        encoder: The encoder.
        source: The state dict.
        prefix: What stands before `input_layer`, with its dot.
    """
    stem = encoder.stages["stem"]
    name = f"{prefix}input_layer."
    assignments = [
        *convolution(stem.conv, source, f"{name}0."),
        *batch_norm(stem.norm, source, f"{name}1."),
        *_prelu(stem.prelu, source, f"{name}2."),
    ]
    blocks = [
        block
        for i in range(1, len(encoder.blocks) + 1)
        for block in encoder.stages[f"stage{i}"].blocks
    ]
    for i, block in enumerate(blocks):
        name = f"{prefix}body.{i}.res_layer."
        assignments += [
            *batch_norm(block.norm1, source, f"{name}0."),
            *convolution(block.conv1, source, f"{name}1."),
            *_prelu(block.prelu, source, f"{name}2."),
            *convolution(block.conv2, source, f"{name}3."),
            *batch_norm(block.norm2, source, f"{name}4."),
        ]
        if block.shortcut is not None:
            name = f"{prefix}body.{i}.shortcut_layer."
            assignments += [
                *convolution(block.shortcut, source, f"{name}0."),
                *batch_norm(block.shortcut_norm, source, f"{name}1."),
            ]
    embedding = encoder.stages["embedding"]
    name = f"{prefix}output_layer."
    channels = encoder.widths[-1]
    return [
        *assignments,
        *batch_norm(embedding.norm1, source, f"{name}0."),
        *dense(embedding.dense, source, f"{name}3.", channels),
        *batch_norm(embedding.norm2, source, f"{name}4."),
    ]


def vggish(
    encoder: VGGishEncoder, source: OfficialWeights, prefix: str
) -> Assignments:
    """`features.<n>` (convolutions) and `embeddings.<n>` (dense layers).

    The official network puts the channels last before it flattens.

    Args:
        encoder: The encoder.
        source: The state dict.
        prefix: What stands before `features`, with its dot.
    """
    assignments: Assignments = []
    position = 0
    for i in range(1, len(encoder.channels) + 1):
        for layer in encoder.stages[f"stage{i}"].convolutions:
            name = f"{prefix}features.{position}."
            assignments += convolution(layer, source, name)
            position += 2  # a convolution and its ReLU
        position += 1  # the pooling
    for i, layer in enumerate(encoder.stages["embedding"].dense):
        assignments += dense(layer, source, f"{prefix}embeddings.{2 * i}.")
    return assignments


def batch_norm(layer: Any, source: OfficialWeights, prefix: str) -> Assignments:
    """Scale, shift and both running statistics."""
    names = {
        "weight": layer.gamma,
        "bias": layer.beta,
        "running_mean": layer.moving_mean,
        "running_var": layer.moving_variance,
    }
    return [
        (variable, source.take(f"{prefix}{name}", tuple(variable.shape)))
        for name, variable in names.items()
    ]


def convolution(
    layer: Any, source: OfficialWeights, prefix: str
) -> Assignments:
    """A convolution along any number of axes, with or without bias."""
    *size, inputs, outputs = layer.kernel.shape
    kernel = source.take(f"{prefix}weight", (outputs, inputs, *size))
    axes = (*range(2, kernel.ndim), 1, 0)
    assignments = [(layer.kernel, kernel.transpose(axes))]
    if layer.use_bias:
        bias = source.take(f"{prefix}bias", (outputs,))
        assignments.append((layer.bias, bias))
    return assignments


def dense(
    layer: Any, source: OfficialWeights, prefix: str, channels_first: int = 1
) -> Assignments:
    """A dense layer; its inputs may be a map flattened channels first."""
    inputs, outputs = layer.kernel.shape
    kernel = source.take(f"{prefix}weight", (outputs, inputs))
    order = np.arange(inputs).reshape(channels_first, -1).T.ravel()
    return [
        (layer.kernel, kernel[:, order].T),
        (layer.bias, source.take(f"{prefix}bias", (outputs,))),
    ]


def _prelu(layer: Any, source: OfficialWeights, prefix: str) -> Assignments:
    shape = tuple(layer.alpha.shape)
    slope = source.take(f"{prefix}weight", (shape[-1],))
    return [(layer.alpha, slope.reshape(shape))]
