"""Arrays of an .npz file, and which file is meant if there are none."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray


def read_arrays(
    path: str | Path, names: Sequence[str], what: str
) -> dict[str, NDArray[Any]]:
    """The arrays of these names; others in the file are left.

    Args:
        path: The .npz file.
        names: What must be in it.
        what: What the file is of, for messages.

    Raises:
        OSError: If there is no file.
        ValueError: If it is damaged, of another format, or incomplete.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            missing = [name for name in names if name not in file]
            arrays = {k: file[k] for k in names if k in file}
    except (ValueError, TypeError, EOFError, BadZipFile) as error:
        raise ValueError(
            f"Expected the .npz file of {what}. Received: {path}, which is "
            f"damaged or of another format ({error})"
        ) from error
    if missing:
        raise ValueError(
            f"Expected the arrays {list(names)}. Received: {path} without "
            f"{missing}"
        )
    return arrays
