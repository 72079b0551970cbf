"""MERBench: a label file and folders of features.

`label.npz` (also `label_4way.npz`, `label-6way.npz`) holds
`train_corpus`, `val_corpus`, `test_corpus`, each a dict of sample name to
`{"emo": class, "val": number}`; IEMOCAP has one `whole_corpus`, MER2023 has
`test1_corpus` to `test3_corpus`. A file fills `emo` with 0 or `val` with -10
where it has none.

`features/<name>-UTT/<sample>.npy` is one vector per sample,
`features/<name>-FRA/<sample>.npy` a sequence, or a folder of one vector per
frame. They are read when they are asked for.
"""

import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from keras_mmfusion.data.columns import Column
from keras_mmfusion.data.dataset import MultimodalDataset, Split, Task
from keras_mmfusion.data.formats._arrays import in_words, require_keys
from keras_mmfusion.data.formats._build import (
    Folds,
    make_dataset,
    make_split,
    split_by_group,
)
from keras_mmfusion.data.formats._files import (
    files_in,
    folders_in,
    inside,
    plain_name,
    require_kind,
    written,
)
from keras_mmfusion.data.formats._object_npz import read_object, write_object
from keras_mmfusion.data.formats._source import Format, Source
from keras_mmfusion.data.streamed import NpyFile, Streamed

_NO_NUMBER = -10
_SPLITS = {"train": "train", "val": "valid"}
_SESSION = re.compile(r"Ses(\d\d)")
Entries = dict[str, dict[str, Any]]


def mismatch(source: Source) -> str:
    if source.kind == "npz":
        if not any(n.endswith("_corpus") for n in source.members()):
            return "no *_corpus in the .npz"
        return ""
    if source.kind != "folder":
        return "neither an .npz nor a folder"
    if not any(_is_label(p) for p in source.path.iterdir()):
        return "no label*.npz in it"
    return ""


def _is_label(path: Path) -> bool:
    return path.name.startswith("label") and path.suffix == ".npz"


@dataclass(frozen=True)
class _Features:
    """Reader of the features of samples, one file or folder each."""

    paths: Sequence[Path]
    sequence: bool

    def source(self, index: int) -> Path:
        return self.paths[index]

    def __call__(self, index: int) -> NDArray[Any]:
        values = _load(self.paths[index])
        return np.atleast_2d(values) if self.sequence else values


def _load(path: Path) -> NDArray[Any]:
    if path.is_dir():
        files = files_in(path.parent, path.name, ".npy")
        frames = [np.squeeze(NpyFile.open(file).array()) for file in files]
        if not frames or any(f.shape != frames[0].shape for f in frames):
            raise ValueError(
                f"{path}: expected one vector of the same width per frame. "
                f"Received: {sorted({f.shape for f in frames})[:4]}."
            )
        values = np.stack(frames)
    else:
        values = np.squeeze(NpyFile.open(path).array())
    return values


def read(
    source: Source,
    features: Mapping[str, str] | None = None,
    label: str | None = None,
    test: str = "test",
    folds: Folds | None = None,
) -> MultimodalDataset:
    """Read a MERBench folder, or a label file beside its `features`.

    Args:
        source: the folder, or the label file if there are several.
        features: modality to the name of a folder in `features`, for example
            `{"audio": "chinese-hubert-large-UTT"}`. Default: every folder,
            under its own name.
        label: `"emo"` for classes or `"val"` for a number. Default: the one
            that the file fills; `"emo"` if it fills both.
        test: which corpus is the test split; MER2023 has `"test1"`,
            `"test2"` and `"test3"`.
        folds: for a file with one corpus, sessions of each split, for
            example `{"train": ["01", "02"], "test": ["05"]}`. Without it, all
            samples are in `train`.

    Returns:
        One column per folder: vectors for UTT, sequences for FRA.
    """
    path = _label_path(source)
    corpora = _corpora(path)
    label = _label_key(path, corpora) if label is None else label
    wanted = {name: _SPLITS.get(name, name) for name in corpora}
    chosen = {
        split: corpora[name]
        for name, split in wanted.items()
        if split in ("train", "valid") or name == test
    }
    whole = "whole" in corpora
    if whole:
        chosen = {"train": corpora["whole"]}
    if not chosen or (not whole and test not in corpora):
        raise ValueError(
            f"{path}: expected the corpora train, val and {test}. Received: "
            f"{', '.join(corpora)}. Name the test corpus with `test=`."
        )
    splits: dict[str, Split] = {}
    names = _class_names(chosen) if label == "emo" else None
    for corpus, entries in chosen.items():
        split = "test" if corpus == test else corpus
        labels = _labels(path, corpus, entries, label, names)
        columns = _columns(path, features, list(entries))
        groups = _groups(list(entries))
        if whole and folds is not None:
            splits = split_by_group(
                path, columns, labels, list(entries), groups, "session", folds
            )
        else:
            splits[split] = make_split(
                path, split, columns, labels, list(entries), groups
            )
    task: Task = "classification" if label == "emo" else "regression"
    return make_dataset(path, "MERBench", splits, task, names)


