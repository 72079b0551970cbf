"""A small MEA with the weights of the reference, and data for both."""

import dataclasses
from typing import Any

import numpy as np

from keras_mmfusion import models
from tests.reference.mea_weights import FORMS, Config, random_weights
from tests.reference_weights import assign

NAMES = ("text", "audio", "video")
SMALL = Config(
    input_widths=(7, 5, 3),
    kernel_sizes=(3, 3, 5),
    width=8,
    latent=6,
    heads=2,
    mix=0.4,
    exclusive_layers=2,
    agnostic_layers=1,
)
# The third sample lacks audio and the fourth has video alone.
LENGTHS = {"text": (4, 5, 2, 0), "audio": (6, 2, 0, 0), "video": (3, 4, 5, 1)}


def config(**changes: Any) -> Config:
    return dataclasses.replace(SMALL, **changes)


def inputs(padding: int = 0) -> dict[str, np.ndarray]:
    """Zero-padded float32 sequences; padding does not change the values."""
    found = {}
    for i, (m, width) in enumerate(zip(NAMES, SMALL.input_widths, strict=True)):
        rng = np.random.default_rng(i)
        x = np.zeros((4, max(LENGTHS[m]) + padding, width), "float32")
        for b, n in enumerate(LENGTHS[m]):
            x[b, :n] = rng.normal(size=(n, width))
        found[m] = x
    return found


def labels(c: Config) -> Any:
    rng = np.random.default_rng(5)
    if c.task == "regression":
        return rng.normal(size=(4, c.outputs)).astype("float32")
    if c.task == "classification":
        return rng.integers(0, c.outputs, 4)
    return rng.integers(0, 2, (4, c.outputs // 2))


def model_of(c: Config, weights: Any = None, **arguments: Any) -> models.MEA:
    """Our model of a reference configuration, without dropout."""
    tasks: dict[str, dict[str, Any]] = {
        "regression": {"num_targets": c.outputs},
        "classification": {"num_classes": c.outputs},
        "binary_heads": {"binary_heads": c.outputs // 2},
    }
    forms = {name for name, f in FORMS.items() if f["bounded"] == c.bounded}
    same = (
        "mix mixing chain self_attention weighting weighting_last_only "
        "levels low_level_sources exclusive agnostic disparity adversary "
        "importance fusion self_loops pool alpha beta reversal width "
        "latent exclusive_layers agnostic_layers "
    )
    model = models.MEA(
        {
            m: (None if c.steps is None else c.steps[i], c.input_widths[i])
            for i, m in enumerate(c.modalities)
        },
        **tasks[c.task],
        form=forms.pop(),
        num_heads=c.heads,
        kernel_sizes=dict(zip(c.modalities, c.kernel_sizes or (), strict=True)),
        modalities=c.modalities,
        input_dropout=0.0,
        attention_dropout=0.0,
        residual_dropout=0.0,
        head_dropout=0.0,
        **{name: getattr(c, name) for name in same.split()},
        **arguments,
    )
    assign(model, random_weights(c) if weights is None else weights)
    return model
