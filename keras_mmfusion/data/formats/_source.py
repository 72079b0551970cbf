"""A path that is being recognised, and what the formats have in common."""

import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from keras_mmfusion.data.columns import Column
from keras_mmfusion.data.dataset import MultimodalDataset, Split
from keras_mmfusion.data.formats._files import kind_of_file
from keras_mmfusion.data.restricted_unpickler import load_pickle

Texts = Mapping[str, Sequence[Sequence[str]]]


class Source:
    """A file or folder whose format is looked for.

    Attributes:
        path: the file or folder.
        kind: `"folder"`, or the kind of content that the file has.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        if not self.path.exists():
            raise FileNotFoundError(
                f"{self.path}: no such file or folder. Check the path."
            )
        self.kind = "folder" if self.path.is_dir() else kind_of_file(self.path)
        self._content: Any = None
        self._read = False

    def content(self) -> Any:
        """The pickle in the file, read once."""
        if not self._read:
            self._content = load_pickle(self.path)
            self._read = True
        return self._content

    def members(self) -> list[str]:
        """Names of the arrays in an .npz archive."""
        try:
            with zipfile.ZipFile(self.path) as archive:
                names = archive.namelist()
        except (zipfile.BadZipFile, OSError) as error:
            raise ValueError(
                f"{self.path}: the .npz archive is truncated or damaged: "
                f"{error}. Download or write it again."
            ) from None
        return [name.removesuffix(".npy") for name in names]


@dataclass(frozen=True)
class Format:
    """A file format: how to know it, read it and write it.

    Attributes:
        name: as users write it.
        layout: one line that says what it looks like on disk.
        mismatch: why a source is not in this format, `""` if it is.
        read: source to data set. Further keywords are options.
        write: data set and path, with options.
        texts: source to the words of every sample, where the format has them.
    """

    name: str
    layout: str
    mismatch: Callable[[Source], str]
    read: Callable[..., MultimodalDataset]
    write: Callable[..., None]
    texts: Callable[[Source], dict[str, list[list[str]]]] | None = None


def column_of(
    split: Split, name: str, format_name: str, is_sequence: bool = True
) -> Column:
    """The named modality, for a writer that needs it.

    Raises:
        ValueError: if it is absent, or not a sequence.
    """
    column = split.features.get(name)
    if column is None:
        raise ValueError(
            f"{format_name} files hold the modality {name!r}, which this data "
            f"set lacks. Received: {', '.join(split.features)}. Rename or add "
            "it."
        )
    if column.is_sequence != is_sequence:
        kind = "sequences" if is_sequence else "vectors"
        raise ValueError(
            f"{format_name} files hold {name!r} as {kind}. Received: items of "
            f"shape {column.item_shape}."
        )
    return column


def all_splits(
    dataset: MultimodalDataset, format_name: str
) -> dict[str, Split]:
    """The three splits, for a format that has a place for each."""
    missing = {"train", "valid", "test"} - set(dataset.splits)
    if missing:
        raise ValueError(
            f"{format_name} files hold the splits train, valid and test. "
            f"Received: a data set without {', '.join(sorted(missing))}."
        )
    return dataset.splits


def one_label(split: Split, format_name: str) -> Any:
    """Labels of shape (N,), for a format with one number per sample."""
    labels = split.labels
    if labels.ndim != 1:
        raise ValueError(
            f"{format_name} files hold one number per sample. Received: "
            f"labels of shape {labels.shape}."
        )
    return labels


def texts_for(
    texts: Texts | None, split: str, count: int, format_name: str
) -> list[list[str]] | None:
    """Words of the samples of a split, as given to a writer."""
    if texts is None:
        return None
    words = [list(sample) for sample in texts.get(split, ())]
    if len(words) != count:
        raise ValueError(
            f"`texts` must hold the words of all {count} samples of {split!r} "
            f"for a {format_name} file. Received: {len(words)}."
        )
    return words