def _label_path(source: Source) -> Path:
    if source.kind != "folder":
        return source.path
    found = [p for p in files_in(source.path, "", ".npz") if _is_label(p)]
    if len(found) != 1:
        raise ValueError(
            f"{source.path}: expected one label file. Received: "
            f"{', '.join(p.name for p in found)}. Give the path of the one to "
            "read instead of the folder."
        )
    require_kind(found[0], "npz", "MERBench's labels, an .npz file")
    return found[0]


def _corpora(path: Path) -> dict[str, Entries]:
    corpora: dict[str, Entries] = {}
    for key, value in read_object(path).items():
        if not key.endswith("_corpus"):
            continue
        if not isinstance(value, dict) or not value:
            raise ValueError(
                f"{path}: {key} must be a dict of sample names. "
                f"Received: {in_words(value)}."
            )
        for name, entry in value.items():
            plain_name(str(name), path)
            require_keys(entry, ["emo", "val"], path, f"{key}[{name!r}]")
        corpora[key.removesuffix("_corpus")] = {
            str(name): entry for name, entry in value.items()
        }
    return corpora


def _label_key(path: Path, corpora: Mapping[str, Entries]) -> str:
    entries = [e for corpus in corpora.values() for e in corpus.values()]
    classes = any(e["emo"] != 0 for e in entries)
    numbers = any(e["val"] != _NO_NUMBER for e in entries)
    if classes and numbers:
        warnings.warn(
            f"{path}: holds classes (emo) and numbers (val). The classes are "
            "read; choose with `label=`.",
            stacklevel=2,
        )
    return "emo" if classes or not numbers else "val"


def _class_names(corpora: Mapping[str, Entries]) -> list[str] | None:
    values = {e["emo"] for corpus in corpora.values() for e in corpus.values()}
    if all(isinstance(value, str) for value in values):
        return sorted(values)
    return None


def _labels(
    path: Path,
    corpus: str,
    entries: Entries,
    label: str,
    names: list[str] | None,
) -> NDArray[Any]:
    if label not in ("emo", "val"):
        raise ValueError(
            f"`label` must be 'emo' or 'val'. Received: label={label!r}"
        )
    values = [entry[label] for entry in entries.values()]
    if names is not None:
        return np.asarray([names.index(value) for value in values])
    if not all(isinstance(v, (int, float, np.number)) for v in values):
        raise ValueError(
            f"{path}: {label!r} in {corpus} must be numbers. "
            f"Received: {in_words(values[0])}."
        )
    numbers = np.asarray(values, np.float64)
    wrong = ~np.isfinite(numbers)
    if label == "val":
        wrong |= numbers == _NO_NUMBER
    if wrong.any():
        raise ValueError(
            f"{path}: {np.count_nonzero(wrong)} samples of {corpus} have no "
            f"{label!r} (it is NaN or {_NO_NUMBER}). Choose another corpus or "
            "`label`."
        )
    return numbers.astype(np.int64) if label == "emo" else numbers


