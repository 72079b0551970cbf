"""Reading a preset's files: all of them verified, none believed."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from keras_mmfusion.presets import (
    json_file,
    metadata_file,
    storage,
    weights_file,
)
from keras_mmfusion.presets.building import WeightSpec, compare
from keras_mmfusion.presets.errors import PresetFileError, PresetNotFoundError


@dataclass(frozen=True)
class Preset:
    """A preset's verified files."""

    folder: Path
    metadata: dict[str, Any]
    config: dict[str, Any]
    arrays: dict[str, weights_file.Array] | None

    @property
    def manifest(self) -> dict[str, WeightSpec]:
        return metadata_file.manifest(self.metadata, str(self.metadata_path))

    @property
    def metadata_path(self) -> Path:
        return self.folder / storage.METADATA


def read_metadata(
    directory: str | os.PathLike[str],
    *,
    root: str | os.PathLike[str] | None = None,
) -> dict[str, Any]:
    """Returns a preset's metadata after checking its form."""
    directory = Path(directory)
    folder = storage.valid_folder(directory)
    path = folder / storage.METADATA
    if not directory.exists():
        raise PresetNotFoundError(f"There is no directory {directory}.")
    if not directory.is_dir():
        raise PresetFileError(f"{directory} is not a directory.")
    if not path.is_symlink() and not path.exists():
        present = sorted(p.name for p in folder.iterdir())
        raise PresetFileError(
            f"{directory} is not a preset: {storage.METADATA} is missing. "
            f"It holds: {', '.join(present) or 'nothing'}"
        )
    data = json_file.decode(
        storage.read_file(folder, storage.METADATA, Path(root or directory)),
        str(path),
    )
    metadata_file.check(data, str(path))
    return data


def read(
    directory: Path,
    wanted: tuple[str, ...],
    root: str | os.PathLike[str] | None,
) -> Preset:
    described = read_metadata(directory, root=root)
    folder, base = storage.valid_folder(directory), Path(root or directory)
    files = described["files"]
    names = [name for name in wanted if name in files]
    contents = {
        name: storage.read_listed(folder, name, files[name], base)
        for name in names
    }
    config_path = str(folder / storage.CONFIG)
    config = json_file.decode(contents[storage.CONFIG], config_path)
    if config.get("class_name") != described["class_name"]:
        raise PresetFileError(
            f"{config_path} names the class {config.get('class_name')!r}, "
            f"{storage.METADATA} {described['class_name']!r}."
        )
    arrays = None
    if storage.WEIGHTS in contents:
        path = str(folder / storage.WEIGHTS)
        arrays = weights_file.decode(contents[storage.WEIGHTS], path)
        _compare_with_manifest(arrays, described, path)
    return Preset(folder, described, config, arrays)


def _compare_with_manifest(
    arrays: dict[str, weights_file.Array], described: dict[str, Any], path: str
) -> None:
    listed = metadata_file.manifest(described, storage.METADATA)
    found = {
        name: WeightSpec(array.shape, array.dtype.name)
        for name, array in arrays.items()
    }
    compare(found, listed, f"{path} does not match {storage.METADATA}")
    for entry in described["variables"]:
        name = entry["name"]
        if metadata_file.tensor_hash(arrays[name]) != entry["sha256"]:
            raise PresetFileError(
                f"{path}: tensor '{name}' does not have the sha256 that "
                f"{storage.METADATA} lists for it. Tensors may be exchanged."
            )
