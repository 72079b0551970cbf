"""Builders for the few names that pickles of arrays and containers need."""

import re
from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from keras_mmfusion.data._long_text import Charge, LongText

# Booleans, integers, floats, complex, bytes, text and Python objects. No
# structured types: their offsets may point outside the data.
_PLAIN_TYPE = re.compile(r"[<>|=]?(\?|[biufcSaU]\d{1,9}|O8?|[bBhHiIlLqQefdFD])")
# Python salts the hashes of text only. Of integers within 64 bits and of
# double precision a handful share one; without these bounds a file could hold
# any number of keys of one hash, which take time with their square.
_KEYS = (str, bytes, float, type(None), np.integer, np.floating, np.bool_)
_LARGEST_KEY = 2**63
_LARGEST_PART = 2**31
_NO_KEY = (
    "a dict key that is neither a number nor text, nor a tuple of whole "
    "numbers and texts"
)


class PickleError(Exception):
    """What is wrong with a pickle; `offender` if it names something unsafe."""

    def __init__(self, message: str, offender: str = "") -> None:
        super().__init__(message)
        self.offender = offender


class _Type:
    """A dtype as the pickle describes it: made real only when it is used."""

    def __init__(self, text: str) -> None:
        self.dtype = plain_type(text)

    def set_state(self, state: Any) -> None:
        """Take the byte order; every other field must say nothing new."""
        if not (isinstance(state, tuple) and len(state) >= 8):
            raise PickleError("a dtype with an unknown state")
        order, base, names, fields, size = state[1:6]
        if order not in ("<", ">", "|", "="):
            raise PickleError("a dtype with an unknown byte order")
        if any(part is not None for part in (base, names, fields)):
            raise PickleError("a structured dtype")
        if size not in (-1, self.dtype.itemsize):
            raise PickleError("a dtype that contradicts its own size")
        if order == ">" and self.dtype.kind != "O":
            self.dtype = self.dtype.newbyteorder(">")


class _Builder:
    """A permitted name of a pickle and what it stands for."""

    def __init__(
        self, name: str, build: Callable[[tuple[Any, ...], Charge], Any]
    ) -> None:
        self.name = name
        self.build = build


def plain_type(text: Any) -> np.dtype[Any]:
    """The dtype that a file describes, if it is a plain one.

    Args:
        text: for example `"<f4"`.

    Raises:
        PickleError: if it is structured, unknown or not text.
    """
    if not isinstance(text, str) or not _PLAIN_TYPE.fullmatch(text):
        raise PickleError(f"dtype {str(text)[:60]!r} is not a plain one")
    try:
        return np.dtype(text.replace("a", "S"))
    except TypeError:
        raise PickleError(f"dtype {text!r} does not exist") from None


def apply_builder(builder: Any, arguments: Any, charge: Charge) -> Any:
    """What a pickle's call of a permitted name gives."""
    if not isinstance(builder, _Builder):
        raise PickleError("calls something that is not a name")
    if not isinstance(arguments, tuple):
        raise PickleError(f"calls {builder.name} without a tuple of arguments")
    return builder.build(arguments, charge)


def build_state(target: Any, state: Any, charge: Charge) -> Any:
    """The target with its state; only arrays and dtypes take one."""
    if isinstance(target, _Type):
        target.set_state(state)
        return target
    # An array takes its state once: later changes could move memory that
    # somebody else looks at.
    if isinstance(target, np.ndarray) and target.shape == (0,):
        _set_array_state(target, state, charge)
        return target
    raise PickleError("sets the state of something that is not an array")


def check_key(key: Any) -> Any:
    """A dict key or set element, if hashing it is quick and not crafted."""
    if isinstance(key, tuple) and len(key) <= 8:
        for part in key:
            if not isinstance(part, (str, bytes, type(None))):
                _check_number(part, _LARGEST_PART)
    elif isinstance(key, int):
        _check_number(key, _LARGEST_KEY)
    elif not isinstance(key, _KEYS) or isinstance(key, np.longdouble):
        raise PickleError(_NO_KEY)
    return key


def _check_number(key: Any, largest: int) -> None:
    if not isinstance(key, (int, np.integer)):
        raise PickleError(_NO_KEY)
    if abs(int(key)) >= largest:
        raise PickleError(
            f"a dict key that is a number of {int(key).bit_length()} bits, "
            "more than any data file needs"
        )


