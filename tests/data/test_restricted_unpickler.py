"""Pickles give data or an error; nothing in them is ever run."""

import collections
import pickle
import struct
import subprocess
import sys
import textwrap

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_mmfusion.data.restricted_unpickler import (
    load_pickle,
    loads_pickle,
)
from tests.data.formats.examples import WITHOUT_KERAS

pytestmark = pytest.mark.once

PLAIN = {
    "none": None,
    "flags": [True, False],
    "integers": [0, -1, 255, 65536, -(2**31), 2**70, -(2**70)],
    "floats": [1.5, float("inf"), -0.0],
    "complex": 1 + 2j,
    "text": ["", "word", "naïve", "雪", "\U0001f600", "\ud800"],
    "bytes": [b"", b"abc\n'\\", bytes(300), bytearray(b"xy")],
    "tuples": [(), (1,), (1, 2), (1, 2, 3), (1, (2, (3, 4)))],
    "dict": {1: "a", "b": 2, (1, "x"): 3, b"k": 4, 2.5: 5},
    "sets": [{1, 2}, frozenset({"a"}), set()],
    "ordered": collections.OrderedDict(a=1, b=[2]),
    "default": collections.defaultdict(list, {"x": [1]}),
    "shared": [[1]] * 3,
}
ARRAYS = {
    "float32": np.arange(6, dtype="f4").reshape(2, 3),
    "fortran": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    "big endian": np.arange(300, dtype=">i4"),
    "bool": np.array([True, False]),
    "half": np.array([1.5], np.float16),
    "complex": np.array([1 + 2j]),
    "bytes": np.array([b"ab", b"c"]),
    "text": np.array(["word", "é雪"]),
    "objects": np.array(["x", None, [1, 2], np.float32(3)], dtype=object),
    "nested": np.array([np.arange(2), np.arange(3)], dtype=object),
    "no elements": np.zeros((0, 3)),
    "no elements, many features": np.zeros((0, 1000, 768), np.float32),
    "no axes": np.array(5.0),
    "large": np.arange(5000, dtype="u2"),
    "strided": np.arange(20)[::3],
}
SCALARS = [np.float32(1.5), np.int64(-3), np.bool_(True), np.str_("ab")]
SCALARS += [np.str_(""), np.bytes_(b"")]


@pytest.mark.parametrize("protocol", range(6))
def test_plain_values(protocol):
    found = loads_pickle(pickle.dumps(PLAIN, protocol), "x")
    assert found == PLAIN
    # Only plain containers come out.
    assert type(found["ordered"]) is type(found["default"]) is dict
    assert found["shared"][0] is found["shared"][1]


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("name", ARRAYS)
def test_arrays(name, protocol):
    expected = ARRAYS[name]
    found = loads_pickle(pickle.dumps(expected, protocol), "x")
    assert type(found) is np.ndarray
    assert found.shape == expected.shape
    assert found.dtype.newbyteorder("=") == expected.dtype.newbyteorder("=")
    for one, other in zip(found.ravel(), expected.ravel(), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("protocol", range(6))
def test_scalars(protocol):
    found = loads_pickle(pickle.dumps(SCALARS, protocol), "x")
    assert found == SCALARS
    assert [type(x) for x in found] == [type(x) for x in SCALARS]


def test_python_2_pickle():
    """Text and arrays as Python 2 wrote them: bytes for both."""
    raw = np.arange(3, dtype="<f4").tobytes()
    data = (
        b"\x80\x02}U\x05train"
        b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\n"
        b"K\x00\x85U\x01b\x87R(K\x01K\x03\x85cnumpy\ndtype\n"
        b"U\x02f4K\x00K\x01\x87R(K\x03U\x01<NNNJ\xff\xff\xff\xff"
        b"J\xff\xff\xff\xffK\x00tb\x89U\x0c" + raw + b"tbs."
    )
    found = loads_pickle(data, "x")
    assert found["train"].tolist() == [0, 1, 2]
    assert found["train"].dtype == np.float32


def test_protocol_0_text_of_python_2():
    assert loads_pickle(b"(lp0\nS'a\\'\\xe9'\np1\naL5L\naI01\na.", "x") == [
        "a'é",
        5,
        True,
    ]


KEYS = st.integers(-(2**63) + 1, 2**63 - 1)
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text()
    | st.binary(),
    lambda inner: (
        st.lists(inner)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text() | KEYS, inner)
    ),
    max_leaves=20,
)


