"""What a file is, by its content, and where a path may lead."""

import codecs
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_SNIFFED = 4096

# Content that is no data file but often saved under a data file's name.
_NOT_DATA: dict[str, str] = {
    "empty": "The file is empty. Download it again.",
    "html": "It is an HTML page, probably the sign-in, consent or virus-scan "
    "page of a download site, saved under the name of the file. Open the "
    "link in a browser and download the file itself.",
    "git-lfs": "It is a Git LFS pointer, a text of three lines in place of "
    "the file. Run `git lfs pull` in the repository it came from.",
    "torch": "It is a PyTorch checkpoint (model weights), not data.",
    "zip": "It is a zip archive. Unpack it and give what is inside.",
    "gzip": "It is compressed by gzip. Unpack it first.",
    "bzip2": "It is compressed by bzip2. Unpack it first.",
    "xz": "It is compressed by xz. Unpack it first.",
    "7z": "It is a 7-Zip archive. Unpack it first.",
    "rar": "It is a RAR archive. Unpack it first.",
    "tar": "It is a tar archive. Unpack it and give what is inside.",
    "json": "It is JSON, in which none of the known formats is stored.",
    "partial": "It is an unfinished download. Download it again.",
    "unknown": "Its first bytes belong to no format that can be read here. "
    "If it is a CSV table, save it in the encoding UTF-8.",
}

_MAGIC: tuple[tuple[bytes, str], ...] = (
    (b"\x89HDF\r\n\x1a\n", "hdf5"),
    (b"\x93NUMPY", "npy"),
    (b"MATLAB 5.0 MAT-file", "mat"),
    (b"MATLAB 7.3 MAT-file", "mat73"),
    (b"\x1f\x8b", "gzip"),
    (b"BZh", "bzip2"),
    (b"\xfd7zXZ\x00", "xz"),
    (b"7z\xbc\xaf\x27\x1c", "7z"),
    (b"Rar!", "rar"),
    (b"version https://git-lfs", "git-lfs"),
    (b"\xff\xd8\xff", "jpeg"),
    (b"\x89PNG", "png"),
)

# Protocols 0 and 1 have no magic number. A file of data begins with a bracket
# (a container), the name of a class or a number; `labels` is no such start.
_OLD_PICKLE = re.compile(rb"[(\])}]|c[\w.]+\n[\w.]+\n|I-?\d+\n")
_CONTROLS = bytes(sorted({*range(32), 127} - set(b"\t\r\n")))


def kind_of_file(path: Path) -> str:
    """Kind of content: `"pickle"`, `"hdf5"`, `"npz"`, `"html"`, ...

    Args:
        path: an existing file. Only its first bytes are read.

    Returns:
        A short name; the keys of `_NOT_DATA` name what is never data.
    """
    with path.open("rb") as file:
        head = file.read(_SNIFFED)
    if not head:
        return "empty"
    for magic, kind in _MAGIC:
        if head.startswith(magic):
            return kind
    if head.startswith(b"PK\x03\x04"):
        return _kind_of_zip(head)
    if head[257:262] == b"ustar":
        return "tar"
    if head[:4] == b"RIFF" and head[8:12] == b"AVI ":
        return "avi"
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if start.startswith((b"<!doctype", b"<html", b"<?xml", b"<head")):
        return "html"
    if path.suffix.lower() in (".crdownload", ".part", ".download"):
        return "partial"
    if head[:1] == b"\x80" and head[1:2] in b"\x02\x03\x04\x05":
        return "pickle"
    return _kind_of_text(path, head)


def _kind_of_zip(head: bytes) -> str:
    size = int.from_bytes(head[26:28], "little")
    name = head[30 : 30 + size]
    if name.endswith(b".npy"):
        return "npz"
    if name.endswith((b"/data.pkl", b"/.format_version", b"/byteorder")):
        return "torch"
    return "zip"