def _set_array_state(array: NDArray[Any], state: Any, charge: Charge) -> None:
    if not (isinstance(state, tuple) and len(state) in (4, 5)):
        raise PickleError("an array with an unknown state")
    shape, kind, fortran, data = state[-4:]
    if not isinstance(kind, _Type):
        raise PickleError("an array without a dtype")
    shape = _checked_shape(shape, kind.dtype, charge)
    if kind.dtype.kind == "O":
        if not isinstance(data, list) or len(data) != prod(shape):
            raise PickleError(
                f"an object array of shape {shape} without that many objects"
            )
        charge(8 * len(data))
    else:
        data = _checked_bytes(data, shape, kind.dtype, charge)
    _fill(array, shape, kind.dtype, bool(fortran), data)


def _fill(
    array: NDArray[Any],
    shape: tuple[int, ...],
    dtype: np.dtype[Any],
    fortran: bool,
    data: Any,
) -> None:
    # NumPy trusts this state, so every field of it must be checked before.
    state: Any = (1, shape, dtype, fortran, data)
    try:
        array.__setstate__(state)
    except (MemoryError, ValueError):
        raise PickleError(
            f"an array of shape {shape}, {dtype}, which NumPy cannot hold"
        ) from None


def _checked_shape(
    shape: Any, dtype: np.dtype[Any], charge: Charge
) -> tuple[int, ...]:
    if isinstance(shape, int):
        shape = (shape,)
    if (
        not isinstance(shape, tuple)
        or len(shape) > 32
        or not all(type(size) is int and 0 <= size < 2**62 for size in shape)
    ):
        raise PickleError("an array with an impossible shape")
    if 0 in shape:
        # No bytes in the file vouch for these sizes, but whoever reads the
        # array counts its rows, mostly in two integers for each.
        places = prod(size for size in shape if size)
        charge(places * max(dtype.itemsize, 1) + 16 * shape[0])
    elif not dtype.itemsize and prod(shape) > 1:
        raise PickleError(f"an array of shape {shape} whose items are empty")
    return shape


def _checked_bytes(
    data: Any, shape: tuple[int, ...], dtype: np.dtype[Any], charge: Charge
) -> bytes:
    if isinstance(data, (str, LongText)):
        data = _latin1(data, charge)
    expected = prod(shape) * dtype.itemsize
    if not isinstance(data, bytes) or len(data) != expected:
        held = len(data) if isinstance(data, bytes) else "no"
        raise PickleError(
            f"an array of shape {shape}, {dtype} takes {expected} bytes, "
            f"and {held} bytes are given"
        )
    return data


def _latin1(text: str | LongText, charge: Charge) -> bytes:
    if isinstance(text, LongText):
        return text.data
    charge(len(text))
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError:
        raise PickleError("bytes written as text that is not latin-1") from None


def _arguments(name: str, arguments: tuple[Any, ...], *counts: int) -> None:
    if len(arguments) not in counts:
        raise PickleError(
            f"{name} with {len(arguments)} arguments instead of {counts}"
        )


def _reconstruct(arguments: tuple[Any, ...], _: Charge) -> Any:
    _arguments("_reconstruct", arguments, 3)
    if arguments[0] is not BUILDERS["numpy.ndarray"]:
        raise PickleError("an array of an unknown class")
    # The shape given here is a placeholder; the state brings the real one.
    return np.zeros((0,), np.int8)


def _dtype(arguments: tuple[Any, ...], _: Charge) -> _Type:
    _arguments("numpy.dtype", arguments, 1, 2, 3)
    return _Type(arguments[0])


def _scalar(arguments: tuple[Any, ...], charge: Charge) -> Any:
    _arguments("scalar", arguments, 2)
    kind, data = arguments
    if not isinstance(kind, _Type) or kind.dtype.kind == "O":
        raise PickleError("a scalar without a plain dtype")
    array = np.zeros((0,), np.int8)
    data = _checked_bytes(data, (1,), kind.dtype, charge)
    _fill(array, (1,), kind.dtype, False, data)
    return array[0]


