"""Keys of dicts and sets: what a file may hash, and what it may not."""

import pickle

import numpy as np
import pytest

from keras_mmfusion.data.restricted_unpickler import loads_pickle

pytestmark = pytest.mark.once

PRIME = 2**61 - 1  # What hashes of numbers are taken modulo.
GOOD = {
    "texts": ["a", b"b", "雪"],
    "integers": [0, -1, 2**63 - 1, -(2**63) + 1, True],
    "integers of NumPy": [np.int64(5), np.uint64(2**64 - 1), np.bool_(True)],
    "floats": [0.5, float("inf"), np.float32(1.5), np.float64(2.5)],
    "none": [None],
    "tuples": [("a", 1), (b"b", None), (1, 2**31 - 1), ("a",) * 8],
}
BAD = {
    "integers of one hash": ([k * PRIME for k in range(5, 50)], "of 64 bits"),
    "large integers": ([10**400], "of 1329 bits"),
    "complex numbers of one hash": (
        [complex(-1000003 * k, k) for k in range(1, 50)],
        "neither a number",
    ),
    "complex numbers of NumPy": ([np.complex64(1j)], "neither a number"),
    "long doubles of one hash": (
        [np.longdouble(2) ** e for e in range(1100, 1150)],
        "neither a number",
    ),
    "tuples of any numbers": ([(1, 2**31)], "of 32 bits"),
    "tuples of fractions": ([("a", 0.5)], "neither a number"),
    "tuples of many parts": ([("a",) * 9], "neither a number"),
}


def containers(keys):
    return [dict.fromkeys(keys, 1), set(keys), frozenset(keys)]


@pytest.mark.parametrize("protocol", [0, 2, 4])
@pytest.mark.parametrize("name", GOOD)
def test_keys_of_data_files(name, protocol):
    for value in containers(GOOD[name]):
        assert loads_pickle(pickle.dumps(value, protocol), "x") == value


@pytest.mark.parametrize("protocol", [0, 2, 4])
@pytest.mark.parametrize("name", BAD)
def test_keys_that_may_share_a_hash_are_refused(name, protocol):
    """Thousands of them would take time with their square."""
    keys, message = BAD[name]
    for value in containers(keys):
        with pytest.raises(ValueError, match=f"x: .*{message}"):
            loads_pickle(pickle.dumps(value, protocol), "x")
