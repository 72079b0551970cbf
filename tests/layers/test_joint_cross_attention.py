import functools

import keras
import numpy as np
import pytest
from keras import ops

from keras_mmfusion.convert import load_official
from keras_mmfusion.layers import JointCrossAttention
from tests import goldens
from tests.backend import call, input_gradients, numpy_of, relative_error
from tests.layers.streaming import stream
from tests.reference import grjca as reference

WIDTHS = {"video": 6, "audio": 4}
ORDER = ("video", "audio")
ANY_LENGTH = ("conv", "none")


def float32(arrays: dict) -> dict:
    return {k: np.asarray(v, "float32") for k, v in arrays.items()}


def features(steps: int = 7, batch: int = 3, seed: int = 0) -> dict:
    rng = np.random.default_rng(seed)
    x = {m: rng.normal(size=(batch, steps, w)) for m, w in WIDTHS.items()}
    return float32(
        {m: v / np.linalg.norm(v, axis=-1)[..., None] for m, v in x.items()}
    )


@functools.cache  # building and its compilations are most of the time
def make(
    mixing: str, steps: int | None = None, **kwargs
) -> JointCrossAttention:
    """A layer whose every weight is random, biases and kernels too."""
    layer = JointCrossAttention(
        temporal_mixing=mixing, modalities=ORDER, **kwargs
    )
    layer.build({m: (None, steps, w) for m, w in WIDTHS.items()})
    rng = np.random.default_rng(1)
    for variable in layer.trainable_variables:
        variable.assign(rng.normal(size=variable.shape) / 2)
    return layer


def official_weights(layer: JointCrossAttention, steps: int) -> dict:
    """The layer's weights as a full matrix over time, official names."""
    weights = {}

    def linear(name, kernel, bias):
        weights[f"{name}.weight"] = numpy_of(kernel).T.astype("float64")
        weights[f"{name}.bias"] = numpy_of(bias).astype("float64")

    linear("dense_coattn.query_linear", layer.joint.kernel, layer.joint.bias)
    for i in range(len(layer.order)):
        key, bias = time_matrix(layer.key[i], steps)
        if layer.temporal_mixing != "dense":
            # The published form divides by √d, this one by n / √d.
            scale = sum(layer.widths) / steps
            key, bias = key * scale, bias * scale
        linear(f"dense_coattn.key{i + 1}_linear", key.T, bias)
        value, output = layer.value[i], layer.attention_output[i]
        linear(f"dense_coattn.value{i + 1}_linear", value.kernel, value.bias)
        linear(f"linears.{i}.0", output.kernel, output.bias)
    return weights


def time_matrix(key, steps: int) -> tuple[np.ndarray, np.ndarray]:
    """W and b of keys = W x + b over time."""
    if key.mixing == "dense":
        return numpy_of(key.dense.kernel).T, numpy_of(key.dense.bias)[:, 0]
    if key.mixing == "none":
        return np.eye(steps), np.zeros(steps)
    taps, size = numpy_of(key.kernel), key.kernel_size
    past = size - 1 if key.causal else size - 1 - (size - 1) // 2
    matrix = np.zeros((steps, steps))
    for s in range(steps):
        for j in range(size):
            if 0 <= s + j - past < steps:
                matrix[s, s + j - past] = taps[j]
    return matrix, np.full(steps, float(numpy_of(key.bias)))


def test_two_steps_equal_the_small_official_case():
    case = goldens.small_case("rja_dcnlayer")
    x = [np.asarray(v, "float32") for v in case["x"]]
    for i in range(2):
        layer = JointCrossAttention()
        layer.build([v.shape for v in x])
        prefix = f"dcn_layers.{i}."
        load_official(layer, reference.below(case["state_dict"], prefix))
        x = call(layer, x)
    for y, expected in zip(x, case["y"], strict=True):
        assert relative_error(y, expected) < 1e-5


@pytest.mark.parametrize(
    ("mixing", "kernel_size"),
    [("dense", 5), ("none", 5), ("conv", 1), ("conv", 4), ("conv", 5)],
)
def test_every_mixing_equals_the_reference(mixing, kernel_size):
    layer, x = make(mixing, steps=7, kernel_size=kernel_size), features()
    weights = official_weights(layer, steps=7)
    expected = reference.joint_cross_attention(x, weights)
    output = call(layer, x)
    for m in ORDER:
        assert relative_error(output[m], expected[m]) < 1e-5


