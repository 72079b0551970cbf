"""MISA: a folder with `train.pkl`, `dev.pkl`, `test.pkl`.

Each is a list of records ((word ids, visual, acoustic, words), label,
segment). Visual and acoustic have one step for every word. The vocabulary of
the word ids lies beside them in a PyTorch file, which is not read.
"""

from pathlib import Path

from keras_mmfusion.data.dataset import MultimodalDataset
from keras_mmfusion.data.formats._build import make_dataset
from keras_mmfusion.data.formats._files import (
    inside,
    kind_of_file,
    require_kind,
    written,
)
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
from keras_mmfusion.data.restricted_unpickler import load_pickle

_FILES = {"train": "train.pkl", "valid": "dev.pkl", "test": "test.pkl"}


def mismatch(source: Source) -> str:
    if source.kind == "pickle":
        if record_problem(source.content(), 4):
            return "not a folder of train.pkl, dev.pkl and test.pkl"
        return "one split of MISA; give the folder that holds all three"
    if source.kind != "folder":
        return "not a folder"
    found = [n for n in _FILES.values() if (source.path / n).is_file()]
    if not found:
        return "no train.pkl, dev.pkl or test.pkl in it"
    first = inside(source.path, found[0])
    if kind_of_file(first) != "pickle":
        return f"{found[0]} is not a pickle"
    return record_problem(load_pickle(first), 4)


def _records(source: Source) -> dict[str, Records]:
    records = {}
    for name, file in _FILES.items():
        path = inside(source.path, file)
        if not path.is_file():
            raise ValueError(
                f"{source.path}: lacks {file}. A MISA folder holds "
                f"{', '.join(_FILES.values())}."
            )
        require_kind(path, "pickle", "a MISA split, a pickle")
        records[name] = read_records(load_pickle(path), 4, path, name)
    return records


def read(source: Source) -> MultimodalDataset:
    """Read a MISA folder.

    Returns:
        Modalities `text` (T, 1), the word ids, for an `Embedding`; `audio`
        and `video`, one step for every word. `load_texts` gives the words.
    """
    splits = {
        name: split_of(records, source.path, name)
        for name, records in _records(source).items()
    }
    return make_dataset(source.path, "MISA", splits, "regression")


def write(
    dataset: MultimodalDataset, path: str | Path, texts: Texts | None = None
) -> None:
    """Write a MISA folder.

    Args:
        dataset: modalities `text` (word ids, width 1), `audio`, `video`.
        path: the folder.
        texts: split to the words of every sample.
    """
    content = {}
    for name, split in all_splits(dataset, "MISA").items():
        words = texts_for(texts, name, len(split), "MISA")
        if words is None:
            raise ValueError(
                "MISA files hold words. Give them as `texts`, split to a list "
                "of words for every sample."
            )
        content[_FILES[name]] = written_records(split, words, "MISA", True)
    with written(path) as unfinished:
        unfinished.mkdir()
        for file, records in content.items():
            dump_pickle(records, unfinished / file)


def texts(source: Source) -> dict[str, list[list[str]]]:
    """Words of every sample."""
    return {name: r.words for name, r in _records(source).items()}


FORMAT = Format(
    name="misa",
    layout="a folder of train.pkl, dev.pkl, test.pkl, lists of ((word ids, "
    "visual, acoustic, words), label, segment)",
    mismatch=mismatch,
    read=read,
    write=write,
    texts=texts,
)
