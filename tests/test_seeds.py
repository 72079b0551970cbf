import pytest

from keras_mmfusion.seeds import part_seed


@pytest.mark.once
def test_parts_have_seeds_of_their_own_that_stay():
    seeds = {part_seed(s, p) for s in (0, 1) for p in ("a", "b", 1)}
    assert len(seeds) == 6
    assert all(0 <= s < 2**31 for s in seeds)
    assert part_seed(0, "audio") == 1828503186
    assert part_seed(None, "audio") is None
