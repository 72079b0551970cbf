"""Reading pickles of arrays without running anything that they name.

A pickle is a program. Here it is interpreted by a machine that knows only
data: nothing named in the file is ever imported or called. The few names that
arrays and containers need are keys of a table of our own builders
(`_numpy_pickle.py`); any other name stops the reading.

Memory is counted while the program runs. It may not pass twice the size of
the file plus a fixed allowance for small objects, so a short program that
builds a large structure is stopped before it does.
"""

import io
from pathlib import Path
from typing import IO, Any

from keras_mmfusion.data._numpy_pickle import PickleError
from keras_mmfusion.data._pickle_machine import Machine


class UnsafePickleError(ValueError):
    """A pickle names something that is neither an array nor a container.

    Attributes:
        offender: what it names, for example `"os.system"`.
    """

    def __init__(self, message: str, offender: str) -> None:
        super().__init__(message)
        self.offender = offender


def load_pickle(path: str | Path) -> Any:
    """Read a pickle of arrays, numbers, text and containers; run nothing.

    Protocols 0 to 5 and Python 2 pickles (text read as latin-1) are read.
    Allowed are None, bool, int, float, complex, str, bytes, list, tuple,
    dict, set, NumPy arrays (also of objects) and NumPy scalars;
    `OrderedDict` and `defaultdict` become dict.

    Args:
        path: the file.

    Returns:
        The object in the file. Arrays may be read-only.

    Raises:
        UnsafePickleError: if the file names any other class or function. It
            is a `ValueError` and has the name in `offender`.
        ValueError: if the file is truncated, not a pickle, or would take
            more memory than twice its size.
        OSError: if the file cannot be read.

    Example:

    ```python
    import pickle
    import tempfile
    from pathlib import Path

    import numpy as np
    from keras_mmfusion.data.restricted_unpickler import load_pickle

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "data.pkl"
        path.write_bytes(pickle.dumps({"audio": np.ones((2, 3))}))
        assert load_pickle(path)["audio"].shape == (2, 3)
    ```
    """
    path = Path(path)
    size = path.stat().st_size
    with path.open("rb", buffering=2**18) as file:
        return read_pickle(file, size, str(path))


def read_pickle(
    file: IO[bytes], size: int, name: str, only_one: bool = True
) -> Any:
    """Read one pickle from an open file, as `load_pickle` does.

    Args:
        file: open for reading, at the start of the pickle.
        size: bytes that the pickle may take.
        name: what to call the file in messages.
        only_one: whether bytes after the pickle are an error.

    Returns:
        The object.
    """
    machine = Machine(file, size)
    try:
        value = machine.run()
        if only_one and machine.position != size:
            raise PickleError(
                f"{size - machine.position} bytes follow the end of the pickle"
            )
    except PickleError as error:
        if error.offender:
            raise UnsafePickleError(
                f"{name}: refused. This pickle names {error.offender!r}, "
                "which is neither an array nor a plain container, so reading "
                "it with `pickle.load` would run code. Expected: NumPy arrays, "
                "numbers, text, lists, tuples and dicts. Do not open it with "
                "other tools unless you trust its author.",
                error.offender,
            ) from None
        raise ValueError(
            f"{name}: cannot be read as a pickle: {error} (at byte "
            f"{machine.position} of {size}). If the file was downloaded, "
            "download it again and compare its size or checksum."
        ) from None
    return value


def loads_pickle(data: bytes, name: str) -> Any:
    """Read a pickle from bytes, as `load_pickle` does from a file.

    Args:
        data: the pickle.
        name: what to call it in messages.

    Returns:
        The object.
    """
    return read_pickle(io.BytesIO(data), len(data), name)
