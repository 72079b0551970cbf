"""The names of the MEA reference for our weights, and back into layers."""

import re

import numpy as np

from keras_mmfusion import presets

RULES = [
    (r"^objective/", ""),
    (r"^(\w+)_exclusive_encoder/", r"encoder.exclusive.\1."),
    (r"^agnostic_encoder/", "encoder.agnostic."),
    (r"^(exclusive|agnostic)_graph/", r"graph.\1."),
    (r"^modality_discriminator/output/", "discriminator.modality.scores."),
    (r"^modality_discriminator/", "discriminator.modality."),
    (r"^importance_discriminator/", "discriminator.importance."),
    (r"^head_hidden/", "head.hidden."),
    (r"^head/", "head.output."),
    (r"^(exclusive|agnostic)(\d+)_(\w+?)/", r"\1.\2.\3."),
    (r"^agnostic(\d+)/", r"agnostic.\1."),
    (r"^(\w+)_conv/", r"extractor.\1.conv."),
    (r"^(\w+)_lstm/", r"extractor.\1."),
    (r"feed/norm/", "feed_norm/"),
    (r"feed/perceptron/", "feed/"),
    (r"context/", "output/"),
    (r"gamma$", "gain"),
    (r"beta$", "offset"),
    (r"recurrent_kernel$", "recurrent"),
    (r"([a-z]+)_hidden/(kernel|bias)$", r"\1/\2"),
    (r"([a-z]+)_score/kernel$", r"\1/score"),
    (r"\b([a-z]+)_(mixed|coarse)/", r"\1/\2/"),
    (r"\b([a-z]+)_fine_([a-z]+)/", r"\1/fine/\2/"),
    (r"/", "."),
]


def reference_name(path: str) -> str:
    for pattern, replacement in RULES:
        path = re.sub(pattern, replacement, path)
    return path


def by_reference_name(layer) -> dict:
    """Our trainable variables under the reference's names."""
    trainable = {id(v) for v in layer.trainable_weights}
    return {
        reference_name(path): variable
        for path, variable in presets.named_weights(layer).items()
        if id(variable) in trainable
    }


def assign(layer, weights, prefix: str = "") -> None:
    """Sets all trainable weights; names and shapes must be the same."""
    found = by_reference_name(layer)
    expected = {
        name.removeprefix(prefix): value
        for name, value in weights.items()
        if name.startswith(prefix)
    }
    assert sorted(found) == sorted(expected)
    for name, variable in found.items():
        assert tuple(variable.shape) == np.shape(expected[name]), name
        variable.assign(expected[name].astype("float32"))