def test_attention_maps_are_the_joint_correlation():
    layer, x = make("none"), features()
    _, maps = call(layer, x, return_attention=True)
    both = np.concatenate([x[m] for m in ORDER], axis=-1)
    joint = both @ numpy_of(layer.joint.kernel) + numpy_of(layer.joint.bias)
    d = joint.shape[-1]
    for m in ORDER:
        mean = np.einsum("btc,bte->bce", x[m], joint) / x[m].shape[1]
        expected = np.tanh(mean * np.sqrt(d))
        assert relative_error(maps[m], expected) < 1e-5


def test_three_modalities_in_a_list():
    rng = np.random.default_rng(0)
    x = [rng.normal(size=(2, 5, w)).astype("float32") for w in (3, 4, 5)]
    layer = JointCrossAttention(temporal_mixing="conv")
    y = call(layer, x)
    assert [v.shape for v in y] == [v.shape for v in x]
    z = call(layer, [x[0], x[1], x[2] + 1])
    assert np.abs(numpy_of(y[0]) - numpy_of(z[0])).max() > 1e-4


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("mixing", ANY_LENGTH)
def test_padding_and_batch_mates_change_nothing(mixing, causal):
    layer, x = make(mixing, causal=causal), features(9)
    lengths = {"video": [9, 4, 9], "audio": [9, 6, 0]}
    masks = {m: np.arange(9) < np.array(n)[:, None] for m, n in lengths.items()}
    batch = call(layer, x, mask=masks)
    garbage = {
        m: np.where(masks[m][..., None], v, 99).astype("float32")
        for m, v in x.items()
    }
    other = call(layer, garbage, mask=masks)
    short = call(
        layer,
        {m: v[1:2, :6] for m, v in x.items()},
        mask={m: v[1:2, :6] for m, v in masks.items()},
    )
    for m in ORDER:
        y = numpy_of(batch[m])
        np.testing.assert_allclose(numpy_of(other[m]), y, atol=1e-6)
        np.testing.assert_allclose(numpy_of(short[m]), y[1:2, :6], atol=1e-6)
        assert not y[~masks[m]].any()


def test_masked_steps_take_no_part_in_the_dense_form():
    layer, x = make("dense", steps=7), features()
    mask = {m: np.ones((3, 7), bool) for m in ORDER}
    mask["video"][1, 4:] = False
    mask["audio"][2] = False
    garbage = {
        m: np.where(mask[m][..., None], v, 99).astype("float32")
        for m, v in x.items()
    }
    y, z = (call(layer, v, mask=mask) for v in (x, garbage))
    for m in ORDER:
        np.testing.assert_allclose(numpy_of(y[m]), numpy_of(z[m]), atol=1e-6)
        assert not numpy_of(y[m])[~mask[m]].any()


@pytest.mark.parametrize("mixing", ["dense", *ANY_LENGTH])
def test_missing_modalities_have_finite_gradients(mixing):
    layer, x = make(mixing, steps=7), features()
    mask = {m: np.zeros((3, 7), bool) for m in ORDER}
    mask["video"][0] = True
    x = {m: v * mask[m][..., None] for m, v in x.items()}
    grads = input_gradients(
        lambda t: sum(
            ops.sum(ops.square(y)) for y in layer(t, mask=mask).values()
        ),
        x,
    )
    assert all(np.isfinite(g).all() for g in grads.values())
    assert np.abs(grads["video"][0]).max() > 0


@pytest.mark.parametrize("mixing", ANY_LENGTH)
def test_a_causal_step_is_the_end_of_the_sequence_so_far(mixing):
    x = features(6)
    causal = make(mixing, causal=True, kernel_size=3)
    y = call(causal, x)
    for steps in (1, 4):
        past = {m: v[:, :steps] for m, v in x.items()}
        weights = official_weights(causal, steps)
        expected = reference.joint_cross_attention(past, weights)
        for m in ORDER:
            error = relative_error(
                numpy_of(y[m])[:, steps - 1], expected[m][:, -1]
            )
            assert error < 1e-5


