"""Tables of a user's own vectors: a row per sample, a column per number."""

import csv
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Arrays = dict[str, NDArray[Any]]
GROUP = "group."  # Before the names of groups.


def header(path: Path) -> list[str]:
    """Names of the columns, if it is a CSV table; the rest is not looked at."""
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        try:
            return next(filter(None, csv.reader(file)), [])
        except csv.Error:
            return []


def _rows(path: Path) -> list[list[str]]:
    """The rows that are not empty, the names of the columns first."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return [row for row in csv.reader(file) if row]
    except UnicodeDecodeError as error:
        byte = error.object[error.start]
        raise ValueError(
            f"{path}: expected a CSV table in the encoding UTF-8. Received: "
            f"the byte 0x{byte:02x}, which is not UTF-8. Save the table as "
            "'CSV UTF-8'."
        ) from None
    except csv.Error as error:
        raise ValueError(
            f"{path}: the CSV table is damaged: {error}. Look for a quotation "
            "mark that is not closed."
        ) from None


def read_csv(path: Path) -> Arrays:
    """The arrays of `own_arrays`, texts for splits, ids and groups."""
    names, *rows = _rows(path)
    uneven = [i for i, row in enumerate(rows, 2) if len(row) != len(names)]
    if not rows or uneven or len(set(names)) != len(names):
        raise ValueError(
            f"{path}: expected {len(names)} different columns and as many "
            f"values in every row. Received: {len(rows)} rows, uneven ones: "
            f"{uneven[:5]}, columns {names[:8]}"
        )
    columns = dict(zip(names, np.array(rows).T, strict=True))
    arrays: Arrays = {}
    for key in names:
        # A number belongs to a modality that is named "group".
        number = key.removeprefix(GROUP).isdigit()
        group = key.startswith(GROUP) and not number
        if key in ("split", "ids") or group:
            arrays[key] = columns.pop(key)
    numbers = {name: _numbers(path, name, columns[name]) for name in columns}
    arrays["labels"] = numbers.pop("labels")
    for m in dict.fromkeys(name.rpartition(".")[0] for name in numbers):
        with np.errstate(over="ignore"):  # what is infinite is refused
            arrays[m] = _vectors(path, numbers, m).astype(np.float32)
    if "" in arrays:
        strangers = [n for n in columns if "." not in n]
        raise ValueError(
            f"{path}: columns must be named labels, split, ids, "
            f"{GROUP}<name> or <modality>.<i>. Received: {strangers}"
        )
    return arrays


def _numbers(path: Path, name: str, texts: NDArray[Any]) -> NDArray[Any]:
    try:
        return texts.astype(float)
    except ValueError:
        row = next(i for i, text in enumerate(texts, 2) if not _is_number(text))
        classes = " Give classes as numbers from 0." if name == "labels" else ""
        raise ValueError(
            f"{path}: expected a number, such as 0.5, in column '{name}' of "
            f"row {row}. Received: {str(texts[row - 2])!r}.{classes}"
        ) from None


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _vectors(path: Path, columns: Arrays, modality: str) -> NDArray[Any]:
    """The columns `<modality>.<i>` by their numbers, or as they stand."""
    own = {
        name.rpartition(".")[2]: values
        for name, values in columns.items()
        if name.rpartition(".")[0] == modality
    }
    order = [*own]
    if all(map(str.isdigit, own)):
        order = sorted(own, key=int)
        _warn_of_gaps(path, modality, [int(i) for i in order])
    return np.stack([own[i] for i in order], axis=1)


def _warn_of_gaps(path: Path, modality: str, numbers: list[int]) -> None:
    """Says which columns are left out between the first and the last."""
    absent = sorted(set(range(numbers[0], numbers[-1])) - set(numbers))
    if absent:
        named = ", ".join(f"{modality}.{i}" for i in absent[:5])
        warnings.warn(
            f"{path}: there is no column {named}"
            f"{', ...' if len(absent) > 5 else ''}. The vectors of "
            f"'{modality}' are the {len(numbers)} columns that there are.",
            stacklevel=2,
        )
