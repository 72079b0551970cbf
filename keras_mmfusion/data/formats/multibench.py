"""MultiBench: `mosi_raw.pkl`, `mosei_raw.pkl`, `sarcasm.pkl`, `humor.pkl`.

The layout is MulT's: `train`, `valid`, `test` with `text`, `audio`, `vision`
of shape (N, T, D), zero-padded on the left, and `labels`; ids are single
names. MultiBench drops the samples whose text sums to zero, which is why its
sample counts differ from those of the same data elsewhere.
"""

import warnings
from pathlib import Path
from typing import Any

import numpy as np

from keras_mmfusion.data.dataset import MultimodalDataset
from keras_mmfusion.data.formats._arrays import Array, blocks
from keras_mmfusion.data.formats._files import written
from keras_mmfusion.data.formats._pickle_writer import dump_pickle
from keras_mmfusion.data.formats._source import (
    Format,
    Source,
    all_splits,
    one_label,
)
from keras_mmfusion.data.formats.mult import (
    has_plain_ids,
    read_three,
    three_modality_mismatch,
    written_modalities,
)


def mismatch(source: Source) -> str:
    reason = three_modality_mismatch(source)
    if not reason and not has_plain_ids(source):
        return "ids are absent or of several parts, as in MulT's files"
    return reason


def read(source: Source, drop_silent: bool = True) -> MultimodalDataset:
    """Read a MultiBench file; -inf in `audio` is read as 0, as there.

    Args:
        source: the file.
        drop_silent: whether to drop the samples whose text sums to zero, as
            MultiBench does. They are counted in a warning.

    Returns:
        Modalities `text`, `audio`, `video`; one number per sample.
    """

    def kept(text: Array) -> Array:
        loud = np.concatenate(
            [np.zeros(0, bool)]
            + [
                part.sum(axis=(1, 2), dtype=np.float64) != 0
                for _, part in blocks(text)
            ]
        )
        if not loud.all():
            warnings.warn(
                f"{source.path}: {np.count_nonzero(~loud)} of {len(loud)} "
                "samples have no text and are dropped, as MultiBench does. "
                "Keep them with `drop_silent=False`.",
                stacklevel=2,
            )
        return np.flatnonzero(loud)

    return read_three(source, "MultiBench", kept if drop_silent else None)


def write(dataset: MultimodalDataset, path: str | Path) -> None:
    """Write a MultiBench file, padded on the left.

    Args:
        dataset: modalities `text`, `audio`, `video`, one number per sample.
        path: the file.
    """
    content: dict[str, Any] = {}
    for name, split in all_splits(dataset, "MultiBench").items():
        entry = written_modalities(split, "MultiBench")
        labels = np.asarray(one_label(split, "MultiBench"), np.float32)
        entry["labels"] = labels.reshape(-1, 1, 1)
        entry["id"] = np.asarray(split.ids)
        content[name] = entry
    with written(path) as unfinished:
        dump_pickle(content, unfinished)


FORMAT = Format(
    name="multibench",
    layout="one pickle: train/valid/test with text, audio, vision, labels and "
    "single ids",
    mismatch=mismatch,
    read=read,
    write=write,
)
