"""MSAF's CMU-MOSEI folder of NumPy arrays.

`{train,val,test}/{visual,audio,bert,label}50.npy` of shapes (N, 50, 35),
(N, 50, 74), (N, 50, 768) and (N, 1, 7); 50 is the padded length. Visual and
audio are zero-padded on the left, BERT on the right; the side is found in the
data. The first of seven labels is the sentiment, the others are emotions.

The arrays are read row by row, so they may be larger than memory.
"""

import re
from pathlib import Path

import numpy as np

from keras_mmfusion.data.columns import Column
from keras_mmfusion.data.dataset import MultimodalDataset
from keras_mmfusion.data.formats._arrays import (
    Array,
    Side,
    labels_of,
    longest,
    padded,
    padding_of,
)
from keras_mmfusion.data.formats._build import make_dataset, make_split
from keras_mmfusion.data.formats._files import files_in, require_kind, written
from keras_mmfusion.data.formats._source import (
    Format,
    Source,
    all_splits,
    column_of,
)
from keras_mmfusion.data.padding import Ints, nonzero_spans
from keras_mmfusion.data.streamed import NpyFile, PaddedRows, Streamed

_FOLDERS = {"train": "train", "valid": "val", "test": "test"}
_KEYS = {"text": "bert", "audio": "audio", "video": "visual"}
_FILE = re.compile(r"(visual|audio|bert|label)\d*\.npy")
_BLOCK_BYTES = 16 * 2**20


def mismatch(source: Source) -> str:
    if source.kind != "folder":
        return "not a folder"
    for folder in _FOLDERS.values():
        inner = source.path / folder
        if inner.is_dir() and any(
            _FILE.fullmatch(entry.name) for entry in inner.iterdir()
        ):
            return ""
    return "no train, val or test with visual, audio, bert and label .npy"


def read(source: Source, label: int | None = 0) -> MultimodalDataset:
    """Read a folder of MSAF's MOSEI arrays.

    Args:
        source: the folder.
        label: which of the labels of a sample; 0 is the sentiment. None
            gives all of them, (N, 7).

    Returns:
        Modalities `text`, `audio`, `video`, read from disk when needed.
    """
    files = {
        split: _files(source.path, folder) for split, folder in _FOLDERS.items()
    }
    spans = {
        split: {name: _spans(found[key]) for name, key in _KEYS.items()}
        for split, found in files.items()
    }
    sides = {name: _side(source.path, name, files, spans) for name in _KEYS}
    splits = {}
    for split, found in files.items():
        features: dict[str, Column] = {
            name: _column(found[key], sides[name], *spans[split][name])
            for name, key in _KEYS.items()
        }
        count = found["bert"].shape[0]
        stored = found["label"]
        labels = labels_of(stored.array(), count, stored.path, "labels")
        if label is not None and labels.ndim == 2:
            if not 0 <= label < labels.shape[1]:
                raise ValueError(
                    f"{stored.path}: `label` must be one of "
                    f"0..{labels.shape[1] - 1}. Received: {label}."
                )
            labels = labels[:, label]
        splits[split] = make_split(source.path, split, features, labels, None)
    return make_dataset(source.path, "MSAF npy", splits, "regression")


def _files(root: Path, folder: str) -> dict[str, NpyFile]:
    inner = root / folder
    if not inner.is_dir():
        raise ValueError(
            f"{root}: lacks the folder {folder!r}. Expected: "
            f"{', '.join(_FOLDERS.values())}, each with visual, audio, bert "
            "and label arrays."
        )
    paths: dict[str, Path] = {}
    for path in files_in(root, folder, ".npy"):
        match = _FILE.fullmatch(path.name)
        if match and match[1] in paths:
            raise ValueError(
                f"{inner}: expected one {match[1]} array. Received: "
                f"{paths[match[1]].name} and {path.name}."
            )
        if match:
            paths[match[1]] = path
    missing = {*_KEYS.values(), "label"} - set(paths)
    if missing:
        raise ValueError(
            f"{inner}: lacks {', '.join(sorted(missing))} (named "
            f"{sorted(missing)[0]}50.npy by MSAF)."
        )
    for path in paths.values():
        require_kind(path, "npy", "a NumPy array")
    files = {name: NpyFile.open(path) for name, path in paths.items()}
    for name in _KEYS.values():
        if len(files[name].shape) != 3:
            raise ValueError(
                f"{files[name].path}: expected the shape (N, T, D). Received: "
                f"{files[name].shape}."
            )
    return files


def _spans(file: NpyFile) -> tuple[Ints, Ints]:
    """First and last valid steps, found block by block, and no NaN."""
    width = max(int(np.prod(file.shape[1:])) * file.dtype.itemsize, 1)
    step = max(_BLOCK_BYTES // width, 1)
    firsts = [np.zeros(0, np.int64)]
    lasts = [np.zeros(0, np.int64)]
    bad = 0
    for start in range(0, file.shape[0], step):
        part = file.rows(start, min(start + step, file.shape[0]))
        bad += int(np.count_nonzero(~np.isfinite(part)))
        first, last = nonzero_spans(part)
        firsts.append(first)
        lasts.append(last)
    if bad:
        raise ValueError(
            f"{file.path}: holds {bad} values that are NaN or infinite. "
            "Expected: finite numbers. Replace them and save the file again."
        )
    return np.concatenate(firsts), np.concatenate(lasts)


def _side(
    root: Path,
    name: str,
    files: dict[str, dict[str, NpyFile]],
    spans: dict[str, dict[str, tuple[Ints, Ints]]],
) -> Side:
    leading, trailing = [], []
    for split, found in files.items():
        first, last = spans[split][name]
        seen = last > 0
        leading.append(first[seen])
        trailing.append(found[_KEYS[name]].shape[1] - last[seen])
    return padding_of(
        np.concatenate(leading), np.concatenate(trailing), root, name
    )


def _column(file: NpyFile, side: Side, first: Ints, last: Ints) -> Streamed:
    starts = first if side == "left" else np.zeros_like(first)
    reader = PaddedRows(file, starts, last)
    return Streamed(
        reader,
        len(starts),
        (None, file.shape[2]),
        last - starts,
        reader.source,
    )


def write(dataset: MultimodalDataset, path: str | Path) -> None:
    """Write a folder of MSAF's MOSEI arrays.

    All modalities get the same padded length, that of the longest sample;
    `text` is padded on the right, the others on the left, as by MSAF.

    Args:
        dataset: modalities `text`, `audio`, `video`.
        path: the folder.
    """
    splits = all_splits(dataset, "MSAF npy")
    steps = longest(
        [
            column_of(split, name, "MSAF npy")
            for split in splits.values()
            for name in _KEYS
        ]
    )
    with written(path) as unfinished:
        for name, split in splits.items():
            folder = unfinished / _FOLDERS[name]
            folder.mkdir(parents=True)
            for modality, key in _KEYS.items():
                side: Side = "right" if modality == "text" else "left"
                column = split.features[modality]
                _save(folder / f"{key}{steps}.npy", padded(column, steps, side))
            labels = np.asarray(split.labels, np.float32)
            shaped = labels.reshape(len(split), 1, -1)
            _save(folder / f"label{steps}.npy", shaped)


def _save(path: Path, array: Array) -> None:
    np.save(path, array, allow_pickle=False)


FORMAT = Format(
    name="msaf_npy",
    layout="a folder of train, val, test with visual50.npy, audio50.npy, "
    "bert50.npy, label50.npy",
    mismatch=mismatch,
    read=read,
    write=write,
)
