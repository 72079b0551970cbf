import itertools

import keras
import numpy as np
import pytest

from keras_mmfusion.layers import PredictiveSelfAttention
from tests.backend import call, input_gradients, numpy_of, relative_error
from tests.layers.mea_example import MASKS, WEIGHTS, longer, sequences
from tests.reference.mea_layers import predictive_self_attention
from tests.reference_weights import assign

X, MASK = sequences()["text"], MASKS["text"]
MAPS = np.random.default_rng(3).normal(size=(4, 2, 5, 5)).astype("float32")
MAPS *= MASK[:, None, :, None] * MASK[:, None, None, :]


def layer(position=1, **arguments):
    """The layer with the reference's weights."""
    made = PredictiveSelfAttention(2, **{"mix": 0.4, **arguments})
    made.build(X.shape, MAPS.shape if position else None)
    assign(made, WEIGHTS, f"exclusive.{position}.text.")
    return made


def reference(position=1, mixing="paper", chain="logits"):
    return predictive_self_attention(
        X,
        MASK,
        MAPS if position else None,
        WEIGHTS,
        f"exclusive.{position}.text.",
        heads=2,
        mix=0.4,
        mixing=mixing,
        chain=chain,
    )


@pytest.mark.parametrize(
    ("mixing", "chain"),
    [*itertools.product(("paper", "logits"), ("logits", "mixed"))],
)
def test_equals_the_reference(mixing, chain):
    y, maps, seen = call(
        layer(mixing=mixing, chain=chain),
        X,
        previous=MAPS,
        mask=MASK,
        return_attention=True,
    )
    expected, expected_attention, handed_on = reference(1, mixing, chain)
    assert relative_error(y, expected) < 1e-5
    shares = expected_attention * (MASK[:, None, :, None] * MASK[:, None, None])
    assert relative_error(seen["used"], shares) < 1e-5
    assert set(seen) == {"used", "current", "predicted"}
    assert relative_error(maps, handed_on) < 1e-5


def test_a_first_layer_equals_the_reference_and_refuses_maps():
    first = layer(0)
    y, maps = call(first, X, mask=MASK)
    assert relative_error(y, reference(0)[0]) < 1e-5
    assert relative_error(maps, reference(0)[2]) < 1e-5
    with pytest.raises(ValueError, match="first layer"):
        first(X, previous=MAPS)


def test_more_padding_changes_nothing():
    second = layer()
    y, maps = call(second, X, previous=MAPS, mask=MASK)
    long = longer({"x": X, "mask": MASK})
    wide = np.pad(MAPS, [(0, 0), (0, 0), (0, 3), (0, 3)])
    more, more_maps = call(second, long["x"], previous=wide, mask=long["mask"])
    np.testing.assert_allclose(numpy_of(more)[:, :5], numpy_of(y), atol=1e-5)
    assert not numpy_of(more)[:, 5:].any()
    np.testing.assert_allclose(
        numpy_of(more_maps)[:, :, :5, :5], numpy_of(maps), atol=1e-5
    )
    assert not numpy_of(more_maps)[:, :, 5:].any()


@pytest.mark.parametrize("mix", [0.0, 0.4])
def test_the_maps_of_the_layer_before_are_trained_unless_mix_is_zero(mix):
    second = layer(mix=mix)
    grads = input_gradients(
        lambda t: keras.ops.sum(
            second(X, previous=t["maps"], mask=MASK)[0] ** 2
        ),
        {"maps": MAPS},
    )
    assert (np.abs(grads["maps"]).max() > 1e-4) == (mix > 0)


def test_a_missing_sequence_is_zero_with_finite_gradients():
    none = np.zeros_like(MASK)
    y, maps = call(layer(), X, previous=MAPS, mask=none)
    assert not numpy_of(y).any()
    assert not numpy_of(maps).any()
    second = layer()
    grads = input_gradients(
        lambda t: keras.ops.sum(second(t["x"], previous=MAPS, mask=none)[0]),
        {"x": 0 * X},
    )
    assert np.isfinite(grads["x"]).all()


def test_dropout_hides_parts_of_the_map_in_training_alone():
    second = layer(dropout=0.5, seed=0)
    plain = numpy_of(second(X, previous=MAPS)[0])
    dropped = numpy_of(second(X, previous=MAPS, training=True)[0])
    assert np.abs(plain - dropped).max() > 1e-3


@pytest.mark.parametrize(
    "wrong",
    [{"num_heads": 0}, {"mix": 1.5}, {"mixing": "paperr"}, {"chain": "x"}],
    ids=str,
)
def test_wrong_arguments_are_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        PredictiveSelfAttention(**{"num_heads": 2, **wrong})


def test_heads_that_do_not_divide_the_channels_are_refused():
    with pytest.raises(ValueError, match="divide"):
        PredictiveSelfAttention(3).build(X.shape)
