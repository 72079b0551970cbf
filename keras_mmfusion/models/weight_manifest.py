"""Which weights a file holds, beside Keras' own, which are by position."""

import json
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np

# The entry of a file that says which weight is meant at each position.
MANIFEST = "manifest"
_MODALITY = "modality "


def write_manifest(model: Any, store: Any) -> None:
    """Adds to a file what its weights are called."""
    text = json.dumps([*_modalities(model), *_described_weights(model)])
    store[MANIFEST] = np.frombuffer(text.encode(), "uint8")


def check_manifest(model: Any, store: Any) -> None:
    """Raises if a file was written by a model of other weights.

    Names, shapes and order are compared. Layers that Keras numbered
    (`dense_7`) are compared by their number within the model.

    Raises:
        ValueError: If they differ; says in what.
    """
    text = np.asarray(store[MANIFEST]).tobytes().decode()
    saved, own = json.loads(text), [*_described_weights(model)]
    # Files of earlier versions, of `fuse` alone, name the weights only.
    if any(entry.startswith(_MODALITY) for entry in saved):
        own = [*_modalities(model), *own]
    if saved == own:
        return
    missing = [name for name in own if name not in saved]
    unknown = [name for name in saved if name not in own]
    difference = (
        f"Not in the file: {missing[:3]} ({len(missing)} in all); not in the "
        f"model: {unknown[:3]} ({len(unknown)} in all)."
    )
    if not missing and not unknown:
        difference = (
            "The weights are the same in another order: build the model with "
            "the modalities and layers in the order of the one that was saved."
        )
    # Keras adds scales to what it quantizes.
    if any("/kernel_scale " in name for name in [*missing, *unknown]):
        difference += (
            " Either the file or the model is quantized: call the same "
            "`quantize` before `load_weights`."
        )
    raise ValueError(
        f"These weights belong to another {type(model).__name__}: its "
        "modalities, their order, its layers or its heads differ. "
        f"{difference} The modalities of this model: {model.modalities}"
    )


def _modalities(model: Any) -> list[str]:
    """Layers that fuse hold weights by modality, in the model's order."""
    return [f"{_MODALITY}{name}" for name in model.modalities]


def _described_weights(model: Any) -> Iterator[str]:
    """Part, layer, name and shape of every weight, in Keras' order."""
    for part in model.layers:
        inner = part.layers if isinstance(part, keras.Model) else [part]
        for name, layer in zip(_stable_names(inner), inner, strict=True):
            for weight in layer.weights:
                # Keras merges these into the kernel when it saves.
                if weight.name.startswith("lora_"):
                    continue
                shape = "x".join(map(str, weight.shape))
                yield f"{part.name}/{name}/{weight.name} {shape}"


def _stable_names(layers: list[Any]) -> list[str]:
    """Names of layers; those that Keras numbered are numbered from here."""
    counts: Counter[str] = Counter()
    names = []
    for layer in layers:
        base = re.sub(r"_\d+$", "", layer.name)
        spelled = base.replace("_", "")
        if spelled == type(layer).__name__.lower():
            counts[base] += 1
            names.append(f"{base}#{counts[base]}")
        else:
            names.append(layer.name)
    return names
