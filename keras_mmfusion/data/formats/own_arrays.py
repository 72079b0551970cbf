"""A user's own features: one .npz of arrays, or one CSV table.

`.npz`: an array per modality, (N, T, C) with zeros after the last step of
shorter samples, or (N, C), `labels` (N,) or (N, K), `split` (N,) of "train",
"valid" and "test", and optionally `ids` (N,), `group.<name>` (N,) such as
`group.speaker`, `task` (a text) and `class_names` (texts).

CSV: a row per sample with columns `labels`, `split`, optionally `ids` and
`group.<name>`, and `<modality>.<i>` for the numbers of each modality's vector.

Groups are what samples share, for `check_leaks` and for intervals over
speakers. Without a `task`, whole-numbered labels from 0, (N,) or integers
(N, 1), are classes, others regression targets; `load(path, task=...,
class_names=...)` says it for either file.
"""

import warnings
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from keras_mmfusion.data.checks import warn_without_class_0
from keras_mmfusion.data.columns import Padded, Vectors
from keras_mmfusion.data.dataset import TASKS, MultimodalDataset, Task
from keras_mmfusion.data.formats._build import (
    SPLITS,
    make_dataset,
    make_split,
)
from keras_mmfusion.data.formats._csv_table import GROUP, header, read_csv
from keras_mmfusion.data.formats._files import require_kind
from keras_mmfusion.data.formats._own_arrays_writer import (
    Arrays,
    check_groups,
    write,
)
from keras_mmfusion.data.formats._source import Format, Source
from keras_mmfusion.data.padding import nonzero_spans

_LARGEST = np.float64(np.finfo(np.float32).max)
_MOST_CLASSES = 1000  # without names, in a file of fewer samples
_LAYOUT = (
    "an .npz of an array per modality, labels and split; or a .csv with "
    "columns labels, split and <modality>.<i>"
)


def mismatch(source: Source) -> str:
    if source.kind == "npz":
        names = set(source.members())
    elif source.kind == "text":
        names = set(header(source.path))
    else:
        return "neither .npz nor CSV"
    missing = {"labels", "split"} - names
    return f"no {' and '.join(sorted(missing))}" if missing else ""


def read(
    source: Source,
    task: Task | None = None,
    class_names: Sequence[str] | None = None,
) -> MultimodalDataset:
    """Read a user's own arrays; see the layout above.

    Args:
        source: the file.
        task: what the labels are. Default: as the file says, else by the
            labels.
        class_names: names of the classes, or of the columns of (N, K)
            labels. Default: as in the file, else the numbers of the classes.

    Raises:
        ValueError: if the file is not of this layout, or if classes without
            names are numbered beyond both 1,000 and the number of samples.
    """
    path = source.path
    arrays = _read_npz(path) if source.kind == "npz" else read_csv(path)
    labels = _labels(path, arrays.pop("labels"))
    stated, stored = _stated_task(path, arrays), _class_names(path, arrays)
    if task is not None:
        stated = _known_task(path, task)
    names = stored if class_names is None else list(class_names)
    split = arrays.pop("split").astype(str)
    ids = arrays.pop("ids", np.arange(split.size)).astype(str)
    groups = {
        name.removeprefix(GROUP): arrays.pop(name)
        for name in [*arrays]
        if name.startswith(GROUP)
    }
    check_groups(path, groups, split.size)
    _check(path, arrays, labels, split, ids)
    classes = _as_classes(labels)
    guessed: Task = "regression" if classes is None else "classification"
    task = stated or guessed
    if task == "classification" and classes is not None:
        names = names or _numbers(path, classes)
        # A number beyond the names stays as it is, to be refused as such.
        fits = classes.max() < len(names)
        labels = classes.astype(int) if fits else classes
    splits = {}
    for name in [s for s in SPLITS if (split == s).any()]:
        own = split == name
        features = {
            m: Vectors(x[own]) if x.ndim == 2 else Padded(x[own])
            for m, x in arrays.items()
        }
        splits[name] = make_split(
            path,
            name,
            features,
            labels[own],
            list(ids[own]),
            {group: values[own] for group, values in groups.items()},
        )
    return make_dataset(path, "own arrays", splits, task, names)


def _read_npz(path: Path) -> Arrays:
    require_kind(path, "npz", _LAYOUT)
    try:
        with zipfile.ZipFile(path) as archive:
            return {
                info.filename.removesuffix(".npy"): _member(archive, info)
                for info in archive.infolist()
            }
    except (zipfile.BadZipFile, EOFError, OSError, ValueError) as error:
        raise ValueError(
            f"{path}: damaged, or not plain numbers and texts: {error}"
        ) from None


