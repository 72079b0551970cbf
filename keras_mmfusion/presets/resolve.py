"""From a name to a directory: built in, on the Hub, on disk."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from keras_mmfusion import registry
from keras_mmfusion.presets import catalog, hub, reading, storage
from keras_mmfusion.presets.catalog import PresetEntry
from keras_mmfusion.presets.errors import (
    PresetFileError,
    PresetNotFoundError,
)


@dataclass(frozen=True)
class Location:
    """Where a preset lies, and how far links in it may lead."""

    directory: Path
    root: Path


def resolve(
    name: str | os.PathLike[str],
    class_names: Sequence[str] = (),
    with_weights: bool = True,
) -> Location:
    """Finds a preset; built-in names come before the Hub and the disk.

    Args:
        name: A built-in name of the class or a global name, then
            `"hf://owner/name[@revision]"`, then an existing directory.
        class_names: The classes whose short names count, the nearest first;
            none for global names only.
        with_weights: Whether the weights are needed.

    Raises:
        PresetNotFoundError: If there is no such preset.
    """
    if isinstance(name, str):
        entry = _built_in(name, class_names)
        if entry is not None:
            return _locate(entry, with_weights)
        if name.startswith(hub.SCHEME):
            return Location(hub.download(name, with_weights), hub.cache())
    if not isinstance(name, str | os.PathLike):
        raise ValueError(
            "A preset is named by text or by a path. Received: "
            f"{name!r} of type {type(name).__name__}"
        )
    path = os.path.expanduser(name)
    if os.path.isdir(path):
        return Location(Path(path), Path(path))
    raise _not_found(name, class_names)


def _built_in(name: str, class_names: Sequence[str]) -> PresetEntry | None:
    own = catalog.presets_of(*class_names)
    return own[name] if name in own else catalog.find_global(name)


def _locate(entry: PresetEntry, with_weights: bool) -> Location:
    folder = entry.folder
    here = (storage.valid_folder(folder) / storage.WEIGHTS).exists()
    if here or not (entry.trained and with_weights and entry.hub):
        return Location(folder, folder)
    directory = hub.download(entry.hub)
    theirs = reading.read_metadata(directory, root=hub.cache())
    ours = reading.read_metadata(folder)
    for name in (storage.CONFIG, storage.WEIGHTS):
        if theirs["files"].get(name) != ours["files"][name]:
            raise PresetFileError(
                f"{entry.hub} holds another {name} than the built-in preset "
                f"'{entry.global_name}' was published with."
            )
    return Location(directory, hub.cache())


def _not_found(
    name: str | os.PathLike[str], class_names: Sequence[str]
) -> PresetNotFoundError:
    own = catalog.presets_of(*class_names)
    known = list(own) or list(catalog.all_presets())
    of = f" of {class_names[0]}" if own else ""
    text = str(name)
    near = registry.closest(text, known)
    if "://" in text:
        near = f" The only address understood is {hub.SCHEME}owner/name."
    return PresetNotFoundError(
        f"There is no preset {text!r}{of}.{near} Built-in presets{of}: "
        f"{', '.join(known) or 'none'}. A preset on the Hub is named "
        f"'{hub.SCHEME}owner/name[@revision]', a preset on disk by the path "
        "of an existing directory."
    )
