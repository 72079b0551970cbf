"""CMU-MultimodalSDK computational sequences, `.csd`.

A folder of HDF5 files, one per modality and one with the labels. Each has one
root group with `data/<video>/features` (T, D), `data/<video>/intervals`
(T, 2), in seconds, and `metadata`. Sequences that the SDK has aligned already
have one entry `<video>[<segment>]` for every labelled segment.

Features are read from the files segment by segment, so data sets of any size
fit. A step belongs to a segment if it overlaps it, as in the SDK's `align`.
"""

import ast
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from keras_mmfusion.data.columns import Column
from keras_mmfusion.data.dataset import MultimodalDataset
from keras_mmfusion.data.formats._build import (
    Folds,
    make_dataset,
    make_split,
    split_by_group,
)
from keras_mmfusion.data.formats._csd_sequences import (
    Sequence,
    open_sequence,
    read_segments,
    segment_column,
)
from keras_mmfusion.data.formats._files import files_in, plain_name, written
from keras_mmfusion.data.formats._hdf5 import h5py_module
from keras_mmfusion.data.formats._source import Format, Source

_FOLDS = {
    "train": "standard_train_fold",
    "valid": "standard_valid_fold",
    "test": "standard_test_fold",
}
# Words of the sequences' own names that tell the modality.
_MODALITIES = {
    "text": ("glove", "word vector", "wordvector", "bert"),
    "audio": ("covarep", "coavarep", "opensmile", "mfcc", "acoustic"),
    "video": ("facet", "openface", "visual"),
}
_NAMES = ("text", "audio", "video")


def mismatch(source: Source) -> str:
    if source.kind == "hdf5":
        return "one .csd file; give the folder that also holds the labels"
    if source.kind != "folder":
        return "not a folder"
    if not any(p.suffix.lower() == ".csd" for p in source.path.iterdir()):
        return "no .csd files in it"
    return ""


def read(
    source: Source,
    folds: Folds | str | Path | None = None,
    labels: str | None = None,
    modalities: Mapping[str, str] | None = None,
) -> MultimodalDataset:
    """Read a folder of `.csd` files.

    Args:
        source: the folder.
        folds: videos of each split, `{"train": [...], "valid": [...],
            "test": [...]}`, or the path of the SDK's `*_std_folds.py`, which
            is parsed and not run. Default: the one such file in the folder;
            without any, all samples are in `train`.
        labels: file name or root name of the labels. Default: the one whose
            root name contains "label".
        modalities: modality to file name or root name, for example
            `{"audio": "COVAREP"}`. Default: all files that hold numbers;
            `text`, `audio` and `video` where a name tells, else the root
            name.

    Returns:
        One sample per labelled segment, named `video[segment]`. A modality
        without steps in a segment is missing there.
    """
    sequences = [
        open_sequence(path) for path in files_in(source.path, "", ".csd")
    ]
    label = _label_file(source.path, sequences, labels)
    chosen = _chosen(source.path, sequences, label, modalities)
    segments, values = read_segments(label)
    ids = [f"{video}[{number}]" for video, number, _ in segments]
    features: dict[str, Column] = {
        name: segment_column(sequence, segments)
        for name, sequence in chosen.items()
    }
    videos = np.asarray([video for video, _, _ in segments])
    found = _folds(source.path, folds)
    if found is None:
        warnings.warn(
            f"{source.path}: no folds are given and no *_std_folds.py lies in "
            "the folder, so all samples are in `train`. Give `folds=`.",
            stacklevel=2,
        )
        whole = make_split(
            source.path, "train", features, values, ids, {"video": videos}
        )
        return make_dataset(source.path, "CSD", {"train": whole}, "regression")
    splits = split_by_group(
        source.path, features, values, ids, {"video": videos}, "video", found
    )
    return make_dataset(source.path, "CSD", splits, "regression")


def _is(sequence: Sequence, name: str) -> bool:
    return name in (sequence.root, sequence.path.name, sequence.path.stem)


def _label_file(
    folder: Path, sequences: list[Sequence], name: str | None
) -> Sequence:
    if name is None:
        found = [s for s in sequences if "label" in s.root.lower()]
        wanted = "one sequence whose root name contains 'label'"
    else:
        found = [s for s in sequences if _is(s, name)]
        wanted = f"a sequence named {name!r}"
    if len(found) != 1:
        raise ValueError(
            f"{folder}: expected {wanted}. Received: "
            f"{', '.join(s.root for s in sequences)}. Say which one with "
            "`labels=`."
        )
    return found[0]


def _chosen(
    folder: Path,
    sequences: list[Sequence],
    label: Sequence,
    modalities: Mapping[str, str] | None,
) -> dict[str, Sequence]:
    rest = [s for s in sequences if s is not label]
    if modalities is not None:
        chosen = {}
        for modality, name in modalities.items():
            found = [s for s in rest if _is(s, name)]
            if len(found) != 1:
                raise ValueError(
                    f"{folder}: expected a sequence named {name!r}. Received: "
                    f"{', '.join(s.root for s in rest)}."
                )
            chosen[modality] = found[0]
        return chosen
    words = [s for s in rest if s.words]
    if words:
        warnings.warn(
            f"{folder}: {', '.join(s.path.name for s in words)} hold words, "
            "not numbers, and are left out.",
            stacklevel=2,
        )
    rest = [s for s in rest if not s.words]
    if not rest:
        raise ValueError(
            f"{folder}: expected at least one modality beside the labels, "
            f"{label.path.name}. Copy its .csd file into the folder."
        )
    names = [_modality(s.root) for s in rest]
    unclear = [n for n in names if names.count(n) > 1]
    return {
        s.root if n in unclear else n: s
        for n, s in sorted(
            zip(names, rest, strict=True),
            key=lambda pair: (
                _NAMES.index(pair[0]) if pair[0] in _NAMES else 3,
                pair[0],
            ),
        )
    }