def _member(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> NDArray[Any]:
    """An array, if its header does not claim more than the archive says."""
    with archive.open(info) as file:
        version = np.lib.format.read_magic(file)
        read_header = (
            np.lib.format.read_array_header_1_0
            if version == (1, 0)
            else np.lib.format.read_array_header_2_0
        )
        shape, _, dtype = read_header(file)
        claimed = int(np.prod(shape, dtype=object)) * dtype.itemsize
        if dtype.hasobject or claimed > info.file_size:
            raise ValueError(
                f"member {info.filename!r} claims {dtype} {shape}, "
                f"{claimed} bytes of {info.file_size}"
            )
    with archive.open(info) as file:
        return np.asarray(np.lib.format.read_array(file, allow_pickle=False))


def _labels(path: Path, labels: NDArray[Any]) -> NDArray[Any]:
    if labels.dtype.kind not in "fiub" or not np.isfinite(labels).all():
        raise ValueError(
            f"{path}: labels must be finite numbers. Received: {labels.dtype}, "
            f"for example {labels.ravel()[:3]}"
        )
    return labels


def _text(arrays: Arrays, key: str) -> NDArray[Any] | None:
    """Takes out the array of this name, unless it is a modality's numbers."""
    if key not in arrays or arrays[key].dtype.kind not in "SU":
        return None
    return arrays.pop(key).astype(str)


def _stated_task(path: Path, arrays: Arrays) -> Task | None:
    text = _text(arrays, "task")
    if text is None:
        return None
    return _known_task(path, text.item() if text.size == 1 else text.tolist())


def _known_task(path: Path, received: object) -> Task:
    for task in TASKS:
        if received == task:
            return task
    raise ValueError(
        f"{path}: task must be one of {list(TASKS)}. Received: {received!r}"
    )


def _class_names(path: Path, arrays: Arrays) -> list[str] | None:
    names = _text(arrays, "class_names")
    if names is None:
        return None
    if names.ndim != 1:
        raise ValueError(
            f"{path}: class_names must be texts of shape (K,). Received: "
            f"shape {names.shape}"
        )
    return [str(name) for name in names]


def _as_classes(labels: NDArray[Any]) -> NDArray[Any] | None:
    """The labels if they are class numbers, as (N,), else None."""
    if labels.ndim == 2 and labels.shape[1] == 1 and labels.dtype.kind in "iub":
        labels = labels[:, 0]
    whole = labels.ndim == 1 and (labels % 1 == 0).all() and labels.min() >= 0
    return labels if whole else None


def _numbers(path: Path, classes: NDArray[Any]) -> list[str]:
    """Names for classes that have none: "0", "1", ..."""
    largest, most = classes.max(), max(len(classes), _MOST_CLASSES)
    if largest > most:
        raise ValueError(
            f"{path}: labels that are whole numbers from 0 are taken for "
            "classes, whose numbers may reach the number of samples, or "
            f"{_MOST_CLASSES}. Received: {largest} in {len(classes)} samples. "
            "If they are values to predict, load with task='regression'. If "
            "they are classes, number them 0, 1, 2, ... or load with "
            "class_names=[...]. An .npz may hold both as arrays."
        )
    warn_without_class_0(str(path), classes.min())
    return [str(number) for number in range(int(largest) + 1)]


def _check(
    path: Path,
    arrays: Arrays,
    labels: NDArray[Any],
    split: NDArray[Any],
    ids: NDArray[Any],
) -> None:
    _check_shapes(path, arrays, labels, split, ids)
    counts = {m: len(x) for m, x in arrays.items()}
    counts |= {"labels": len(labels), "split": len(split), "ids": len(ids)}
    unknown = sorted(set(split.tolist()) - set(SPLITS))
    if len(set(counts.values())) > 1 or not len(labels) or not arrays:
        raise ValueError(
            f"{path}: expected one modality or more and as many labels and "
            f"splits as samples. Received: {counts}"
        )
    if unknown:
        raise ValueError(
            f"{path}: splits must be {list(SPLITS)}. Received: {unknown[:5]}"
        )
    bad = {m: _count_not_float32(x) for m, x in arrays.items()}
    if any(bad.values()):
        raise ValueError(
            f"{path}: features must be finite numbers of float32's range, at "
            f"most {_LARGEST:.4g}. Received: NaN, infinite or larger values "
            f"{bad}. Scale large ones down; a missing modality is all zeros."
        )
    for m, x in arrays.items():
        if x.ndim > 2:
            _warn_of_left_padding(path, m, x)


def _warn_of_left_padding(path: Path, m: str, x: NDArray[Any]) -> None:
    first, last = nonzero_spans(x)
    late = np.count_nonzero(first)
    if len(set(first[last > 0])) > 2 and (last[last > 0] == x.shape[1]).all():
        warnings.warn(
            f"{path}: {late} of {len(x)} samples of '{m}' begin with steps of "
            "zeros, of different number, and none ends so. If this is "
            "padding, move it to the end: here, steps of zeros at the start "
            "are data.",
            stacklevel=3,
        )


def _check_shapes(
    path: Path,
    arrays: Arrays,
    labels: NDArray[Any],
    split: NDArray[Any],
    ids: NDArray[Any],
) -> None:
    if labels.ndim == 0 or split.ndim != 1 or ids.ndim != 1:
        raise ValueError(
            f"{path}: expected a label, a split and an id for every sample: "
            "labels (N,) or (N, K), split (N,), ids (N,). Received: labels "
            f"{labels.shape}, split {split.shape}, ids {ids.shape}"
        )
    ranks = {m: x.shape for m, x in arrays.items() if x.ndim < 2}
    kinds = {m: x.dtype for m, x in arrays.items() if x.dtype.kind not in "fiu"}
    if ranks or kinds:
        raise ValueError(
            f"{path}: a modality is an array of numbers of shape (N, T, C) or "
            f"(N, C). Received: {ranks or kinds}"
        )


def _count_not_float32(x: NDArray[Any]) -> int:
    """How many values would be NaN or infinite in float32, as models use."""
    if x.dtype.kind != "f":
        return 0
    return int(np.count_nonzero(~(np.abs(x) <= _LARGEST)))


FORMAT = Format(
    name="arrays",
    layout=_LAYOUT,
    mismatch=mismatch,
    read=read,
    write=write,
)
