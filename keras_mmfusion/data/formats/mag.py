"""MAG (BERT multimodal transformer): `mosi.pkl`, `mosei.pkl`.

One pickle: `train`, `dev`, `test`, each a list of records ((words, visual,
acoustic), label, segment). Words are text or ids into a vocabulary kept
elsewhere; visual and acoustic have one step for every word.
"""

from pathlib import Path

from keras_mmfusion.data.dataset import MultimodalDataset
from keras_mmfusion.data.formats._arrays import require_keys
from keras_mmfusion.data.formats._build import make_dataset
from keras_mmfusion.data.formats._files import written
from keras_mmfusion.data.formats._pickle_writer import dump_pickle
from keras_mmfusion.data.formats._records import (
    Records,
    read_records,
    record_problem,
    split_of,
    written_records,
)
from keras_mmfusion.data.formats._source import (
    Format,
    Source,
    Texts,
    all_splits,
    texts_for,
)

_SPLITS = {"train": "train", "valid": "dev", "test": "test"}


def mismatch(source: Source) -> str:
    if source.kind != "pickle":
        return "not a pickle"
    data = source.content()
    if not isinstance(data, dict):
        return "the pickle is not a dict of splits"
    for key in _SPLITS.values():
        if key in data:
            return record_problem(data[key], 3)
    return "no split train, dev or test"


def _records(source: Source) -> dict[str, Records]:
    data = require_keys(
        source.content(), list(_SPLITS.values()), source.path, "a MAG file"
    )
    return {
        name: read_records(data[key], 3, source.path, key)
        for name, key in _SPLITS.items()
    }


def read(source: Source) -> MultimodalDataset:
    """Read a MAG file.

    Returns:
        Modalities `audio`, `video`, and `text` (T, 1) if the words are ids.
        Words that are text are not numbers; `load_texts` gives them.
    """
    splits = {
        name: split_of(records, source.path, name)
        for name, records in _records(source).items()
    }
    return make_dataset(source.path, "MAG", splits, "regression")


def write(
    dataset: MultimodalDataset, path: str | Path, texts: Texts | None = None
) -> None:
    """Write a MAG file.

    Args:
        dataset: modalities `audio`, `video`, one step for every word.
        path: the file.
        texts: split to the words of every sample.
    """
    content = {}
    for name, split in all_splits(dataset, "MAG").items():
        words = texts_for(texts, name, len(split), "MAG")
        if words is None:
            raise ValueError(
                "MAG files hold words. Give them as `texts`, split to a list "
                "of words for every sample."
            )
        content[_SPLITS[name]] = written_records(split, words, "MAG", False)
    with written(path) as unfinished:
        dump_pickle(content, unfinished)


def texts(source: Source) -> dict[str, list[list[str]]]:
    """Words of every sample; empty if the file has only word ids."""
    return {name: r.words for name, r in _records(source).items()}


FORMAT = Format(
    name="mag",
    layout="one pickle: train/dev/test, lists of ((words, visual, acoustic), "
    "label, segment)",
    mismatch=mismatch,
    read=read,
    write=write,
    texts=texts,
)
