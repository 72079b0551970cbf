"""MMSA: `aligned_50.pkl`, `unaligned_50.pkl` and relatives.

One pickle: `train`, `valid`, `test`, each a dict with

- `text` (N, L, D), `audio` (N, T, D), `vision` (N, T, D);
- `regression_labels` (N,), and in SIMS also `regression_labels_T`, `_A`, `_V`;
- `id` (N,), written `video$_$clip`; `raw_text` (N,);
- `text_bert` (N, 3, L): token ids, mask, segments;
- `audio_lengths`, `vision_lengths` (N,), not in aligned files.

Widths and lengths are those of the arrays; the configurations shipped with
the code that uses these files contradict them.
"""

from pathlib import Path
from typing import Any

import numpy as np

from keras_mmfusion.data.dataset import MultimodalDataset, Split
from keras_mmfusion.data.formats._arrays import (
    Array,
    finite,
    ids_of,
    in_words,
    labels_of,
    lengths_of,
    longest,
    number_array,
    padded,
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
from keras_mmfusion.data.formats._sequences import sequence_columns
from keras_mmfusion.data.formats._source import (
    Format,
    Source,
    Texts,
    all_splits,
    column_of,
    one_label,
    texts_for,
)
from keras_mmfusion.data.padding import Ints

_KEYS = {"text": "text", "audio": "audio", "video": "vision"}
_CLIP = "$_$"


def mismatch(source: Source) -> str:
    if source.kind != "pickle":
        return "not a pickle"
    data = source.content()
    if not isinstance(data, dict):
        return "the pickle is not a dict of splits"
    for split in SPLITS:
        if isinstance(data.get(split), dict):
            if "regression_labels" in data[split]:
                return ""
            return "no `regression_labels` in the splits"
    return "no split train, valid or test"


def read(source: Source, label: str = "regression_labels") -> MultimodalDataset:
    """Read an MMSA file.

    Text lengths are those of the mask in `text_bert`; without it, all-zero
    steps are padding. -inf in `audio` is read as 0, as MMSA does.

    Args:
        source: the file.
        label: key of the labels; `"regression_labels_A"` for the labels of
            the audio alone in SIMS.

    Returns:
        Modalities `text`, `audio`, `video`; one number per sample.
    """
    data = require_keys(source.content(), SPLITS, source.path, "an MMSA file")
    arrays: dict[str, dict[str, Array]] = {}
    lengths: dict[str, dict[str, Ints]] = {}
    for split in SPLITS:
        keys = [*_KEYS.values(), label, "id"]
        entry = dict(require_keys(data[split], keys, source.path, f"{split!r}"))
        data[split] = entry
        arrays[split], lengths[split] = {}, {}
        for name, key in _KEYS.items():
            what = f"{split}/{key}"
            # Taken out of the dict, so that a copy made here replaces it.
            array = number_array(entry.pop(key), 3, source.path, what)
            arrays[split][name] = finite(
                array, source.path, what, minus_inf_is_zero=name == "audio"
            )
            steps = _lengths(source, entry, key, arrays[split][name], split)
            if steps is not None:
                lengths[split][name] = steps
    columns = sequence_columns(source.path, arrays, lengths)
    splits: dict[str, Split] = {}
    for split in SPLITS:
        entry = data[split]
        count = len(arrays[split]["text"])
        ids = ids_of(entry["id"], count, source.path, f"{split}/id")
        labels = labels_of(entry[label], count, source.path, f"{split}/{label}")
        splits[split] = make_split(
            source.path, split, columns[split], labels, ids, _groups(ids)
        )
    return make_dataset(source.path, "MMSA", splits, "regression")


def _groups(ids: list[str]) -> dict[str, Any]:
    if not all(_CLIP in name for name in ids):
        return {}
    return {"video": np.asarray([name.split(_CLIP)[0] for name in ids])}


def _lengths(
    source: Source, entry: dict[str, Any], key: str, array: Array, split: str
) -> Ints | None:
    given = f"{key}_lengths"
    if given in entry:
        return lengths_of(entry[given], array, source.path, f"{split}/{given}")
    if key != "text" or "text_bert" not in entry:
        return None
    what = f"{split}/text_bert"
    bert = number_array(entry["text_bert"], 3, source.path, what)
    if bert.shape != (len(array), 3, array.shape[1]):
        raise ValueError(
            f"{source.path}: {what} must have the shape "
            f"{(len(array), 3, array.shape[1])}, to go with the text. "
            f"Received: {in_words(bert)}."
        )
    mask = bert[:, 1] != 0
    steps = mask.sum(axis=1)
    if np.array_equal(mask, np.arange(mask.shape[1]) < steps[:, None]):
        return steps.astype(np.int64)
    return None


def write(
    dataset: MultimodalDataset, path: str | Path, texts: Texts | None = None
) -> None:
    """Write an MMSA file, all modalities padded on the right.

    `text_bert` is not written: token ids cannot be made from features.
    Use the file with `use_bert=False`.

    Args:
        dataset: modalities `text`, `audio`, `video`, one number per sample.
        path: the file.
        texts: split to the words of every sample, written as `raw_text`.
    """
    content: dict[str, Any] = {}
    for name, split in all_splits(dataset, "MMSA").items():
        content[name] = _entry(
            split, texts_for(texts, name, len(split), "MMSA")
        )
    with written(path) as unfinished:
        dump_pickle(content, unfinished)


def _entry(split: Split, words: list[list[str]] | None) -> dict[str, Any]:
    labels = np.asarray(one_label(split, "MMSA"), np.float32)
    columns = {name: column_of(split, name, "MMSA") for name in _KEYS}
    entry: dict[str, Any] = {
        "raw_text": [" ".join(w) for w in words or [[]] * len(split)],
        "id": list(split.ids),
        "regression_labels": labels,
        "classification_labels": np.sign(labels).astype(np.int64) + 1,
        "annotations": [
            ("Negative", "Neutral", "Positive")[int(np.sign(y)) + 1]
            for y in labels
        ],
    }
    for name, key in _KEYS.items():
        entry[key] = padded(columns[name], longest([columns[name]]))
    lengths = {name: column.lengths() for name, column in columns.items()}
    aligned = all(
        np.array_equal(steps, lengths["text"]) for steps in lengths.values()
    )
    if not aligned:
        entry["audio_lengths"] = lengths["audio"]
        entry["vision_lengths"] = lengths["video"]
    return entry


def texts(source: Source) -> dict[str, list[list[str]]]:
    """Words of every sample, from `raw_text`."""
    data = require_keys(source.content(), SPLITS, source.path, "an MMSA file")
    found: dict[str, list[list[str]]] = {}
    for split in SPLITS:
        entry = require_keys(data[split], ["raw_text"], source.path, split)
        what = f"{split}/raw_text"
        raw = entry["raw_text"]
        if not isinstance(raw, (list, tuple, np.ndarray)) or (
            np.asarray(raw, object).ndim == 0
        ):
            raise ValueError(
                f"{source.path}: {what} must be a list of texts. "
                f"Received: {in_words(raw)}."
            )
        found[split] = [
            text_of(text, source.path, what).split() for text in raw
        ]
    return found


FORMAT = Format(
    name="mmsa",
    layout="one pickle: train/valid/test with text, audio, vision, "
    "regression_labels, id",
    mismatch=mismatch,
    read=read,
    write=write,
    texts=texts,
)
