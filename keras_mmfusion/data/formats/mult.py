"""MulT: `mosi_data.pkl`, `mosei_senti_data_noalign.pkl`, `iemocap_data.pkl`.

One pickle: `train`, `valid`, `test`, each a dict with `text`, `audio`,
`vision` of shape (N, T, D), zero-padded on the left, `labels` and mostly
`id`. Labels are (N, 1, 1) for sentiment, and (N, K, 2), one-hot, for the K
binary emotions of IEMOCAP. Ids are rows of (video, start, end).
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from keras_mmfusion.data.columns import Column, Selected
from keras_mmfusion.data.dataset import MultimodalDataset, Split, Task
from keras_mmfusion.data.formats._arrays import (
    Array,
    finite,
    ids_of,
    in_words,
    labels_of,
    number_array,
    require_keys,
    text_of,
)
from keras_mmfusion.data.formats._build import (
    SPLITS,
    make_dataset,
    make_split,
)
from keras_mmfusion.data.formats._files import written
from keras_mmfusion.data.formats._pickle_writer import dump_pickle
from keras_mmfusion.data.formats._sequences import (
    left_padded,
    sequence_columns,
)
from keras_mmfusion.data.formats._source import (
    Format,
    Source,
    all_splits,
    column_of,
)

KEYS = {"text": "text", "audio": "audio", "video": "vision"}
# The order in which MulT's evaluation names the four heads.
_EMOTIONS = ["neutral", "happy", "sad", "angry"]


def mismatch(source: Source) -> str:
    reason = three_modality_mismatch(source)
    if not reason and has_plain_ids(source):
        return "ids are single names, as in MultiBench's files"
    return reason


def three_modality_mismatch(source: Source) -> str:
    """Why a source is not the layout that MulT and MultiBench share."""
    if source.kind != "pickle":
        return "not a pickle"
    data = source.content()
    if not isinstance(data, dict):
        return "the pickle is not a dict of splits"
    for split in SPLITS:
        if isinstance(data.get(split), dict):
            if "labels" in data[split]:
                return ""
            return "no `labels` in the splits"
    return "no split train, valid or test"


def has_plain_ids(source: Source) -> bool:
    """Whether ids are single names; MulT's are (video, start, end)."""
    data = source.content()
    for split in SPLITS:
        if isinstance(data.get(split), dict):
            ids = data[split].get("id")
            if not isinstance(ids, (list, tuple, np.ndarray)):
                return False
            array = np.asarray(ids, object)
            # (N,) names, or (N, 1) of them.
            return array.ndim == 1 or array.shape[1:] == (1,)
    return False


def read(source: Source) -> MultimodalDataset:
    """Read a MulT file; -inf in `audio` is read as 0, as MulT does.

    Returns:
        Modalities `text`, `audio`, `video`. Sentiment has one number per
        sample; one-hot emotions become labels of shape (N, K), 0 or 1, for
        the task `"binary heads"`.
    """
    return read_three(source, "MulT")


def read_three(
    source: Source,
    layout: str,
    kept: Callable[[Array], Array] | None = None,
) -> MultimodalDataset:
    """Read the layout that MulT and MultiBench share.

    Args:
        source: the file.
        layout: name of the format, for messages.
        kept: text array to the indices of the samples to keep. Default: all.

    Returns:
        The data set.
    """
    path = source.path
    data = require_keys(source.content(), SPLITS, path, f"a {layout} file")
    arrays: dict[str, dict[str, Array]] = {}
    chosen: dict[str, Array | None] = {}
    for split in SPLITS:
        keys = [*KEYS.values(), "labels"]
        entry = dict(require_keys(data[split], keys, path, f"{split!r}"))
        data[split] = entry
        arrays[split] = {}
        for name, key in KEYS.items():
            what = f"{split}/{key}"
            array = number_array(entry.pop(key), 3, path, what)
            arrays[split][name] = finite(
                array, path, what, minus_inf_is_zero=name == "audio"
            )
        chosen[split] = None if kept is None else kept(arrays[split]["text"])
    columns = sequence_columns(path, arrays)
    labels: dict[str, Array] = {}
    tasks: set[Task] = set()
    for split in SPLITS:
        labels[split], task = _labels(
            data[split]["labels"], len(arrays[split]["text"]), path, split
        )
        tasks.add(task)
    if len(tasks) > 1:
        raise ValueError(
            f"{path}: the labels are pairs of 0 and 1 in some splits only. "
            "Expected: labels of one shape. Different files were mixed."
        )
    labels, task, class_names = _classes(labels, tasks.pop())
    splits = {
        split: _split(
            path, split, columns[split], labels[split], data[split], rows
        )
        for split, rows in chosen.items()
    }
    return make_dataset(path, layout, splits, task, class_names)


