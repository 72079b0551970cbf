import itertools

import keras
import numpy as np
import pytest

from keras_mmfusion.layers import PredictiveSelfAttention
from keras_mmfusion.ops import recomputed_attention
from tests.backend import call, input_gradients, numpy_of, relative_error
from tests.layers.mea_example import MASKS, WEIGHTS, longer, sequences
from tests.reference.mea_layers import predictive_self_attention
from tests.reference_weights import assign


@pytest.fixture(params=["inference", "maps made again", "training"])
def training(request, monkeypatch):
    if request.param == "maps made again":
        monkeypatch.setattr(recomputed_attention, "CHUNK", 1)
    return request.param == "training"


X, MASK = sequences()["text"], MASKS["text"]
# What a layer before hands on, and the maps that it stands for.
RNG = np.random.default_rng(3)
HANDED_ON = (RNG.normal(size=(4, 5, 16)) * MASK[..., None]).astype("float32")
QUERY, KEY = np.split(HANDED_ON.reshape(4, 5, 4, 4).swapaxes(1, 2), 2, axis=1)
MAPS = (QUERY @ KEY.swapaxes(2, 3)).astype("float32")


def previous(chain="logits"):
    return MAPS if chain == "mixed" else HANDED_ON


def layer(position=1, **arguments):
    """The layer with the reference's weights."""
    made = PredictiveSelfAttention(2, **{"mix": 0.4, **arguments})
    made.build(X.shape, previous(made.chain).shape if position else None)
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


def maps_of(handed_on):
    """The maps that queries and keys stand for."""
    query, key = np.split(numpy_of(handed_on), 2, axis=2)
    query, key = (x.reshape(4, -1, 2, 4).swapaxes(1, 2) for x in (query, key))
    return query @ key.swapaxes(2, 3)


@pytest.mark.parametrize(
    ("mixing", "chain"),
    [*itertools.product(("paper", "logits"), ("logits", "mixed"))],
)
def test_equals_the_reference(mixing, chain):
    y, handed_on, seen = call(
        layer(mixing=mixing, chain=chain),
        X,
        previous=previous(chain),
        mask=MASK,
        return_attention=True,
    )
    expected, expected_attention, expected_maps = reference(1, mixing, chain)
    assert relative_error(y, expected) < 1e-5
    shares = expected_attention * (MASK[:, None, :, None] * MASK[:, None, None])
    assert relative_error(seen["used"], shares) < 1e-5
    assert set(seen) == {"used", "current", "predicted"}
    maps = handed_on if chain == "mixed" else maps_of(handed_on)
    assert relative_error(maps, expected_maps) < 1e-5


def test_a_first_layer_equals_the_reference_and_refuses_maps():
    first = layer(0)
    y, handed_on = call(first, X, mask=MASK)
    assert relative_error(y, reference(0)[0]) < 1e-5
    assert relative_error(maps_of(handed_on), reference(0)[2]) < 1e-5
    with pytest.raises(ValueError, match="first layer"):
        first(X, previous=HANDED_ON)


@pytest.mark.parametrize("chain", ["logits", "mixed"])
def test_what_another_kind_of_layer_handed_on_is_refused(chain):
    other = previous("logits" if chain == "mixed" else "mixed")
    with pytest.raises(ValueError, match=f"chain='{chain}'"):
        PredictiveSelfAttention(2, chain=chain).build(X.shape, other.shape)


@pytest.mark.parametrize("chain", ["logits", "mixed"])
def test_more_padding_changes_nothing(chain, training):
    second = layer(chain=chain)
    y, handed_on = call(
        second, X, previous=previous(chain), mask=MASK, training=training
    )
    long = longer({"x": X, "mask": MASK, "previous": HANDED_ON})
    wide = np.pad(MAPS, [(0, 0), (0, 0), (0, 3), (0, 3)])
    more, more_handed_on = call(
        second,
        long["x"],
        previous=wide if chain == "mixed" else long["previous"],
        mask=long["mask"],
        training=training,
    )
    np.testing.assert_allclose(numpy_of(more)[:, :5], numpy_of(y), atol=1e-5)
    assert not numpy_of(more)[:, 5:].any()
    steps = 2 if chain == "mixed" else 1
    short, rest = np.split(numpy_of(more_handed_on), [5], axis=steps)
    if chain == "mixed":
        short = short[..., :5]
    np.testing.assert_allclose(short, numpy_of(handed_on), atol=1e-5)
    assert not rest.any()


@pytest.mark.parametrize("mix", [0.0, 0.4])
def test_the_layer_before_is_trained_unless_mix_is_zero(mix):
    second = layer(mix=mix)
    grads = input_gradients(
        lambda t: keras.ops.sum(
            second(X, previous=t["before"], mask=MASK)[0] ** 2
        ),
        {"before": HANDED_ON},
    )
    assert (np.abs(grads["before"]).max() > 1e-4) == (mix > 0)
    # Nor does its own convolution matter then, so it gets no gradient.
    y = numpy_of(call(second, X, previous=HANDED_ON, mask=MASK)[0])
    second.predict.kernel.assign(second.predict.kernel + 1.0)
    z = numpy_of(call(second, X, previous=HANDED_ON, mask=MASK)[0])
    assert (np.abs(z - y).max() > 1e-4) == (mix > 0)


def test_a_missing_sequence_is_zero_with_finite_gradients(training):
    none = np.zeros_like(MASK)
    second = layer()

    def total(t):
        y, handed_on = second(
            t["x"], previous=HANDED_ON, mask=none, training=training
        )
        return keras.ops.sum(y**2) + keras.ops.sum(handed_on**2)

    assert float(numpy_of(total({"x": X}))) == 0
    grads = input_gradients(total, {"x": 0 * X})
    assert np.isfinite(grads["x"]).all()


@pytest.mark.parametrize("mixing", ["paper", "logits"])
@pytest.mark.parametrize("position", [0, 1])
def test_gradients_without_maps_are_those_of_the_maps(
    mixing, position, monkeypatch
):
    made = layer(position, mixing=mixing)

    def total(t):
        y, handed_on = made(
            t["x"],
            previous=t["before"] if position else None,
            mask=MASK,
        )
        return keras.ops.sum(y**2) + keras.ops.sum(handed_on**2)

    inputs = {"x": X, "before": HANDED_ON}
    if not position:
        del inputs["before"]
    expected = input_gradients(total, inputs)
    monkeypatch.setattr(recomputed_attention, "CHUNK", 1)
    found = input_gradients(total, inputs)
    for name in inputs:
        assert relative_error(found[name], expected[name]) < 1e-5


@pytest.mark.parametrize(
    ("chain", "chunk"), [("logits", 1), ("logits", 2**17), ("mixed", 1)]
)
def test_dropout_hides_parts_of_the_map_in_training_alone(
    chain, chunk, monkeypatch
):
    monkeypatch.setattr(recomputed_attention, "CHUNK", chunk)
    second = layer(dropout=0.5, seed=0, chain=chain)
    before = previous(chain)
    plain = numpy_of(second(X, previous=before)[0])
    dropped = numpy_of(second(X, previous=before, training=True)[0])
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