@given(values, st.integers(0, 5))
@settings(max_examples=150, deadline=None)
def test_same_as_pickle(value, protocol):
    assert loads_pickle(pickle.dumps(value, protocol), "x") == value


@given(st.data())
@settings(max_examples=300, deadline=None)
def test_damaged_pickles_give_value_errors_only(data):
    good = pickle.dumps(
        {"a": ARRAYS["float32"], "b": ["x", (1, 2.5)], "c": SCALARS},
        data.draw(st.integers(0, 5)),
    )
    bad = bytearray(good)
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(bad) - 1))
        bad[place] = data.draw(st.integers(0, 255))
    bad = bad[: data.draw(st.integers(1, len(bad)))]
    error: Exception | None = None
    try:
        loads_pickle(bytes(bad), "x")
    except ValueError as caught:
        error = caught
    assert error is None or str(error).startswith("x: ")


ARRAY = (
    b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntC\x01btR"
)
DTYPE = b"cnumpy\ndtype\n(V%s\nI0\nI1\ntR(I3\nV<\nNNNI-1\nI-1\nI%d\ntb"


def array_bytes(shape, kind, data, flags=0):
    sizes = b"".join(b"I%d\n" % size for size in shape)
    dtype = DTYPE % (kind, flags)
    return ARRAY + b"(I1\n(" + sizes + b"t" + dtype + b"I00\n" + data + b"tb."


