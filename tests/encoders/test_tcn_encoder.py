import functools

import numpy as np
import pytest

from keras_mmfusion.encoders import TCNEncoder
from tests.backend import call, numpy_of, relative_error
from tests.layers.streaming import stream
from tests.reference import grjca as reference


def sequence(steps: int = 9) -> np.ndarray:
    rng = np.random.default_rng(0)
    return rng.normal(size=(2, steps, 3)).astype("float32")


@functools.cache
def make(causal: bool = True) -> TCNEncoder:
    """Two blocks, the second of another width; every weight random."""
    encoder = TCNEncoder(3, [3, 4], kernel_size=3, causal=causal, name="audio")
    rng = np.random.default_rng(1)
    for variable in encoder.weights:
        if "seed" in variable.path:
            continue
        variable.assign(rng.uniform(0.2, 0.8, size=variable.shape))
        if "direction" in variable.path:
            variable.assign(rng.normal(size=variable.shape))
    return encoder


def official(encoder: TCNEncoder) -> dict[str, np.ndarray]:
    """The blocks' weights under their official names."""
    state = {}
    for i in range(len(encoder.channels)):
        block, name = encoder.stages[f"block{i + 1}"], f"network.{i}."
        for j, conv in enumerate(block.convolutions, start=1):
            v = numpy_of(conv.direction).transpose(2, 1, 0)
            state[f"{name}conv{j}.weight_v"] = v
            g = numpy_of(conv.gain)[:, None, None]
            state[f"{name}conv{j}.weight_g"] = g
            state[f"{name}conv{j}.bias"] = numpy_of(conv.bias)
        if block.shortcut is not None:
            kernel = numpy_of(block.shortcut.kernel).T[..., None]
            state[f"{name}downsample.weight"] = kernel
            state[f"{name}downsample.bias"] = numpy_of(block.shortcut.bias)
    return state


def norm(encoder: TCNEncoder) -> dict[str, np.ndarray]:
    layer = encoder.stages["norm"]
    return {
        "weight": numpy_of(layer.gamma),
        "bias": numpy_of(layer.beta),
        "running_mean": numpy_of(layer.moving_mean),
        "running_var": numpy_of(layer.moving_variance),
    }


def test_equals_the_reference():
    encoder, x = make(), sequence()
    expected = reference.temporal_convolution(x, official(encoder))
    expected = reference.batch_norm(expected, norm(encoder))
    assert relative_error(call(encoder, x), expected) < 1e-5


def test_only_a_change_of_width_has_a_shortcut_with_weights():
    stages = make().stages
    assert list(stages) == ["block1", "block2", "norm"]
    assert stages["block1"].shortcut is None
    assert stages["block2"].shortcut.built


@pytest.mark.parametrize("causal", [True, False])
def test_padding_and_batch_mates_change_nothing(causal):
    encoder, x = make(causal), sequence()
    x[0, 5:] = 0
    y = numpy_of(call(encoder, x))
    alone = numpy_of(call(encoder, x[:1, :5]))
    np.testing.assert_allclose(y[:1, :5], alone, atol=1e-5)
    assert not y[0, 5:].any()


def test_padding_changes_no_statistic_of_a_training_step():
    x = sequence()
    first = TCNEncoder(3, [4], dropout=0.0, name="audio")
    second = TCNEncoder(3, [4], dropout=0.0, name="audio")
    second.set_weights(first.get_weights())
    y = numpy_of(first(x, training=True))
    longer = np.pad(x, [(0, 0), (0, 5), (0, 0)])
    z = numpy_of(second(longer, training=True))
    np.testing.assert_allclose(z[:, :9], y, atol=1e-5)
    for a, b in zip(first.get_weights(), second.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)


@pytest.mark.parametrize("causal", [True, False])
def test_no_output_of_a_causal_encoder_sees_the_future(causal):
    encoder, x = make(causal), sequence()
    changed = x.copy()
    changed[:, 5:] += 1
    y, z = numpy_of(call(encoder, x)), numpy_of(call(encoder, changed))
    assert (y[:, :5] == z[:, :5]).all() == causal
    assert np.abs(y - z)[:, 5:].max(axis=2).all()


@pytest.mark.parametrize("sizes", [[1] * 9, [3] * 3])
def test_streaming_equals_the_whole_sequence(sizes):
    encoder, x = make(), sequence()
    x[1] = 0
    mask = np.repeat([[True], [False]], 9, axis=1)
    whole = numpy_of(call(encoder, x))
    streamed = stream(encoder, x, sizes, mask)
    assert relative_error(streamed, whole) < 1e-5


def test_config_round_trip():
    config = make().get_config()
    assert TCNEncoder.from_config(config).get_config() == config


@pytest.mark.parametrize("channels", [[], [4, 0]])
def test_sizes_below_one_are_refused(channels):
    with pytest.raises(ValueError, match="at least 1"):
        TCNEncoder(3, channels)
