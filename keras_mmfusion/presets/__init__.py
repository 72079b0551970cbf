"""Trained models by name: saved whole, verified, loaded or refused."""

import os
from typing import Any

from keras_mmfusion import registry
from keras_mmfusion.presets.building import postpone
from keras_mmfusion.presets.catalog import (
    PresetEntry,
    all_presets,
    find_global,
    presets_of,
    weights_directory,
)
from keras_mmfusion.presets.directory import (
    PresetReport,
    load_preset,
    load_preset_weights,
    verify_preset,
)
from keras_mmfusion.presets.errors import (
    PresetError,
    PresetFileError,
    PresetNotFoundError,
    PresetNotPermittedError,
    PresetNotReachableError,
    PresetUntrainedError,
)
from keras_mmfusion.presets.hub import upload_preset
from keras_mmfusion.presets.naming import automatic_names, named_weights
from keras_mmfusion.presets.reading import read_metadata
from keras_mmfusion.presets.resolve import resolve
from keras_mmfusion.presets.saving import save_preset

__all__ = [
    "PresetEntry",
    "PresetError",
    "PresetFileError",
    "PresetNotFoundError",
    "PresetNotPermittedError",
    "PresetNotReachableError",
    "PresetReport",
    "PresetUntrainedError",
    "all_presets",
    "automatic_names",
    "find_global",
    "load",
    "load_preset",
    "load_preset_weights",
    "named_weights",
    "postpone",
    "presets_of",
    "read_metadata",
    "save_preset",
    "upload_preset",
    "verify_preset",
    "weights_directory",
]


def load(
    cls: type | None,
    name: str | os.PathLike[str],
    load_weights: bool = True,
    **overrides: Any,
) -> Any:
    """Loads a preset by name, Hub address or directory.

    Args:
        cls: The class expected; its short names count, and those of its
            parents, whose presets give a model of `cls`. `None` takes any
            class, by global name.
        name: `"mosei"`, `"msaf_mosei"`, `"hf://owner/name[@revision]"` or
            an existing directory, in this order.
        load_weights: `False` gives the untrained network.
        **overrides: Arguments of the class to replace before building.

    Returns:
        The model.

    Raises:
        PresetNotFoundError: If there is no such preset.
        PresetNotReachableError: If the Hub does not answer.
        PresetNotPermittedError: If the Hub refuses.
        PresetUntrainedError: If weights are wanted and there are none.
        PresetFileError: If a file is damaged, or the preset is of another
            class.
        ValueError: If an override is unknown or the weights do not fit it.

    ```python
    import tempfile
    import keras_mmfusion as mmf
    from keras_mmfusion import presets

    MSAF = mmf.models.MSAF
    model = MSAF.from_shapes(
        {"audio": (None, 3), "image": (4,)}, num_classes=2, units=16
    )
    with tempfile.TemporaryDirectory() as directory:
        presets.save_preset(model, directory)
        again = presets.load(MSAF, directory)
    assert again.get_config() == model.get_config()
    ```
    """
    if not isinstance(load_weights, bool):
        raise ValueError(
            "`load_weights` must be True or False. "
            f"Received: load_weights={load_weights!r}"
        )
    class_names = [] if cls is None else registry.lineage(cls)
    location = resolve(name, class_names, load_weights)
    subclass = None
    if cls is not None:
        found = read_metadata(location.directory, root=location.root)
        subclass = _subclass(cls, found["class_name"], name)
    return load_preset(
        location.directory,
        load_weights,
        overrides,
        root=location.root,
        subclass=subclass,
    )


def _subclass(
    cls: type, found: str, name: str | os.PathLike[str]
) -> type | None:
    """The class to build in place of the preset's, if it is not that."""
    own = registry.lookup(found)
    if issubclass(own, cls):
        return None
    if issubclass(cls, own):
        return cls
    raise PresetFileError(
        f"The preset {str(name)!r} holds a {found}, not a "
        f"{cls.__name__}. Load it with {found}.from_preset."
    )
