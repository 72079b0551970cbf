"""Saving a model as a preset directory."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras

from keras_mmfusion import registry
from keras_mmfusion.presets import (
    building,
    card,
    golden,
    json_file,
    metadata_file,
    naming,
    storage,
    weights_file,
)
from keras_mmfusion.presets.building import WeightSpec


def save_preset(
    model: Any,
    directory: str | os.PathLike[str],
    metadata: Mapping[str, Any] | None = None,
) -> None:
    """Saves a model as a preset directory, the whole or nothing.

    Writes `config.json`, `model.safetensors` (float weights as float32),
    `metadata.json`, `predictions.json` if the metadata has `predictions`,
    and the card `README.md` unless there is one. A preset that is already
    there is replaced; if the process dies, the old or the new one is whole.

    Args:
        model: A functional model of a registered class.
        directory: Where to; created if needed.
        metadata: What the card shall say: `name`, `description`, `paper`,
            `data` (`name`, `licence`), `seeds`, `metrics`, `recipe`, `hub`,
            `predictions`. `trained=False` saves architecture and recipe
            without weights. `golden={"inputs": {modality: shape}}` chooses
            other sizes for the self-check than 2 samples of 16 steps.

    Raises:
        ValueError: If the model cannot be rebuilt from its config, has
            weights with automatic names, or NaN or infinite values, or if
            the metadata is not plain JSON.

    ```python
    import tempfile
    import keras_mmfusion as mmf
    from keras_mmfusion import presets

    model = mmf.models.MSAF.from_shapes(
        {"audio": (None, 3), "image": (4,)}, num_classes=2, units=16
    )
    with tempfile.TemporaryDirectory() as directory:
        presets.save_preset(model, directory, {"seeds": [0]})
        assert presets.read_metadata(directory)["seeds"] == [0]
    ```
    """
    extra = registry.plain_json(dict(metadata or {}), "metadata")
    trained = extra.pop("trained", True)
    if not isinstance(trained, bool):
        raise ValueError(
            f"metadata['trained'] must be true or false. Received: {trained!r}"
        )
    _save(model, Path(directory), trained, extra)


def _save(
    model: Any, directory: Path, trained: bool, extra: dict[str, Any]
) -> None:
    data = registry.to_config(model)
    weights = naming.named_weights(model)
    _refuse_unstable(model, data, building.specs_of(weights))
    arrays = {
        name: weights_file.stored(
            keras.ops.convert_to_numpy(weight.value), name
        )
        for name, weight in weights.items()
    }
    wanted = extra.pop("golden", None) or {}
    files = {storage.CONFIG: json_file.encode(data)}
    own_golden = None
    if trained:
        files[storage.WEIGHTS] = weights_file.encode(arrays)
        own_golden = golden.make(model, wanted.get("inputs"))
    if "predictions" in extra:
        files[storage.PREDICTIONS] = json_file.encode(extra.pop("predictions"))
    described = metadata_file.describe(
        data["class_name"], files, arrays, own_golden, trained, extra
    )
    files[storage.METADATA] = json_file.encode(described)
    metadata_file.check(described, storage.METADATA)
    if not (directory / storage.CARD).exists():
        title = directory.resolve().name
        text = card.render(described, title)
        files[storage.CARD] = text.encode("utf-8")
    storage.replace_files(directory, files)


def _refuse_unstable(
    model: Any, data: dict[str, Any], specs: dict[str, WeightSpec]
) -> None:
    again = building.weight_specs(data, naming.named_weights)
    problems = building.differences(specs, again)
    if problems:
        raise ValueError(
            f"{type(model).__name__} is not reproduced by its config, so it "
            "cannot be saved as a preset. Give every layer an explicit name "
            "and every argument a place in get_config(). Rebuilt from "
            f"get_config() it has: {'; '.join(problems)}"
        )
