"""Readers and writers of the field's file formats, recognised by content."""

import inspect
from pathlib import Path
from typing import Any

from keras_mmfusion.data.dataset import MultimodalDataset
from keras_mmfusion.data.formats import (
    affwild2,
    csd,
    mag,
    merbench,
    misa,
    mmsa,
    msaf_npy,
    msaf_ravdess,
    mult,
    multibench,
    ntu_mmaction,
    ntu_rgbd,
    ntu_skeleton,
    own_arrays,
    utd_mhad,
)
from keras_mmfusion.data.formats._files import why_not_data
from keras_mmfusion.data.formats._source import Format, Source

__all__ = ["FORMATS", "load_file", "load_texts", "write_file"]

_MODULES = (
    mmsa,
    mult,
    multibench,
    mag,
    misa,
    msaf_npy,
    msaf_ravdess,
    merbench,
    csd,
    ntu_mmaction,
    ntu_skeleton,
    ntu_rgbd,
    affwild2,
    utd_mhad,
    own_arrays,
)
FORMATS: dict[str, Format] = {m.FORMAT.name: m.FORMAT for m in _MODULES}


def load_file(
    path: str | Path, format: str | None = None, **options: Any
) -> MultimodalDataset:
    """Read a data file or folder in one of the field's formats.

    Nothing in the files is run: pickles go through a restricted reader, and
    links that lead out of a file or folder are refused. Widths, lengths, the
    padding side and the type of ids are read from the data.

    Args:
        path: the file or folder.
        format: one of `FORMATS`. Default: recognised by the content and
            layout; the name of the file plays no part.
        **options: passed on to the reader of the format, for example
            `folds=` for `"csd"`.

    Returns:
        The data set, sequences padded on the right. Large folders and HDF5
        files are read sample by sample when samples are asked for.

    Raises:
        ValueError: if the content is in no known format or is not what its
            format asks for; the message names the file.
        OSError: if the file cannot be read or is damaged.

    Example:

    ```python
    import tempfile
    from pathlib import Path

    import numpy as np
    from keras_mmfusion.data import MultimodalDataset, Split
    from keras_mmfusion.data.formats import load_file, write_file

    def split(count):
        widths = {"text": 8, "audio": 4, "video": 3}
        features = {m: np.ones((count, 5, w)) for m, w in widths.items()}
        return Split(features, labels=np.linspace(-3, 3, count))

    data = MultimodalDataset(
        split(4), split(2), split(2), name="toy", task="regression"
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "toy.pkl"
        write_file(data, path, "mmsa")
        assert load_file(path).shapes["audio"] == (None, 4)
    ```
    """
    source = Source(path)
    found = _recognised(source) if format is None else _format(format)
    if format is not None:
        _check_mismatch(source, found)
    _check_options(found, found.read, options, skip=1)
    dataset: MultimodalDataset = found.read(source, **options)
    return dataset


def write_file(
    dataset: MultimodalDataset,
    path: str | Path,
    format: str,
    **options: Any,
) -> None:
    """Write a data set in one of the field's formats.

    The file or folder appears when it is complete, or not at all.

    Args:
        dataset: the data set. Every format asks for certain modalities and
            labels; what is missing is said.
        path: the file or folder; it must not exist yet.
        format: one of `FORMATS`.
        **options: passed on to the writer, for example `texts=`.

    Raises:
        ValueError: if the format has no place for the data set.
        FileExistsError: if `path` exists.
    """
    found = _format(format)
    _check_options(found, found.write, options, skip=2)
    if any(split.per_step for split in dataset.splits.values()):
        raise ValueError(
            f"{found.name} files hold a label per sample. Received: a data "
            "set with a label at every step, (N, T, K)."
        )
    found.write(dataset, path, **options)


def load_texts(
    path: str | Path, format: str | None = None
) -> dict[str, list[list[str]]]:
    """Words of the samples, for the formats that keep them.

    Args:
        path: a file or folder of `"mmsa"`, `"mag"` or `"misa"`.
        format: as in `load_file`.

    Returns:
        Split to a list of words for every sample, in the order of
        `load_file`.
    """
    source = Source(path)
    found = _recognised(source) if format is None else _format(format)
    if found.texts is None:
        raise ValueError(
            f"{path}: {found.name} files hold no words. Expected one of: "
            f"{', '.join(n for n, f in FORMATS.items() if f.texts)}."
        )
    return found.texts(source)


def _format(name: str) -> Format:
    if name not in FORMATS:
        raise ValueError(
            f"`format` must be one of {', '.join(FORMATS)}. "
            f"Received: format={name!r}"
        )
    return FORMATS[name]


def _recognised(source: Source) -> Format:
    _check_data(source)
    reasons = {name: f.mismatch(source) for name, f in FORMATS.items()}
    fitting = [name for name, reason in reasons.items() if not reason]
    if len(fitting) == 1:
        return FORMATS[fitting[0]]
    if fitting:
        raise ValueError(
            f"{source.path}: fits several formats, {', '.join(fitting)}. "
            "Choose one with `format=`."
        )
    lines = [
        f"  {name} ({FORMATS[name].layout}): {reason}"
        for name, reason in reasons.items()
    ]
    raise ValueError(
        f"{source.path}: is in none of the known formats. It is not\n"
        + "\n".join(lines)
    )


def _check_data(source: Source) -> None:
    if source.kind == "folder":
        return
    reason = why_not_data(source.path)
    if reason:
        raise ValueError(
            f"{source.path}: expected a data file in one of the formats "
            f"{', '.join(FORMATS)}. {reason}"
        )


def _check_mismatch(source: Source, wanted: Format) -> None:
    _check_data(source)
    reason = wanted.mismatch(source)
    if not reason:
        return
    fitting = [n for n, f in FORMATS.items() if not f.mismatch(source)]
    hint = f"It looks like {fitting[0]}; use that." if fitting else ""
    raise ValueError(
        f"{source.path}: expected {wanted.name}, {wanted.layout}. "
        f"Received: {reason}. {hint}".rstrip()
    )


def _check_options(
    found: Format, function: Any, options: dict[str, Any], skip: int
) -> None:
    known = list(inspect.signature(function).parameters)[skip:]
    unknown = [name for name in options if name not in known]
    if unknown:
        raise ValueError(
            f"{found.name} takes the options {', '.join(known) or '(none)'}. "
            f"Received: {', '.join(unknown)}."
        )
