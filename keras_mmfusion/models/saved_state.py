"""What a `.keras` file keeps that arguments of a model do not say."""

import json
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras

FILE = "frozen.json"


def as_config(model: keras.Model) -> dict[str, Any]:
    """Which of the model's layers do not train, by their numbers."""
    layers = _layers(model)
    frozen = [i for i, layer in enumerate(layers) if not layer.trainable]
    return {"layers": len(layers), "frozen": frozen}


def freeze(model: keras.Model, found: Mapping[str, Any]) -> None:
    """Does so to a model of the same config.

    Raises:
        ValueError: If it has another number of layers.
    """
    if not found["frozen"]:
        return
    layers = _layers(model)
    if len(layers) != found["layers"]:
        raise ValueError(
            f"The file tells which of {found['layers']} layers are frozen. "
            f"Received: a model of {len(layers)} layers, made by another "
            "version. Load its weights into a new model."
        )
    frozen = [layers[i] for i in found["frozen"]]
    for layer in frozen:
        layer.trainable = False
    # A frozen layer has frozen all within it; some may have been trained.
    held = {id(layer) for layer in frozen}
    for layer in layers:
        innermost = not any(layer._flatten_layers(include_self=False))
        if innermost and id(layer) not in held:
            layer.trainable = True


def write_state(model: keras.Model, folder: str) -> None:
    """Writes which layers are frozen, and the policy, into a file's folder."""
    state = {**as_config(model), "policy": model.dtype_policy.name}
    (Path(folder) / FILE).write_text(json.dumps(state), encoding="utf-8")


def read_state(model: keras.Model, folder: str | None) -> None:
    """Freezes what `write_state` told; nothing without its file.

    Files of earlier versions do not have it.
    """
    path = None if folder is None else Path(folder) / FILE
    if path is not None and path.exists():
        state = json.loads(path.read_text(encoding="utf-8"))
        compare_policy(model, state.get("policy"))
        freeze(model, state)


def compare_policy(model: keras.Model, policy: str | None) -> None:
    """Warns if a model is loaded with another policy than it was saved."""
    own = model.dtype_policy.name
    if policy not in (own, None):
        warnings.warn(
            f"The file is of a model of dtype policy {policy!r}; it is "
            f"loaded as {own!r}. To get it as it was, call "
            f"keras.config.set_dtype_policy({policy!r}) before.",
            UserWarning,
            stacklevel=2,
        )


def _layers(model: keras.Model) -> list[keras.layers.Layer]:
    """The model and all layers within it, however deep."""
    return list(model._flatten_layers(include_self=True, recursive=True))
