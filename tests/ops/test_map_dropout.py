import keras
import numpy as np
import pytest

from keras_mmfusion.ops.map_dropout import kept, map_seeds
from tests.backend import numpy_of


def masks(state, maps=16, rows=128, columns=96, rate=0.1):
    seeds = map_seeds(np.array(state, "int32"), maps)
    return numpy_of(kept(seeds, rows, columns, rate))


def test_the_rate_holds_overall_and_in_each_map_row_and_column():
    dropped = ~masks((3, 7))
    for axes in [None, 0, 1, 2, (0, 1), (0, 2), (1, 2)]:
        rate = np.array(dropped.mean(axis=axes))
        z = (rate - 0.1) / np.sqrt(0.09 / (dropped.size / rate.size))
        assert np.abs(z).max() < 6
        # Of independent draws the variance is 1.
        spread = 5 * np.sqrt(2 / z.size)
        assert np.mean(z**2) == pytest.approx(1, abs=spread)


def test_elements_are_dropped_independently():
    x = ~masks((11, 2)) - 0.1
    pairs = {
        "rows": x[:, 1:] * x[:, :-1],
        "far rows": x[:, 64:] * x[:, :64],
        "columns": x[:, :, 1:] * x[:, :, :-1],
        "maps": x[1:] * x[:-1],
        "steps": x * (~masks((11, 3)) - 0.1),
        "seeds": x * (~masks((12, 2)) - 0.1),
        # The hash adds a number of the row and one of the column.
        "squares": x[:, 1:, 1:]
        * x[:, :-1, 1:]
        * x[:, 1:, :-1]
        * x[:, :-1, :-1],
    }
    for name, product in pairs.items():
        scale = 0.3 ** (4 if name == "squares" else 2)
        z = product.mean() / scale * np.sqrt(product.size)
        assert abs(z) < 4, name


def test_half_of_a_map_is_half_of_its_mask():
    whole = masks((5, 1))
    np.testing.assert_array_equal(masks((5, 1), rows=64), whole[:, :64])
    np.testing.assert_array_equal(masks((5, 1), columns=9), whole[:, :, :9])


def test_masks_are_the_same_under_every_backend():
    # Any difference would show, for each bit hangs on all bits of the seed.
    assert masks((5, 1), 2, 3, 5, 0.5).astype(int).tolist() == [
        [[0, 0, 1, 0, 0], [0, 1, 1, 0, 1], [0, 1, 1, 1, 1]],
        [[1, 0, 1, 1, 1], [1, 0, 1, 1, 0], [1, 1, 0, 1, 0]],
    ]


def test_a_seed_generator_gives_other_masks_every_time():
    generator = keras.random.SeedGenerator(2**31 - 5)
    first, second = (
        numpy_of(kept(map_seeds(generator.next(), 2), 8, 8, 0.5))
        for _ in range(2)
    )
    assert (first != second).any()
    assert (first[0] != first[1]).any()
