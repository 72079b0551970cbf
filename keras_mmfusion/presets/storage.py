"""Files of a preset on disk: replaced as a whole, read with suspicion.

A new preset is written completely into a folder inside the directory, and
one rename of that folder makes it the valid one. Then its files take the
place of the old ones. If the process is killed on the way, the folder is
either not valid yet (the old preset is read) or valid (the new one is).
"""

import hashlib
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from keras_mmfusion.presets.errors import PresetFileError

CONFIG = "config.json"
METADATA = "metadata.json"
WEIGHTS = "model.safetensors"
PREDICTIONS = "predictions.json"
CARD = "README.md"

# The files whose hash the metadata lists; no other is ever read.
LISTED_FILES = (CONFIG, WEIGHTS, PREDICTIONS)
ALL_FILES = (*LISTED_FILES, METADATA, CARD)

_INCOMING = ".incoming"
_DRAFT = ".draft-"


def replace_files(directory: Path, files: Mapping[str, bytes]) -> None:
    """Replaces the preset in `directory` by these files, all or none.

    Files of the old preset that the new one lacks are removed. Other files
    of the directory stay.

    Args:
        directory: Created if needed.
        files: Contents by name, from `ALL_FILES`.
    """
    if directory.exists() and not directory.is_dir():
        raise PresetFileError(
            f"A preset is saved to a directory; {directory} is a file."
        )
    directory.mkdir(parents=True, exist_ok=True)
    _finish(directory)
    for stale in directory.glob(f"{_DRAFT}*"):
        _remove(stale)
    draft = Path(tempfile.mkdtemp(prefix=_DRAFT, dir=directory))
    try:
        for name, data in files.items():
            _write_through(draft / name, data)
        _sync(draft)
        os.rename(draft, directory / _INCOMING)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise
    _finish(directory)


def valid_folder(directory: Path) -> Path:
    """Returns where the valid files are, also after a killed save."""
    incoming = directory / _INCOMING
    return incoming if incoming.is_dir() else directory


def read_file(directory: Path, name: str, root: Path) -> bytes:
    """Returns the bytes of one file of a preset.

    Args:
        directory: The preset's directory.
        name: A plain file name.
        root: Where links may lead: the directory itself, or the cache that
            the directory is a part of.

    Raises:
        PresetFileError: If it is missing, leads out of `root`, or is not a
            regular file.
    """
    path = directory / name
    if not path.is_symlink() and not path.exists():
        raise PresetFileError(f"{path} is missing.")
    target = path.resolve()
    if not target.is_relative_to(root.resolve()):
        raise PresetFileError(
            f"{path} is a link that leads out of the preset directory; it "
            "was not read."
        )
    if not target.is_file():
        raise PresetFileError(f"{path} is not a regular file.")
    return target.read_bytes()


def read_listed(
    directory: Path, name: str, entry: Mapping[str, Any], root: Path
) -> bytes:
    """Returns a file's bytes after comparing size and sha256."""
    data = read_file(directory, name, root)
    path = directory / name
    if len(data) != entry["size"]:
        raise PresetFileError(
            f"{path} has {len(data)} bytes; {METADATA} lists "
            f"{entry['size']}. It is truncated or was replaced."
        )
    if sha256(data) != entry["sha256"]:
        raise PresetFileError(
            f"{path} does not have the sha256 that {METADATA} lists. It was "
            "altered or damaged; get the preset again."
        )
    return data


def sha256(data: Any) -> str:
    """Returns the SHA-256 of bytes as 64 hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


def _finish(directory: Path) -> None:
    """Moves a valid incoming preset to its place; safe to repeat."""
    incoming = directory / _INCOMING
    if not incoming.is_dir():
        return
    names = {path.name for path in incoming.iterdir()}
    for name in sorted(names):
        # A copy, because the incoming folder must stay whole until the end.
        copy = directory / f"{_DRAFT}{name}"
        shutil.copyfile(incoming / name, copy)
        os.replace(copy, directory / name)
    for name in LISTED_FILES:
        if name not in names:
            (directory / name).unlink(missing_ok=True)
    _sync(directory)
    done = directory / f"{_DRAFT}{os.getpid()}"
    os.rename(incoming, done)
    _remove(done)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _write_through(path: Path, data: bytes) -> None:
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _sync(directory: Path) -> None:
    # Directories cannot be opened on Windows, where this is not needed.
    if os.name == "posix":
        handle = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
