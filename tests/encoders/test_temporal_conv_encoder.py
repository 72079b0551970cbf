import functools

import keras
import numpy as np
import pytest

from keras_mmfusion.encoders import TemporalConvEncoder
from keras_mmfusion.models import MSAF
from tests.backend import call, input_gradients, numpy_of, relative_error


def sequence(steps: int = 9) -> np.ndarray:
    rng = np.random.default_rng(0)
    return rng.normal(size=(2, steps, 3)).astype("float32")


@functools.cache
def make(**changes) -> TemporalConvEncoder:
    """Two convolutions, the first of stride 2; every weight random."""
    settings = {"strides": (2, 1), "pooling": "statistics", **changes}
    encoder = TemporalConvEncoder(
        3, [4, 5], kernel_size=4, name="audio", **settings
    )
    rng = np.random.default_rng(1)
    for variable in encoder.weights:
        if "kernel" in variable.path:
            variable.assign(rng.normal(size=variable.shape))
        elif "seed" not in variable.path:
            variable.assign(rng.uniform(0.2, 0.8, size=variable.shape))
    return encoder


def block(x: np.ndarray, stage, stride: int) -> np.ndarray:
    """Convolution, batch normalisation and ReLU of one sample (T, C)."""
    kernel = numpy_of(stage.convolution.kernel)
    size = len(kernel)
    padded = np.pad(x, [((size - 1) // 2, size // 2), (0, 0)])
    y = np.stack(
        [
            np.einsum("jc,jco->o", padded[t : t + size], kernel)
            for t in range(0, len(x), stride)
        ]
    )
    norm = stage.norm
    y = (y - numpy_of(norm.moving_mean)) / np.sqrt(
        numpy_of(norm.moving_variance) + 1e-5
    )
    return np.maximum(y * numpy_of(norm.gamma) + numpy_of(norm.beta), 0)


@pytest.mark.parametrize("steps", [8, 9])
def test_equals_a_loop_over_steps(steps):
    encoder, x = make(), sequence(steps)
    expected = []
    for sample in x:
        y = block(sample, encoder.stages["conv1"], 2)
        y = block(y, encoder.stages["conv2"], 1)
        parts = [y.mean(0), np.sqrt(y.var(0) + 1e-5), y.max(0)]
        expected.append(np.concatenate(parts))
    assert relative_error(call(encoder, x), expected) < 1e-5


@pytest.mark.parametrize("pooling", ["mean", "statistics"])
def test_padding_and_batch_mates_change_nothing(pooling):
    encoder, x = make(pooling=pooling), sequence()
    x[0, 5:] = 0
    y = numpy_of(call(encoder, x))
    alone = numpy_of(call(encoder, x[:1, :5]))
    np.testing.assert_allclose(y[:1], alone, atol=1e-5)


def test_padding_changes_no_statistic_of_a_training_step():
    x = sequence()
    first = TemporalConvEncoder(3, [4, 4], strides=[2, 1], name="audio")
    second = TemporalConvEncoder(3, [4, 4], strides=[2, 1], name="audio")
    second.set_weights(first.get_weights())
    y = numpy_of(first(x, training=True))
    longer = np.pad(x, [(0, 0), (0, 5), (0, 0)])
    np.testing.assert_allclose(
        numpy_of(second(longer, training=True)), y, atol=1e-5
    )
    for a, b in zip(first.get_weights(), second.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)


@pytest.mark.parametrize("pooling", ["mean", "statistics"])
def test_a_missing_sample_gives_zeros_and_finite_gradients(pooling):
    encoder, x = make(pooling=pooling), sequence()
    x[1] = 0
    assert not numpy_of(call(encoder, x))[1].any()
    gradients = input_gradients(
        lambda t: keras.ops.sum(encoder(t["audio"])), {"audio": x}
    )["audio"]
    assert np.isfinite(gradients).all()
    assert gradients[0].any()


def test_without_pooling_a_sequence_remains():
    encoder = make(pooling=None)
    assert list(encoder.stages) == ["conv1", "conv2"]
    assert call(encoder, sequence()).shape == (2, 5, 5)


def test_the_number_of_parameters():
    # Two kernels, and scale, shift, mean and variance of two normalisations.
    assert make().count_params() == 4 * 3 * 4 + 4 * 4 * 5 + 4 * (4 + 5)


def test_a_fusion_behind_a_stride_masks_the_steps_that_are_left():
    def model(steps):
        x = sequence(steps)
        encoders = {
            "a": TemporalConvEncoder(3, [4, 4], strides=[3, 1], name="a"),
            "b": TemporalConvEncoder(3, [4], name="b"),
        }
        fusion = {
            "after": {"a": "conv1", "b": "conv1"},
            "block_channels": 4,
            "segments": 2,
        }
        keras.utils.set_random_seed(0)
        return MSAF(encoders, [fusion], num_classes=3, seed=0), x

    fused, x = model(9)
    short = fused.predict({"a": x[:, :7], "b": x}, verbose=0)
    x_a = np.pad(x[:, :7], [(0, 0), (0, 5), (0, 0)])
    padded = fused.predict({"a": x_a, "b": x}, verbose=0)
    np.testing.assert_allclose(short, padded, atol=1e-5)


def test_config_round_trip():
    config = make().get_config()
    assert TemporalConvEncoder.from_config(config).get_config() == config


@pytest.mark.parametrize(
    "changes",
    [
        {"channels": []},
        {"channels": [4, 0]},
        {"channels": [4], "strides": [1, 1]},
        {"kernel_size": 0},
    ],
)
def test_wrong_sizes_are_refused(changes):
    with pytest.raises(ValueError, match="at least 1"):
        TemporalConvEncoder(3, **changes)


def test_an_unknown_pooling_is_refused():
    with pytest.raises(ValueError, match="statistics"):
        TemporalConvEncoder(3, pooling="max")
