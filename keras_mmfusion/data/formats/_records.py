"""Lists of ((words, visual, acoustic, ...), label, segment), MAG and MISA."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from keras_mmfusion.data.columns import Column
from keras_mmfusion.data.dataset import Split
from keras_mmfusion.data.formats._arrays import (
    Array,
    array_of,
    finite,
    in_words,
    labels_of,
    number_array,
    text_of,
)
from keras_mmfusion.data.formats._build import make_split
from keras_mmfusion.data.formats._source import column_of
from keras_mmfusion.data.streamed import Items, Streamed


@dataclass
class Records:
    """The records of one split, checked.

    Attributes:
        visual: per sample, (T, D).
        acoustic: per sample, (T, D).
        word_ids: per sample, (T, 1), if words are numbers.
        words: per sample, if the file has them as text.
        labels: (N,) or (N, K).
        ids: names of the segments.
    """

    visual: list[Array] = field(default_factory=list)
    acoustic: list[Array] = field(default_factory=list)
    word_ids: list[Array] = field(default_factory=list)
    words: list[list[str]] = field(default_factory=list)
    labels: Any = None
    ids: list[str] = field(default_factory=list)


def record_problem(records: object, parts: int) -> str:
    """Why a value is not a list of such records, `""` if it is."""
    if not isinstance(records, (list, tuple)) or not records:
        return f"not a list of records but {in_words(records)}"
    first = records[0]
    if not isinstance(first, (list, tuple)) or len(first) != 3:
        return "its items are not (features, label, segment)"
    if not isinstance(first[0], (list, tuple)) or len(first[0]) != parts:
        return f"its features are not tuples of {parts}"
    return ""


def read_records(
    records: object, parts: int, source: Path, where: str
) -> Records:
    """Check a list of records.

    Args:
        records: the list.
        parts: how many parts the features have: 3 for MAG, 4 for MISA.
        source: the file.
        where: name of the split, for messages.

    Returns:
        The records, column by column.
    """
    problem = record_problem(records, parts)
    if problem or not isinstance(records, (list, tuple)):
        raise ValueError(
            f"{source}: {where!r} must be a list of ((words, visual, acoustic"
            f"{', text' if parts == 4 else ''}), label, segment). "
            f"Received: {problem}."
        )
    read = Records()
    labels = []
    for index, record in enumerate(records):
        what = f"{where}[{index}]"
        if record_problem([record], parts):
            raise ValueError(
                f"{source}: {what}: {record_problem([record], parts)}."
            )
        features, label, segment = record
        _read_features(read, features, source, what)
        labels.append(np.ravel(array_of(label, source, f"{what}, its label,")))
        read.ids.append(text_of(segment, source, f"{what}, its segment,"))
    if len({label.shape for label in labels}) != 1:
        raise ValueError(
            f"{source}: the labels of {where!r} differ in size. Expected: as "
            "many numbers for every segment."
        )
    stacked = np.stack(labels)
    read.labels = labels_of(
        stacked, len(stacked), source, f"labels of {where!r}"
    )
    return read


def _read_features(
    read: Records, features: Sequence[Any], source: Path, what: str
) -> None:
    words, visual, acoustic = features[:3]
    for name, value, target in (
        ("visual", visual, read.visual),
        ("acoustic", acoustic, read.acoustic),
    ):
        array = number_array(value, 2, source, f"{what}/{name}")
        target.append(finite(array, source, f"{what}/{name}"))
    if not isinstance(words, (list, tuple, np.ndarray)) or (
        isinstance(words, np.ndarray) and words.ndim != 1
    ):
        raise ValueError(
            f"{source}: the words of {what} must be a list of words. "
            f"Received: {in_words(words)}."
        )
    counts = {len(words), len(visual), len(acoustic)}
    if len(counts) > 1:
        raise ValueError(
            f"{source}: {what} has {len(words)} words, {len(visual)} visual "
            f"and {len(acoustic)} acoustic steps. Expected: one of each for "
            "every word."
        )
    numbers = isinstance(words, np.ndarray) and words.dtype.kind in "iu"
    if numbers:
        read.word_ids.append(np.asarray(words).reshape(-1, 1))
    else:
        read.words.append([text_of(w, source, what) for w in words])
    if len(features) == 4 and isinstance(features[3], (list, tuple)):
        read.words.append([text_of(w, source, what) for w in features[3]])


def split_of(read: Records, source: Path, name: str) -> Split:
    """The split; word ids become the modality `text`, as (T, 1)."""
    features: dict[str, Column] = {}
    if len(read.word_ids) == len(read.ids):
        features["text"] = _column(read.word_ids, source, f"{name}/words")
    features["audio"] = _column(read.acoustic, source, f"{name}/acoustic")
    features["video"] = _column(read.visual, source, f"{name}/visual")
    groups = {}
    if all("[" in segment for segment in read.ids):
        groups["video"] = np.asarray([i.split("[")[0] for i in read.ids])
    return make_split(source, name, features, read.labels, read.ids, groups)


def _column(arrays: list[Array], source: Path, what: str) -> Streamed:
    widths = {array.shape[1] for array in arrays}
    if len(widths) != 1:
        raise ValueError(
            f"{source}: {what} must have one width. Received: {sorted(widths)}."
        )
    return Streamed(Items(arrays), len(arrays), (None, widths.pop()))


def written_records(
    split: Split, words: list[list[str]], layout: str, word_ids: bool
) -> list[Any]:
    """Records of a split, for the writers.

    Args:
        split: with `audio`, `video` and, for word ids, `text` of width 1.
        words: words of every sample.
        layout: name of the format.
        word_ids: whether features begin with word ids and end with words
            (MISA), or begin with words (MAG).

    Returns:
        The list to pickle. Modalities shorter than the words are padded.
    """
    visual = column_of(split, "video", layout)
    acoustic = column_of(split, "audio", layout)
    ids = column_of(split, "text", layout) if word_ids else None
    if ids is not None and ids.item_shape != (None, 1):
        raise ValueError(
            f"{layout} files hold word ids, `text` of width 1. "
            f"Received: {ids.item_shape}."
        )
    labels = np.asarray(split.labels, np.float32).reshape(len(split), 1, -1)
    records = []
    for index, text in enumerate(words):
        v, a = visual[index], acoustic[index]
        steps = len(text)
        if max(len(v), len(a)) > steps:
            raise ValueError(
                f"{layout} files hold one step for every word. Received: "
                f"{steps} words and {max(len(v), len(a))} steps for sample "
                f"{split.ids[index]!r}."
            )
        features: tuple[Any, ...] = (_to(v, steps), _to(a, steps))
        if ids is None:
            features = (text, *features)
        else:
            numbers = _to(ids[index], steps)[:, 0].astype(np.int64)
            features = (numbers, *features, text)
        records.append((features, labels[index], split.ids[index]))
    return records


def _to(item: Array, steps: int) -> Array:
    padded = np.zeros((steps, *item.shape[1:]), np.float32)
    padded[: len(item)] = item
    return padded