BROKEN = {
    "empty": (b"", "truncated"),
    "no stop": (b"\x80\x04K\x01", "truncated"),
    "stack is empty": (b".", "stack is empty"),
    "missing mark": (b"t.", "mark is missing"),
    "not a pickle": (b"\xff\xfe.", "no pickle instruction"),
    "protocol 9": (b"\x80\x09N.", "protocol 9"),
    "bytes after the end": (b"N.N.", "2 bytes follow"),
    "huge bytes": (b"\x8e" + struct.pack("<Q", 2**60) + b".", "truncated"),
    "huge text": (b"\x8d" + struct.pack("<Q", 2**60) + b".", "truncated"),
    "huge bytearray": (b"\x96" + struct.pack("<Q", 2**60) + b".", "truncated"),
    "huge frame": (b"\x80\x04\x95" + struct.pack("<Q", 2**60), "truncated"),
    "huge string of Python 2": (b"T\xff\xff\xff\x7f.", "truncated"),
    "negative length": (b"T\xff\xff\xff\xff.", "negative length"),
    "huge integer": (b"\x8b\xff\xff\xff\x7f.", "truncated"),
    "text that is not UTF-8": (b"X\x01\x00\x00\x00\xff.", "not utf-8"),
    "line without an end": (b"I" + b"1" * 5000, "without an end"),
    "no number": (b"Ione\n.", "not a value"),
    "no float": (b"Fone\n.", "not a value"),
    "string without quotes": (b"Sone\n.", "without quotes"),
    "memo never stored": (b"h\x05.", "never stored"),
    "appends to a dict": (b"}K\x01a.", "not a list"),
    "items of a list": (b"]K\x01K\x02s.", "not a dict"),
    "adds to a list": (b"](K\x01\x90.", "not a set"),
    "odd dict": (b"(K\x01d.", "no value"),
    "key of lists": (b"}]K\x01s.", "neither a number nor text"),
    "key of nested tuples": (b"}K\x01\x85\x85K\x01s.", "neither a number"),
    "bytearray(10**12)": (
        b"cbuiltins\nbytearray\n(L1000000000000L\ntR.",
        "something that is not bytes",
    ),
    "bytes(10**12)": (
        b"cbuiltins\nbytes\n(L1000000000000L\ntR.",
        "something that is not bytes",
    ),
    "calls a number": (b"K\x01(tR.", "not a name"),
    "calls a list type": (b"cbuiltins\nlist\n(K\x01tR.", "only arrays use"),
    "calls ndarray": (b"cnumpy\nndarray\n((I9\ntC\x01btR.", "only arrays use"),
    "set of a number": (b"cbuiltins\nset\n(K\x01tR.", "not a list"),
    "encode to another codec": (
        b"c_codecs\nencode\n(Vx\nVzlib\ntR.",
        "latin-1",
    ),
    "state of a list": (b"](K\x01tb.", "not an array"),
    "array of another class": (
        b"cnumpy.core.multiarray\n_reconstruct\n(cbuiltins\nlist\n"
        b"(I0\ntC\x01btR.",
        "unknown class",
    ),
    "huge shape": (
        array_bytes([2**40, 2**20], b"f4", b"C\x04aaaa"),
        "takes",
    ),
    "overflowing shape": (
        array_bytes([2**61, 2**61], b"f8", b"C\x00"),
        "takes",
    ),
    "no bytes, many rows": (
        array_bytes([2**28, 0, 5], b"f4", b"C\x00"),
        "more than twice its size",
    ),
    "no bytes, rows of one byte": (
        array_bytes([2**25, 0], b"u1", b"C\x00"),
        "more than twice its size",
    ),
    "no bytes, rows past an integer": (
        array_bytes([2**40, 2**40, 0], b"f4", b"C\x00"),
        "more than twice its size",
    ),
    "no objects, many rows": (
        array_bytes([2**33, 0], b"O8", b"]", 63),
        "more than twice its size",
    ),
    "many empty items": (
        array_bytes([2**50], b"S0", b"C\x00"),
        "whose items are empty",
    ),
    "negative shape": (array_bytes([-1], b"f4", b"C\x04aaaa"), "impossible"),
    "text as a shape": (
        ARRAY + b"(I1\nVx\n" + DTYPE % (b"f4", 0) + b"I00\nC\x00tb.",
        "impossible",
    ),
    "forty axes": (array_bytes([1] * 40, b"f4", b"C\x04aaaa"), "impossible"),
    "too few bytes": (array_bytes([2], b"f4", b"C\x04aaaa"), "8 bytes"),
    "too many bytes": (array_bytes([1], b"f4", b"C\x08aaaaaaaa"), "8 bytes"),
    "objects from bytes": (
        array_bytes([1], b"O8", b"C\x08aaaaaaaa", 63),
        "without that many objects",
    ),
    "objects said to be plain": (
        array_bytes([1], b"O8", b"C\x08aaaaaaaa", 0),
        "without that many objects",
    ),
    "more objects than given": (
        array_bytes([1000], b"O8", b"]", 63),
        "without that many objects",
    ),
    "structured dtype": (array_bytes([1], b"f4,O", b"C\x00"), "plain one"),
    "void dtype": (array_bytes([1], b"V8", b"C\x08aaaaaaaa"), "plain one"),
    "dtype of code": (array_bytes([1], b"numpy.void", b"C\x00"), "plain one"),
    "dtype that does not exist": (
        array_bytes([1], b"f5", b"C\x05aaaaa"),
        "does not exist",
    ),
    "dtype with fields": (
        b"cnumpy\ndtype\n(Vf4\ntR(I3\nV<\nN(Va\nt}I4\nI4\nI0\ntb.",
        "structured",
    ),
    "dtype of another size": (
        b"cnumpy\ndtype\n(Vf4\ntR(I3\nV<\nNNNI400\nI4\nI0\ntb.",
        "contradicts",
    ),
    "scalar of objects": (
        b"cnumpy.core.multiarray\nscalar\n"
        b"(cnumpy\ndtype\n(VO8\ntRC\x08aaaaaaaatR.",
        "plain dtype",
    ),
    "array without a dtype": (
        ARRAY + b"(I1\n(I1\ntVf4\nI00\nC\x04aaaatb.",
        "without a dtype",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_pickles(name, tmp_path):
    data, message = BROKEN[name]
    path = tmp_path / "broken.pkl"
    path.write_bytes(data)
    with pytest.raises(ValueError, match=message) as caught:
        load_pickle(path)
    assert str(path) in str(caught.value)


def test_arrays_that_numpy_cannot_hold(monkeypatch):
    """Whatever NumPy says of a state that passed all checks."""

    def full(*arguments):
        raise MemoryError

    class Full(np.ndarray):
        __setstate__ = full

    monkeypatch.setattr(
        "keras_mmfusion.data._numpy_pickle.np.zeros",
        lambda *_: np.ndarray((0,), np.int8).view(Full),
    )
    with pytest.raises(ValueError, match=r"x: .*NumPy cannot hold"):
        loads_pickle(array_bytes([1], b"f4", b"C\x04aaaa"), "x")


def test_every_truncation_of_a_pickle_is_an_error():
    good = pickle.dumps({"a": np.arange(5), "b": "text"})
    for length in range(len(good)):
        with pytest.raises(ValueError, match="x: "):
            loads_pickle(good[:length], "x")


SIZE = 8 * 2**20
SMALL_ARRAY = (
    b"cnumpy.core.multiarray\n_reconstruct\nq\x000"
    b"(cnumpy\nndarray\n(I0\ntC\x01btq\x010"
)
WIDE_TEXT = b"a" * (2**19 - 4) + "\U0001f600".encode()
BOMBS = {
    "lists": lambda: b"]" * SIZE,
    "dicts": lambda: b"}" * SIZE,
    "marks": lambda: b"(" * SIZE,
    "sets": lambda: b"\x8f" * SIZE,
    "memo": lambda: (
        b"N"
        + b"".join(
            b"r" + struct.pack("<I", 2**32 - 1 - i) for i in range(SIZE // 5)
        )
    ),
    "one far memo entry": lambda: b"Nr\xff\xff\xff\xff" + b"0N" * SIZE,
    "duplicates": lambda: b"]" + b"2" * SIZE,
    "lists of lists": lambda: b"]" + b"]a" * (SIZE // 2),
    "nested tuples": lambda: b")" + b"\x85" * SIZE,
    "doubled tuples": lambda: b")" + b"2\x86" * (SIZE // 2),
    "small arrays": lambda: SMALL_ARRAY + b"h\x00h\x01R" * (SIZE // 5),
    "wide text": lambda: (
        (b"X" + struct.pack("<I", 2**19) + WIDE_TEXT) * (8 * SIZE // 2**19)
    ),
}


@pytest.mark.parametrize("name", BOMBS)
def test_bombs_do_not_fill_memory(name, tmp_path):
    """In a process that may take twice the file and the allowance."""
    path = tmp_path / "bomb.pkl"
    path.write_bytes(BOMBS[name]() + b".")
    script = WITHOUT_KERAS + textwrap.dedent(f"""
        import resource
        from keras_mmfusion.data.restricted_unpickler import load_pickle
        held = int(open("/proc/self/statm").read().split()[0])
        size = {path.stat().st_size}
        limit = held * resource.getpagesize() + 2 * size + 80 * 2**20
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        try:
            load_pickle({str(path)!r})
        except ValueError as error:
            print("ValueError", error)
    """)
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.startswith(f"ValueError {path}"), done.stdout


def test_deep_nesting_is_read_and_freed():
    depth = 200_000
    found = loads_pickle(b"]" * depth + b"a" * (depth - 1) + b".", "x")
    for _ in range(depth - 1):
        (found,) = found
    assert found == []


def test_shared_tuples_cost_their_pointers_only():
    """A billion laughs: 2**40 elements if they were copied."""
    found = loads_pickle(b")" + b"2\x86" * 40 + b".", "x")
    assert len(found) == 2


def test_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError):
        load_pickle(tmp_path / "none.pkl")
