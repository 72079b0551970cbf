"""The presets that come with the library, read from their folders."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from keras_mmfusion.presets import reading, storage
from keras_mmfusion.presets.errors import PresetFileError


@dataclass(frozen=True)
class PresetEntry:
    """A built-in preset.

    Attributes:
        name: Its name in the class, such as `"mosei"`.
        global_name: Its name without a class, such as `"msaf_mosei"`.
        class_name: Registered class of the model.
        folder: Directory with its files.
        description: One sentence.
        paper: Source paper.
        hub: `"hf://owner/name@revision"` of weights that are too large for
            the package, or `None`.
        trained: Whether trained weights are published.
        data: Training data, as in the metadata.
        recipe: Command that trains it.
    """

    name: str
    global_name: str
    class_name: str
    folder: Path
    description: str
    paper: Any
    hub: str | None
    trained: bool
    data: Any
    recipe: str | None


def weights_directory() -> Path:
    """Returns the folder of built-in presets: wheel, else checkout."""
    package = Path(__file__).resolve().parents[1]
    installed = package / "weights"
    return installed if installed.is_dir() else package.parent / "weights"


def all_presets() -> dict[str, PresetEntry]:
    """Returns every built-in preset by global name."""
    directory = weights_directory()
    if not directory.is_dir():
        return {}
    folders = sorted(
        path
        for path in directory.iterdir()
        if (storage.valid_folder(path) / storage.METADATA).is_file()
    )
    return {folder.name: _entry(folder) for folder in folders}


def presets_of(*class_names: str) -> dict[str, PresetEntry]:
    """Returns the built-in presets of classes by their names in them.

    Args:
        *class_names: Registered names; an earlier class has precedence.
    """
    entries = all_presets().values()
    return {
        entry.name: entry
        for class_name in reversed(class_names)
        for entry in entries
        if entry.class_name == class_name
    }


def find_global(name: str) -> PresetEntry | None:
    """Returns the built-in preset of a global name such as `mea_mosei`."""
    return all_presets().get(name)


def _entry(folder: Path) -> PresetEntry:
    data = reading.read_metadata(folder)
    class_name = data["class_name"]
    prefix = f"{class_name.lower()}_"
    if not folder.name.startswith(prefix):
        raise PresetFileError(
            f"The folder of a built-in {class_name} preset must be named "
            f"'{prefix}<name>'. Received: {folder}"
        )
    return PresetEntry(
        name=folder.name.removeprefix(prefix),
        global_name=folder.name,
        class_name=class_name,
        folder=folder,
        description=str(data.get("description") or ""),
        paper=data.get("paper"),
        hub=data.get("hub"),
        trained=data["trained"],
        data=data.get("data"),
        recipe=data.get("recipe"),
    )
