"""Text above a mebibyte: str where it is text, bytes where arrays take it."""

import pickle
import struct

import numpy as np
import pytest

from keras_mmfusion.data.formats import load_texts
from keras_mmfusion.data.restricted_unpickler import loads_pickle
from tests.data.formats import examples as ex

pytestmark = pytest.mark.once

COUNT = 2**20 + 1
TEXTS = {
    "ascii": "ab" * COUNT,
    "latin-1": "é" * COUNT,
    "Chinese": "雪" * COUNT,
    "Chinese after Latin": "é" * COUNT + "雪" * 9,
    "emoji": "a" * COUNT + "\U0001f600",
    "lone surrogates": "a" + "\ud800" * COUNT,
}


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("name", TEXTS)
def test_long_text_is_text(name, protocol):
    found = loads_pickle(pickle.dumps(TEXTS[name], protocol), "x")
    assert type(found) is str
    assert found == TEXTS[name]


HOLDERS = {
    "list": lambda text: [text],
    "lists": lambda text: [[text], [1, text]],
    "tuples": lambda text: (text, (1, text), ((text,),), (1, 2, 3, text)),
    "list of tuples": lambda text: [(text, 1), ("a", (text,))],
    "dict": lambda text: {"a": text, "b": (text,)},
    "key": lambda text: {text: 1, (text, "a"): 2},
    "set": lambda text: {text, "a"},
    "frozenset": lambda text: frozenset({text, "a"}),
}


@pytest.mark.parametrize("protocol", [0, 2, 4])
@pytest.mark.parametrize("holder", HOLDERS)
def test_containers_hold_long_text_as_text(holder, protocol):
    value = HOLDERS[holder]("é" * COUNT)
    found = loads_pickle(pickle.dumps(value, protocol), "x")
    assert found == value
    assert type(found) is type(value)


def test_what_is_shared_stays_shared():
    text = "a" * COUNT
    pair = (text, 1)
    found = loads_pickle(pickle.dumps([text, pair, text, pair], 2), "x")
    assert type(found[1]) is tuple
    assert found[0] is found[1][0] is found[2]
    assert found[1] is found[3]


@pytest.mark.parametrize("protocol", range(6))
def test_long_arrays_beside_long_text(protocol):
    array = np.arange(2**21, dtype="u2")
    value = [array, "é" * COUNT, array.tobytes()]
    found = loads_pickle(pickle.dumps(value, protocol), "x")
    np.testing.assert_array_equal(found[0], array)
    assert found[1:] == value[1:]


def test_long_text_of_python_2():
    size = struct.pack("<I", COUNT)
    found = loads_pickle(b"\x80\x02]T" + size + b"\xe9" * COUNT + b"a.", "x")
    assert found == ["é" * COUNT]


@pytest.mark.parametrize(
    "text", [b"\xff" * COUNT, b"a" * (COUNT - 1) + b"\xc3"]
)
def test_long_text_that_is_not_utf_8(text):
    with pytest.raises(ValueError, match=r"x: .*text that is not utf-8"):
        loads_pickle(b"X" + struct.pack("<I", COUNT) + text + b".", "x")


def test_text_that_is_wide_at_its_end_does_not_fill_memory():
    """Four bytes a character, for one character."""
    text = b"a" * (24 * 2**20) + "\U0001f600".encode()
    data = b"X" + struct.pack("<I", len(text)) + text + b"."
    with pytest.raises(ValueError, match="more than twice its size"):
        loads_pickle(data, "x")


def test_long_words_of_an_mmsa_file(tmp_path):
    content = ex.mmsa_content()
    count = len(content["train"]["id"])
    content["train"]["raw_text"] = ["word " * (COUNT // 4)] * count
    path = ex.dump(tmp_path / "x.pkl", content)
    assert load_texts(path)["train"][0] == ["word"] * (COUNT // 4)