def _modality(root: str) -> str:
    for modality, words in _MODALITIES.items():
        if any(word in root.lower() for word in words):
            return modality
    return root


def _folds(folder: Path, folds: Folds | str | Path | None) -> Folds | None:
    if isinstance(folds, Mapping):
        return folds
    if folds is not None:
        return read_folds(Path(folds))
    files = [p for p in files_in(folder, "", ".py") if "std_folds" in p.name]
    if len(files) > 1:
        raise ValueError(
            f"{folder}: expected one file of folds. Received: "
            f"{', '.join(p.name for p in files)}. Say which with `folds=`."
        )
    return read_folds(files[0]) if files else None


def read_folds(path: Path) -> dict[str, list[str]]:
    """Folds of the SDK's `*_std_folds.py`, parsed as text and never run.

    Args:
        path: a file that assigns lists of video names to
            `standard_train_fold`, `standard_valid_fold` and
            `standard_test_fold`.

    Returns:
        Split name to video names.
    """
    try:
        tree = ast.parse(path.read_text("utf-8"))
        assigned = {
            target.id: ast.literal_eval(node.value)
            for node in tree.body
            if isinstance(node, ast.Assign)
            for target in node.targets
            if isinstance(target, ast.Name) and target.id in _FOLDS.values()
        }
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        assigned = {}
    wrong = [
        name
        for name in _FOLDS.values()
        if not isinstance(assigned.get(name), (list, tuple, set))
    ]
    if wrong:
        raise ValueError(
            f"{path}: expected lists of video names for "
            f"{', '.join(_FOLDS.values())}, written out as text. Received: "
            f"none for {', '.join(wrong)}."
        )
    return {
        split: [str(video) for video in assigned[name]]
        for split, name in _FOLDS.items()
    }


def write(dataset: MultimodalDataset, path: str | Path) -> None:
    """Write a folder of `.csd` files, a label file and `std_folds.py`.

    Times are not kept by the data set; steps are written as lasting one
    second each, and every sample has an entry of its own.

    Args:
        dataset: sequences; ids as `video[segment]`, else every sample is a
            video.
        path: the folder.

    Raises:
        ValueError: if an id cannot name an entry, or two samples would
            have the same.
    """
    h5py = h5py_module()
    keys = _entry_names(dataset, Path(path))
    with written(path) as unfinished:
        unfinished.mkdir()
        for modality in dataset.modalities:
            with h5py.File(unfinished / f"{modality}.csd", "w") as file:
                data = _new_root(file, modality, h5py)
                for name, split in dataset.splits.items():
                    column = split.features[modality]
                    for index, key in enumerate(keys[name]):
                        _write_entry(data, key, column[index])
        with h5py.File(unfinished / "labels.csd", "w") as file:
            data = _new_root(file, "Labels", h5py)
            for name, split in dataset.splits.items():
                rows = np.asarray(split.labels, np.float32)
                for key, row in zip(keys[name], rows, strict=True):
                    _write_entry(data, key, row.reshape(1, -1))
        lines = [
            f"{_FOLDS[name]} = {sorted({k.split('[')[0] for k in found})!r}"
            for name, found in keys.items()
        ]
        absent = set(_FOLDS) - set(keys)
        lines += [f"{_FOLDS[name]} = []" for name in sorted(absent)]
        (unfinished / "std_folds.py").write_text("\n".join(lines) + "\n")


def _entry_names(
    dataset: MultimodalDataset, path: Path
) -> dict[str, list[str]]:
    """Split to the entries `video[segment]` of its samples."""
    keys: dict[str, list[str]] = {}
    taken: dict[str, str] = {}
    for name, split in dataset.splits.items():
        keys[name] = [i if i.endswith("]") else f"{i}[0]" for i in split.ids]
        for key, own in zip(keys[name], split.ids, strict=True):
            plain_name(key, path)
            other = taken.setdefault(key, f"{own!r} in {name!r}")
            # Ids differ within a split, so this is another sample.
            if other != f"{own!r} in {name!r}":
                raise ValueError(
                    "CSD files hold one entry `video[segment]` for every "
                    "sample of all splits; an id without a segment is written "
                    f"as segment 0. Received: the ids {other} and {own!r} in "
                    f"{name!r}, both for the entry {key!r}. Rename one of them."
                )
    return keys


def _new_root(file: Any, name: str, h5py: Any) -> Any:
    root = file.create_group(name)
    metadata = root.create_group("metadata")
    stored = metadata.create_dataset(
        "root name", (1,), dtype=h5py.special_dtype(vlen=str)
    )
    stored[0] = f'"{name}"'
    return root.create_group("data")


def _write_entry(data: Any, key: str, features: NDArray[Any]) -> None:
    group = data.create_group(key)
    starts = np.arange(len(features), dtype=np.float64)
    if not len(features):  # The SDK needs one step: silence.
        features = np.zeros((1, *features.shape[1:]), np.float32)
        starts = np.zeros(1)
    group.create_dataset("features", data=features)
    group.create_dataset("intervals", data=np.stack([starts, starts + 1], 1))


FORMAT = Format(
    name="csd",
    layout="a folder of .csd files (HDF5), one per modality and one of labels",
    mismatch=mismatch,
    read=read,
    write=write,
)