def _groups(names: list[str]) -> dict[str, Any]:
    sessions = [_SESSION.match(name) for name in names]
    if not all(sessions):
        return {}
    return {"session": np.asarray([m[1] for m in sessions if m])}


def _columns(
    label_path: Path, features: Mapping[str, str] | None, names: list[str]
) -> dict[str, Column]:
    root = label_path.parent
    if not (root / "features").is_dir():
        raise ValueError(
            f"{root}: lacks the folder 'features' beside {label_path.name}. "
            "Expected: features/<name>-UTT/<sample>.npy. Extract or download "
            "MERBench's features."
        )
    if features is None:
        features = {p.name: p.name for p in folders_in(root, "features")}
    if not features:
        raise ValueError(f"{root / 'features'}: has no folders of features.")
    return {
        modality: _column(root, plain_name(folder, root), names)
        for modality, folder in features.items()
    }


def _column(root: Path, folder: str, names: list[str]) -> Streamed:
    base = inside(root, Path("features") / folder)
    paths = []
    for name in names:
        path = inside(root, base / f"{name}.npy")
        if not path.is_file():
            path = inside(root, base / name)
        if not path.exists():
            raise ValueError(
                f"{base}: lacks {name}.npy, a sample of the label file. The "
                "features are incomplete or of another data set."
            )
        paths.append(path)
    shapes = [_squeezed_shape(path) for path in paths]
    widths = {shape[-1] if shape else 1 for shape in shapes}
    sequence = any(len(shape) == 2 for shape in shapes)
    if len(widths) != 1 or any(len(shape) > 2 for shape in shapes):
        raise ValueError(
            f"{base}: expected features of one width, (D,) or (T, D). "
            f"Received: {sorted(set(shapes))[:4]}."
        )
    width = widths.pop()
    shape = (None, width) if sequence else (width,)
    reader = _Features(paths, sequence)
    return Streamed(reader, len(paths), shape, source=reader.source)


def _squeezed_shape(path: Path) -> tuple[int, ...]:
    if path.is_dir():
        return _load(path).shape
    require_kind(path, "npy", "a NumPy array")
    shape = tuple(size for size in NpyFile.open(path).shape if size != 1)
    return shape or (1,)


def write(dataset: MultimodalDataset, path: str | Path) -> None:
    """Write a MERBench folder.

    Args:
        dataset: any modalities; vectors become `<name>-UTT`, sequences
            `<name>-FRA`. Classes are written as `emo`, numbers as `val`.
        path: the folder.
    """
    classes = dataset.task == "classification"
    names = dataset.class_names
    corpora: dict[str, Any] = {}
    with written(path) as unfinished:
        for name, split in dataset.splits.items():
            if split.labels.ndim != 1:
                raise ValueError(
                    "MERBench files hold one label per sample. Received: "
                    f"shape {split.labels.shape}."
                )
            key = {"valid": "val"}.get(name, name) + "_corpus"
            corpora[key] = {}
            for sample, y in zip(split.ids, split.labels, strict=True):
                emo: Any = int(y) if classes else 0
                if classes and names:
                    emo = names[int(y)]
                val = _NO_NUMBER if classes else float(y)
                corpora[key][sample] = {"emo": emo, "val": val}
            _write_features(split, unfinished / "features")
        write_object(unfinished / "label.npz", corpora)


def _write_features(split: Split, folder: Path) -> None:
    for modality, column in split.features.items():
        level = "FRA" if column.is_sequence else "UTT"
        name = plain_name(modality, folder)
        if not name.endswith(f"-{level}"):
            name = f"{name}-{level}"
        (folder / name).mkdir(parents=True, exist_ok=True)
        for index, sample in enumerate(split.ids):
            file = folder / name / f"{plain_name(sample, folder)}.npy"
            np.save(file, column[index], allow_pickle=False)


FORMAT = Format(
    name="merbench",
    layout="a folder of label*.npz and features/<name>-UTT or -FRA/*.npy",
    mismatch=mismatch,
    read=read,
    write=write,
)