@pytest.mark.parametrize("mixing", ANY_LENGTH)
def test_a_causal_output_sees_no_future(mixing):
    layer, x = make(mixing, causal=True), features(8)
    changed = {m: v.copy() for m, v in x.items()}
    for v in changed.values():
        v[:, 5:] += 1
    y, z = call(layer, x), call(layer, changed)
    for m in ORDER:
        difference = np.abs(numpy_of(y[m]) - numpy_of(z[m])).max(axis=(0, 2))
        assert not difference[:5].any()
        assert (difference[5:] > 1e-4).all()


@pytest.mark.parametrize(
    ("mixing", "sizes"),
    [("none", [1] * 8), ("conv", [1] * 8), ("conv", [4, 4])],
)
def test_streaming_equals_the_whole_sequence(mixing, sizes):
    layer, x = make(mixing, causal=True, kernel_size=4), features(8)
    mask = {m: np.ones((3, 8), bool) for m in ORDER}
    mask["audio"][1, 5:] = False
    mask["video"][2] = False
    whole = call(layer, x, mask=mask)
    streamed = stream(layer, x, sizes, mask)
    for m in ORDER:
        assert relative_error(streamed[m], numpy_of(whole[m])) < 1e-5


def test_order_of_the_dict_does_not_matter_but_that_of_modalities_does():
    layer, x = make("none"), features()
    y, z = call(layer, x), call(layer, dict(reversed(x.items())))
    for m in ORDER:
        np.testing.assert_array_equal(numpy_of(y[m]), numpy_of(z[m]))
    turned = JointCrossAttention(temporal_mixing="none", modalities=ORDER[::-1])
    turned.build({m: v.shape for m, v in x.items()})
    assert turned.order == ["audio", "video"]


def test_official_weights_fit_either_order():
    x = features()
    layer = make("dense", steps=7)
    state = official_weights(layer, steps=7)
    turned = JointCrossAttention()  # sorted: audio first
    turned.build({m: v.shape for m, v in x.items()})
    load_official(turned, state)
    y, z = call(layer, x), call(turned, x)
    for m in ORDER:
        np.testing.assert_allclose(numpy_of(y[m]), numpy_of(z[m]), atol=1e-6)


def test_dropout_only_in_training():
    layer = make("none", dropout=0.5, seed=0)
    x = features()
    y, z = call(layer, x), call(layer, x, training=True)
    assert np.abs(numpy_of(y["video"]) - numpy_of(z["video"])).max() > 1e-3


def test_bfloat16_counts_steps_in_float32():
    x = features(600, batch=1)
    layer = make("none", dtype="mixed_bfloat16", causal=True)
    y = numpy_of(ops.cast(call(layer, x)["video"], "float32"))
    z = numpy_of(call(make("none", causal=True), x)["video"])
    assert np.abs(y - z).max() < 0.1


@pytest.mark.parametrize(
    ("arguments", "shapes", "message"),
    [
        ({"temporal_mixing": "fft"}, None, "temporal_mixing"),
        ({"kernel_size": 0}, None, "kernel_size"),
        ({"causal": True}, None, "cannot be causal"),
        ({}, {"a": (1, 5, 8)}, "two or more"),
        ({}, {"a": (1, 5, 8), "b": (1, 8)}, "takes sequences"),
        ({}, {"a": (1, 5, 8), "b": (1, 6, 8)}, "ResampleTime"),
        ({}, {"a": (1, None, 8), "b": (1, None, 8)}, "fixed number of steps"),
        ({}, {"a": (1, 5, 8), "b": (1, 5, None)}, "channels"),
    ],
)
def test_bad_arguments_are_named(arguments, shapes, message):
    with pytest.raises(ValueError, match=message):
        JointCrossAttention(**arguments).build(shapes)


def test_lengths_that_differ_only_at_the_call_are_named():
    layer, x = make("none"), features()
    with pytest.raises(ValueError, match="ResampleTime"):
        layer({**x, "audio": x["audio"][:, :3]})


def test_official_weights_need_the_dense_form():
    layer = make("none")
    with pytest.raises(ValueError, match="full matrix"):
        load_official(layer, official_weights(layer, steps=7))


def test_symbolic_inputs_of_any_length():
    inputs = {m: keras.Input((None, w), name=m) for m, w in WIDTHS.items()}
    layer = JointCrossAttention(temporal_mixing="conv")
    model = keras.Model(inputs, layer(inputs))
    for steps in (1, 3):
        y = model.predict(features(steps), verbose=0)
        assert y["video"].shape == (3, steps, 6)