def _from_buffer(arguments: tuple[Any, ...], charge: Charge) -> NDArray[Any]:
    _arguments("_frombuffer", arguments, 4)
    data, kind, shape, order = arguments
    if not isinstance(kind, _Type) or kind.dtype.kind == "O":
        raise PickleError("an array without a plain dtype")
    shape = _checked_shape(shape, kind.dtype, charge)
    data = _checked_bytes(data, shape, kind.dtype, charge)
    array = np.zeros((0,), np.int8)
    _fill(array, shape, kind.dtype, order == "F", data)
    return array


def _encode(arguments: tuple[Any, ...], charge: Charge) -> bytes:
    _arguments("_codecs.encode", arguments, 2)
    text, encoding = arguments
    if not isinstance(text, (str, LongText)) or (
        encoding not in ("latin1", "latin-1")
    ):
        raise PickleError("_codecs.encode of something else than latin-1 text")
    return _latin1(text, charge)


def _bytes(arguments: tuple[Any, ...], charge: Charge) -> bytes:
    _arguments("bytes", arguments, 0, 1, 2)
    if not arguments:
        return b""
    data = arguments[0]
    # bytes(10**12) would be as large as it says.
    if isinstance(data, bytes) and len(arguments) == 1:
        return data
    if isinstance(data, (str, LongText)) and (
        arguments[1:] in (("latin1",), ("latin-1",))
    ):
        return _latin1(data, charge)
    raise PickleError("bytes or bytearray of something that is not bytes")


def _set(arguments: tuple[Any, ...], charge: Charge) -> set[Any]:
    _arguments("set", arguments, 0, 1)
    values = arguments[0] if arguments else []
    if not isinstance(values, (list, tuple)):
        raise PickleError("a set of something that is not a list")
    charge(64 * len(values))
    return {check_key(value) for value in values}


def _frozen_set(arguments: tuple[Any, ...], charge: Charge) -> frozenset[Any]:
    return frozenset(_set(arguments, charge))


def _complex(arguments: tuple[Any, ...], _: Charge) -> complex:
    _arguments("complex", arguments, 2)
    if not all(type(part) in (int, float) for part in arguments):
        raise PickleError("a complex number of something else than numbers")
    try:
        return complex(*arguments)
    except OverflowError:
        raise PickleError("a complex number out of range") from None


def _ordered_dict(arguments: tuple[Any, ...], charge: Charge) -> dict[Any, Any]:
    _arguments("OrderedDict", arguments, 0, 1)
    pairs = arguments[0] if arguments else []
    if not isinstance(pairs, (list, tuple)):
        raise PickleError("an OrderedDict of something that is not pairs")
    charge(128 * len(pairs))
    built = {}
    for pair in pairs:
        if not isinstance(pair, (list, tuple)) or len(pair) != 2:
            raise PickleError("an OrderedDict of something that is not pairs")
        built[check_key(pair[0])] = pair[1]
    return built


def _default_dict(arguments: tuple[Any, ...], _: Charge) -> dict[Any, Any]:
    _arguments("defaultdict", arguments, 0, 1)
    return {}


def _builders() -> dict[str, _Builder]:
    def not_callable(arguments: tuple[Any, ...], _: Charge) -> Any:
        raise PickleError(
            f"calls a class that only arrays use, with {len(arguments)} "
            "arguments"
        )

    builds: dict[str, Callable[[tuple[Any, ...], Charge], Any]] = {
        "numpy.ndarray": not_callable,
        "numpy.dtype": _dtype,
        "_codecs.encode": _encode,
        "collections.OrderedDict": _ordered_dict,
        "collections.defaultdict": _default_dict,
    }
    for core in ("numpy.core", "numpy._core"):
        builds[f"{core}.multiarray._reconstruct"] = _reconstruct
        builds[f"{core}.multiarray.scalar"] = _scalar
        builds[f"{core}.numeric._frombuffer"] = _from_buffer
    for module in ("builtins", "__builtin__"):
        builds[f"{module}.set"] = _set
        builds[f"{module}.frozenset"] = _frozen_set
        builds[f"{module}.bytes"] = _bytes
        builds[f"{module}.bytearray"] = _bytes
        builds[f"{module}.complex"] = _complex
        # Named as the factory of a defaultdict.
        for kind in ("list", "dict", "int", "float", "str"):
            builds[f"{module}.{kind}"] = not_callable
    return {name: _Builder(name, build) for name, build in builds.items()}


BUILDERS = _builders()
