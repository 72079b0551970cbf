import keras
import numpy as np
import pytest
from keras import ops

from keras_mmfusion.ops.loops import map_rows, scan


def running(state, x):
    state = state + x["values"]
    return state, (state * 2, x["counts"])


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("reverse", [False, True])
def test_scan_is_that_of_keras(dtype, reverse):
    values = ops.cast(np.arange(12).reshape(4, 3), dtype)
    sequences = {"values": values, "counts": ops.arange(4)}
    start = ops.zeros_like(values[0])
    found = scan(running, start, sequences, reverse)
    expected = ops.scan(running, start, sequences, reverse=reverse)
    for x, y in zip(
        keras.tree.flatten(found), keras.tree.flatten(expected), strict=True
    ):
        assert x.dtype == y.dtype
        assert bool(ops.all(x == y))


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_rows_are_mapped_one_by_one(dtype):
    rows = {"x": ops.cast(np.arange(6).reshape(3, 2), dtype)}
    y, total = map_rows(lambda row: (row["x"] + 1, ops.sum(row["x"])), rows)
    assert keras.backend.standardize_dtype(y.dtype) == dtype
    assert bool(ops.all(y == rows["x"] + 1))
    assert bool(ops.all(total == ops.sum(rows["x"], axis=1)))


@pytest.mark.once(backend="jax")
def test_a_bfloat16_sequence_is_not_copied_to_float32():
    import jax

    x = jax.numpy.ones((500, 8, 64), "bfloat16")

    def memory(function):
        def outputs(x):
            return function(lambda s, x: (s + x, s * x), x[0], x)[1]

        found = jax.jit(outputs).lower(x).compile().memory_analysis()
        return found.temp_size_in_bytes

    assert memory(scan) < 0.6 * memory(ops.scan)


@pytest.mark.once(backend="jax")
def test_room_for_a_later_loop_is_not_made_earlier():
    import jax

    def wide(row):
        return ops.ones((1000, 100)) * row["x"]

    def two(x):
        first = ops.sum(map_rows(wide, {"x": x}))
        return ops.sum(map_rows(wide, {"x": x + first}))

    x = jax.numpy.ones((20, 1))
    found = jax.jit(two).lower(x).compile().memory_analysis()
    assert found.temp_size_in_bytes < 1.5 * 4 * 20 * 1000 * 100


def test_what_room_is_filled_with_is_gone():
    """Under JAX it is filled with a value of the rows."""
    x = np.array([[np.nan, 1.0], [2.0, np.nan], [np.inf, 3.0]], "float32")
    y, found = map_rows(
        lambda row: (ops.nan_to_num(row["x"]), ops.isfinite(row["x"])),
        {"first": ops.zeros((3, 1)), "x": ops.convert_to_tensor(x)},
    )
    np.testing.assert_allclose(ops.convert_to_numpy(y), np.nan_to_num(x))
    np.testing.assert_array_equal(ops.convert_to_numpy(found), np.isfinite(x))