def _kind_of_text(path: Path, head: bytes) -> str:
    if _OLD_PICKLE.match(head):
        with path.open("rb") as file:
            file.seek(-1, os.SEEK_END)
            if file.read(1) == b".":
                return "pickle"
    if head[:1] in b"{[":
        return "json"
    return "text" if _is_text(head) else "unknown"


def _is_text(head: bytes) -> bool:
    """Whether the start of a file is UTF-8 without control characters."""
    if len(head.translate(None, _CONTROLS)) < len(head):
        return False
    try:
        # The last character may be cut where the sniffing ends.
        whole = len(head) < _SNIFFED
        codecs.getincrementaldecoder("utf-8")().decode(head, final=whole)
    except UnicodeDecodeError:
        return False
    return True


def why_not_data(path: Path) -> str | None:
    """What to tell the user of a file that cannot be data, or None."""
    return _NOT_DATA.get(kind_of_file(path))


def require_kind(path: Path, kind: str, expected: str) -> None:
    """Raise `ValueError` unless the content of a file is of a kind.

    Args:
        path: the file.
        kind: as `kind_of_file` names it.
        expected: what it should be, in words, for the message.
    """
    found = kind_of_file(path)
    if found != kind:
        hint = _NOT_DATA.get(found, f"Its content is {found}.")
        raise ValueError(f"{path}: expected {expected}. {hint}")


def inside(folder: Path, relative: str | Path) -> Path:
    """Path of something in a folder, if it really lies there.

    Args:
        folder: the data set's folder.
        relative: path below it. May come from a file, so it is not trusted.

    Returns:
        The path, with symbolic links resolved.

    Raises:
        ValueError: if it leads out of the folder, by `..`, as an absolute
            path or by a symbolic link.
    """
    root = folder.resolve()
    try:
        path = (root / relative).resolve()
    except (ValueError, OSError) as error:
        raise ValueError(
            f"{folder}: {str(relative)[:100]!r} is no path: {error}"
        ) from None
    if not path.is_relative_to(root):
        raise ValueError(
            f"{folder}: refused to read {str(relative)[:100]!r}, which leads "
            f"out of the folder, to {path}. Expected: files inside the "
            "folder. Copy them there if they belong to the data."
        )
    return path


def plain_name(name: str, source: Path) -> str:
    """A sample's name that may be used as a file name.

    Raises:
        ValueError: if it has a path separator, a NUL, or is `.` or `..`.
    """
    if not name or name in (".", "..") or any(c in name for c in "/\\\0"):
        raise ValueError(
            f"{source}: refused the sample name {name[:100]!r}, because the "
            "name of a file is made from it. Expected: names without path "
            "separators."
        )
    return name


def files_in(root: Path, relative: str, suffix: str) -> list[Path]:
    """Files in a folder below a root with a suffix, sorted by name.

    Symbolic links are resolved, and refused if they lead out of the root.
    """
    folder = inside(root, relative)
    return [
        inside(root, folder / entry.name)
        for entry in sorted(folder.iterdir())
        if entry.suffix.lower() == suffix and entry.is_file()
    ]


def folders_in(root: Path, relative: str) -> list[Path]:
    """Folders below a root, sorted by name; links as in `files_in`."""
    folder = inside(root, relative)
    return [
        inside(root, folder / entry.name)
        for entry in sorted(folder.iterdir())
        if entry.is_dir()
    ]


@contextmanager
def written(path: str | Path) -> Iterator[Path]:
    """A temporary path that becomes `path` when all has been written.

    Args:
        path: a file or folder that must not exist yet.

    Raises:
        FileExistsError: if something is there already.
    """
    path = Path(path)
    if path.exists():
        raise FileExistsError(
            f"{path}: exists already. Choose another path or remove it first."
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(
        dir=path.parent, prefix=f".{path.name}."
    ) as folder:
        unfinished = Path(folder) / path.name
        yield unfinished
        os.replace(unfinished, path)
