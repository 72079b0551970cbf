import dataclasses

import keras
import numpy as np
import pytest

from keras_mmfusion.layers import HierarchicalCrossModalAttention
from tests.backend import call, input_gradients, numpy_of, relative_error
from tests.layers.mea_example import (
    CONFIG,
    MASKS,
    NAMES,
    WEIGHTS,
    longer,
    sequences,
)
from tests.reference.mea_layers import hierarchical_attention
from tests.reference.mea_weights import random_weights
from tests.reference_weights import assign

X = sequences()
PREFIX = "agnostic.1."


def layer(levels=("mixed", "coarse", "fine"), weights=WEIGHTS):
    made = HierarchicalCrossModalAttention(2, levels, modalities=NAMES)
    made.build({m: x.shape for m, x in X.items()})
    if levels:
        assign(made, weights, PREFIX)
    return made


@pytest.mark.parametrize(
    "levels",
    [("mixed", "coarse", "fine"), ("mixed", "coarse"), ("fine",), ()],
    ids=str,
)
def test_equals_the_reference(levels):
    config = dataclasses.replace(CONFIG, levels=levels)
    weights = random_weights(config)
    sources = sequences(seed=9)
    y, maps = call(
        layer(levels, weights),
        X,
        sources=sources,
        mask=MASKS,
        return_attention=True,
    )
    expected, expected_maps = hierarchical_attention(
        X, sources, MASKS, weights, PREFIX, heads=2, levels=levels
    )
    for m in NAMES:
        assert relative_error(y[m], expected[m]) < 1e-5
    assert len(maps) == len(expected_maps)
    for name, expected_map in expected_maps.items():
        found = maps[name.replace(".", "_")]
        valid = valid_pairs(*name.split("."))
        assert relative_error(found, expected_map * valid) < 1e-5


def valid_pairs(target, level, source=None):
    """Where both the step of the target and that of the source are valid."""
    sources = [m for m in NAMES if level == "mixed" or m != target]
    keys = [MASKS[m] for m in ([source] if source else sources)]
    keys = np.concatenate(keys, axis=1)
    return (MASKS[target][:, :, None] & keys[:, None])[:, None]


def test_more_padding_and_the_order_of_the_dict_change_nothing():
    made = layer()
    y = call(made, X, mask=MASKS)
    turned = dict(reversed(longer(X).items()))
    more = call(made, turned, mask=longer(MASKS))
    for m in NAMES:
        steps = X[m].shape[1]
        np.testing.assert_allclose(
            numpy_of(more[m])[:, :steps], numpy_of(y[m]), atol=1e-5
        )


def test_missing_modalities_get_finite_gradients():
    made = layer()
    grads = input_gradients(
        lambda t: sum(
            keras.ops.sum(v**2) for v in made(t, mask=MASKS).values()
        ),
        X,
    )
    assert all(np.isfinite(g).all() for g in grads.values())


def test_wrong_arguments_are_refused():
    with pytest.raises(ValueError, match="levels"):
        HierarchicalCrossModalAttention(2, ["mixt"])
    with pytest.raises(ValueError, match="same number of channels"):
        HierarchicalCrossModalAttention(2).build(
            {"a": (1, 2, 8), "b": (1, 2, 4)}
        )
