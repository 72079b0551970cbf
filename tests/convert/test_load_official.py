import numpy as np
import pytest

from keras_mmfusion.convert import load_official
from keras_mmfusion.layers import BlockDropout, SplitAttentionFusion
from tests import goldens


@pytest.fixture
def layer():
    layer = SplitAttentionFusion(16)
    layer.build([(None, 7, 32), (None, 5, 6, 64)])
    return layer


@pytest.fixture
def state():
    return goldens.load("msaf_two_modalities").state_dict()


def unchanged(layer, before) -> bool:
    return all(
        np.array_equal(a, b)
        for a, b in zip(layer.get_weights(), before, strict=True)
    )


def test_missing_left_over_and_misshapen_entries_change_nothing(layer, state):
    before = layer.get_weights()
    name = "blocks.0.dense_group.3.weight"
    cases = {
        "Missing: .*dense_group.3.weight": {
            k: v for k, v in state.items() if k != name
        },
        "unexpected: .*blocks.1.extra": {**state, "blocks.1.extra": np.ones(1)},
        "should have shape": {**state, name: state[name].T},
    }
    for message, bad in cases.items():
        with pytest.raises(ValueError, match=message):
            load_official(layer, bad)
        assert unchanged(layer, before)


def test_every_entry_is_read(layer, state):
    """Changing any one official number must change the layer."""
    load_official(layer, state)
    before = layer.get_weights()
    for name, value in state.items():
        changed = value.copy()
        changed.flat[-1] += 1
        load_official(layer, {**state, name: changed})
        assert not unchanged(layer, before), name


def test_counters_without_weights_are_skipped(layer, state):
    counter = "blocks.0.joint_features.1.num_batches_tracked"
    assert load_official(layer, {**state, counter: np.array(3)}) == [counter]


def test_other_layers_have_no_official_weights():
    with pytest.raises(ValueError, match="BlockDropout"):
        load_official(BlockDropout(0.5), {})