def _split(
    path: Path,
    name: str,
    features: dict[str, Column],
    labels: Array,
    entry: dict[str, Any],
    rows: Array | None,
) -> Split:
    """A split, of the given rows or of all."""
    ids: list[str] | None = None
    groups: dict[str, Array] = {}
    if entry.get("id") is not None:
        ids = ids_of(entry["id"], len(labels), path, f"{name}/id")
        groups = _groups(entry["id"])
    if rows is not None:
        features = {k: Selected(c, rows) for k, c in features.items()}
        ids = ids if ids is None else [ids[row] for row in rows]
        labels = labels[rows]
        groups = {key: values[rows] for key, values in groups.items()}
    return make_split(path, name, features, labels, ids, groups)


def _groups(ids: Any) -> dict[str, Array]:
    """The video of every sample, where ids are (video, start, end)."""
    if not isinstance(ids, np.ndarray) or ids.ndim != 2 or ids.shape[1] < 2:
        return {}
    names = [text_of(name, "", "id") for name in ids[:, 0]]
    return {"video": np.asarray(names)}


def _classes(
    labels: dict[str, Array], task: Task
) -> tuple[dict[str, Array], Task, list[str] | None]:
    """Labels, task and class names; two values only mean two classes."""
    train = labels["train"]
    if task == "binary heads":
        four = train.shape[1] == len(_EMOTIONS)
        return labels, task, _EMOTIONS if four else None
    if train.ndim != 1:
        return labels, task, None
    values = set(np.unique(np.concatenate(list(labels.values()))).tolist())
    if values not in ({0, 1}, {-1, 1}):
        return labels, task, None
    names = [f"{value:g}" for value in sorted(values)]
    classes = {k: (y > 0).astype(np.int64) for k, y in labels.items()}
    return classes, "classification", names


def _labels(value: Any, count: int, path: Path, split: str) -> tuple[Any, Task]:
    what = f"{split}/labels"
    if isinstance(value, np.ndarray) and value.shape[2:] == (2,):
        heads = value.shape[1]
        flat = labels_of(value.reshape(len(value), -1), count, path, what)
        pairs = flat.reshape(count, heads, 2)
        if not np.all(np.sort(pairs, axis=2) == [0, 1]):
            raise ValueError(
                f"{path}: {what} of shape {value.shape} must be one-hot pairs "
                "of 0 and 1. Received: other values."
            )
        return pairs.argmax(axis=2).astype(np.int64), "binary heads"
    return labels_of(value, count, path, what), "regression"


def write(dataset: MultimodalDataset, path: str | Path) -> None:
    """Write a MulT file, padded on the left.

    Args:
        dataset: modalities `text`, `audio`, `video`; one number per sample,
            or labels for `"binary heads"`.
        path: the file.
    """
    content: dict[str, Any] = {}
    for name, split in all_splits(dataset, "MulT").items():
        entry: dict[str, Any] = written_modalities(split, "MulT")
        entry["labels"] = _written_labels(split, dataset.task)
        # Readers of these files take the first three parts of an id.
        entry["id"] = np.asarray([[i, "", ""] for i in split.ids]).reshape(
            len(split), 3
        )
        content[name] = entry
    with written(path) as unfinished:
        dump_pickle(content, unfinished)


def written_modalities(split: Split, layout: str) -> dict[str, Any]:
    """The three modalities under their keys, padded on the left."""
    return left_padded(
        {key: column_of(split, name, layout) for name, key in KEYS.items()}
    )


def _written_labels(split: Split, task: Task) -> Array:
    labels = np.asarray(split.labels)
    if task == "binary heads":
        return np.stack([1 - labels, labels], axis=2).astype(np.float32)
    if labels.ndim != 1:
        raise ValueError(
            "MulT files hold one number or binary heads per sample. "
            f"Received: {in_words(labels)} for the task {task!r}."
        )
    return labels.astype(np.float32).reshape(-1, 1, 1)


FORMAT = Format(
    name="mult",
    layout="one pickle: train/valid/test with text, audio, vision, labels and "
    "ids of (video, start, end)",
    mismatch=mismatch,
    read=read,
    write=write,
)
