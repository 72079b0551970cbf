"""An official checkpoint made a preset."""

import hashlib
import os
from pathlib import Path
from typing import Any

from keras_mmfusion import presets
from keras_mmfusion.convert.load_official import load_official
from keras_mmfusion.convert.networks import NETWORKS
from keras_mmfusion.convert.official_network import OfficialNetwork
from keras_mmfusion.presets import golden

# One sample is enough to recognise the weights of networks that read clips.
LARGE_INPUT = 2**20


def checkpoint_to_preset(
    checkpoint: str | os.PathLike[str],
    preset: str,
    directory: str | os.PathLike[str],
) -> list[str]:
    """Writes a preset directory with the weights of an official checkpoint.

    The metadata say from which file the weights are; they hold no metrics,
    since nothing is evaluated.

    Args:
        checkpoint: Path of an official checkpoint, see `load_official`.
        preset: Built-in preset of the same network, `"mosei"` or
            `"msaf_mosei"`.
        directory: Where to; must be new or empty.

    Returns:
        Names of entries that were skipped since they carry no weights.

    Raises:
        ValueError: If the preset has no official network, the directory holds
            something, or the checkpoint does not fit.

    Example:

    ```python
    import keras_mmfusion as mmf

    try:
        mmf.convert.checkpoint_to_preset("none.pth", "mosei", "converted")
    except ValueError as error:
        print(error)  # There is no checkpoint file none.pth.
    ```
    """
    network, known = _network(preset)
    source, target = Path(checkpoint), Path(directory)
    if target.exists() and not (target.is_dir() and not any(target.iterdir())):
        raise ValueError(
            f"{target} exists and is not an empty directory. Choose a new one."
        )
    if not source.is_file():
        raise ValueError(f"There is no checkpoint file {source}.")
    model = presets.load(None, known, load_weights=False)
    skipped = load_official(model, source)
    model.save_to_preset(target, _metadata(model, network, known, source))
    return skipped


def _network(preset: str) -> tuple[OfficialNetwork, str]:
    """The network of a preset, and the preset's global name."""
    known = {
        name: network
        for network in NETWORKS
        for name in (network.preset, *network.parts)
    }
    for name, network in known.items():
        if preset in (name, name.partition("_")[2]):
            return network, name
    raise ValueError(
        f"No official network belongs to a preset '{preset}'. Known: "
        f"{', '.join(map(repr, known))}."
    )


def _metadata(
    model: Any, network: OfficialNetwork, preset: str, source: Path
) -> dict[str, Any]:
    entry = presets.all_presets()[preset]
    with source.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    shapes = golden.default_shapes(model)
    if any(_size(shape) > LARGE_INPUT for shape in shapes.values()):
        shapes = {m: [1, *shape[1:]] for m, shape in shapes.items()}
    return {
        "description": entry.description,
        "paper": entry.paper,
        "data": entry.data,
        "converted": {
            "network": network.name,
            "file": source.name,
            "sha256": digest,
            "size": source.stat().st_size,
        },
        "notes": "Converted from an official checkpoint by keras_mmfusion; "
        "not evaluated here, so there are no metrics.",
        "golden": {"inputs": shapes},
    }


def _size(shape: list[int]) -> int:
    result = 1
    for n in shape:
        result *= n
    return result
