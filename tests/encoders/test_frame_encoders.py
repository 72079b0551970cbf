"""IR-ResNet, VGGish, and encoders one after the other."""

import functools

import numpy as np
import pytest

from keras_mmfusion.convert import load_official
from keras_mmfusion.encoders import (
    ChainedEncoder,
    IRResNetEncoder,
    LSTMEncoder,
    TCNEncoder,
    VGGishEncoder,
)
from keras_mmfusion.models import GRJCA
from tests.backend import call, numpy_of, relative_error
from tests.layers.streaming import stream


@functools.cache
def faces() -> IRResNetEncoder:
    return randomised(
        IRResNetEncoder(5, blocks=[1, 2], widths=[2, 3], features=4, name="f")
    )


@functools.cache
def patches() -> VGGishEncoder:
    return randomised(
        VGGishEncoder([8, 4], [[2], [3, 3]], [6], features=4, name="p")
    )


def randomised(encoder):
    rng = np.random.default_rng(0)
    for v in encoder.weights:
        if v.name in ("gamma", "moving_variance"):
            v.assign(rng.uniform(0.5, 1, v.shape))
        elif "seed" not in v.path:
            v.assign(rng.normal(size=v.shape) / 2)
    return encoder


ENCODERS = [faces, patches]


def clip(encoder, steps: int = 4) -> np.ndarray:
    shape = (2, steps, *encoder.sample_shape[1:])
    return np.random.default_rng(1).normal(size=shape).astype("float32")


def conv(x: np.ndarray, kernel: np.ndarray, stride: int = 1) -> np.ndarray:
    """Frames (N, H, W, C) with one zero around; kernel 3x3 or 1x1."""
    size = kernel.shape[0]
    pad = size // 2
    x = np.pad(x, [(0, 0), (pad, pad), (pad, pad), (0, 0)])
    rows = range(0, x.shape[1] - size + 1, stride)
    columns = range(0, x.shape[2] - size + 1, stride)
    return np.stack(
        [
            np.stack(
                [
                    np.einsum(
                        "nhwc,hwco->no",
                        x[:, i : i + size, j : j + size],
                        kernel,
                    )
                    for j in columns
                ],
                axis=1,
            )
            for i in rows
        ],
        axis=1,
    )


def norm(layer, x: np.ndarray) -> np.ndarray:
    gamma, beta, mean, variance = (
        numpy_of(w)
        for w in (
            layer.gamma,
            layer.beta,
            layer.moving_mean,
            layer.moving_variance,
        )
    )
    return (x - mean) / np.sqrt(variance + 1e-5) * gamma + beta


def prelu(layer, x: np.ndarray) -> np.ndarray:
    return np.where(x > 0, x, numpy_of(layer.alpha) * x)


def test_ir_resnet_equals_its_formula():
    encoder = faces()
    x = clip(encoder, 2)
    y = x.reshape(-1, *x.shape[2:]).astype("float64")
    stem = encoder.stages["stem"]
    y = prelu(stem.prelu, norm(stem.norm, conv(y, numpy_of(stem.conv.kernel))))
    for i, stride in (("stage1", 1), ("stage2", 2)):
        for block in encoder.stages[i].blocks:
            z = conv(norm(block.norm1, y), numpy_of(block.conv1.kernel))
            z = prelu(block.prelu, z)
            z = conv(z, numpy_of(block.conv2.kernel), stride)
            z = norm(block.norm2, z)
            if block.shortcut is None:
                y = z + y[:, ::stride, ::stride]
            else:
                short = conv(y, numpy_of(block.shortcut.kernel), stride)
                y = z + norm(block.shortcut_norm, short)
            stride = 1
    last = encoder.stages["embedding"]
    y = norm(last.norm1, y).reshape(len(y), -1)
    y = y @ numpy_of(last.dense.kernel) + numpy_of(last.dense.bias)
    y = norm(last.norm2, y)
    y = (y / np.linalg.norm(y, axis=-1, keepdims=True)).reshape(2, 2, 4)
    assert relative_error(call(encoder, x), y) < 1e-5


def test_vggish_equals_its_formula():
    encoder = patches()
    x = clip(encoder, 2)
    y = x.reshape(-1, *x.shape[2:], 1).astype("float64")
    for i in ("stage1", "stage2"):
        for layer in encoder.stages[i].convolutions:
            y = conv(y, numpy_of(layer.kernel)) + numpy_of(layer.bias)
            y = np.maximum(y, 0)
        n, height, width, channels = y.shape
        pairs = (n, height // 2, 2, width // 2, 2, channels)
        y = y.reshape(pairs).max(axis=(2, 4))
    y = y.reshape(len(y), -1)
    first, second = encoder.stages["embedding"].dense
    y = np.maximum(y @ numpy_of(first.kernel) + numpy_of(first.bias), 0)
    y = y @ numpy_of(second.kernel) + numpy_of(second.bias)
    assert relative_error(call(encoder, x), y.reshape(2, 2, 4)) < 1e-5


@pytest.mark.parametrize("make", ENCODERS)
def test_padding_and_batch_mates_change_nothing(make):
    encoder = make()
    x = clip(encoder)
    x[0, 3:] = 0
    y = numpy_of(call(encoder, x))
    alone = numpy_of(call(encoder, x[:1, :3]))
    np.testing.assert_allclose(y[:1, :3], alone, atol=1e-5)
    assert not y[0, 3:].any()


def test_padded_frames_are_left_out_of_the_statistics():
    x = clip(faces(), 2)
    longer = np.pad(x, [(0, 0), (0, 3), (0, 0), (0, 0), (0, 0)])
    first, second = (
        IRResNetEncoder(5, [1], [2], features=3, dropout=0.0, name="f")
        for _ in range(2)
    )
    second.set_weights(first.get_weights())
    y = numpy_of(first(x, training=True))
    z = numpy_of(second(longer, training=True))
    np.testing.assert_allclose(z[:, :2], y, atol=1e-4)
    for a, b in zip(first.get_weights(), second.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)


def test_a_chain_is_one_encoder_after_the_other():
    motion = TCNEncoder(4, [3], kernel_size=2, name="motion")
    chain = ChainedEncoder([faces(), motion], name="video")
    x = clip(faces())
    expected = numpy_of(call(motion, numpy_of(call(faces(), x))))
    assert relative_error(call(chain, x), expected) < 1e-5
    assert relative_error(stream(chain, x, [2, 2]), expected) < 1e-5
    assert chain.causal
    assert list(chain.stages)[:2] == ["f.stem", "f.stage1"]
    twin = ChainedEncoder.from_config(chain.get_config())
    assert twin.get_config() == chain.get_config()
    late = ChainedEncoder([faces(), LSTMEncoder(4, 2, name="l")], name="v")
    assert not late.causal


def test_a_model_streams_frames():
    chain = ChainedEncoder(
        [patches(), TCNEncoder(4, [3], name="motion")], name="audio"
    )
    model = GRJCA(
        {"audio": chain, "video": TCNEncoder(2, [3], name="video")},
        causal=True,
        steps=1,
        hidden_units=4,
    )
    x = {"audio": clip(patches()), "video": np.ones((2, 4, 2), "float32")}
    streaming = model.stream(batch_size=2)
    y = [streaming.step({m: v[:, t] for m, v in x.items()}) for t in range(4)]
    whole = model.predict(x, verbose=0)
    assert relative_error(np.stack(y, axis=1), whole) < 1e-5


def test_official_weights_need_the_published_encoders():
    chain = ChainedEncoder(
        [patches(), TCNEncoder(4, [3], name="motion")], name="video"
    )
    model = GRJCA({"video": chain, "audio": TCNEncoder(2, [3], name="audio")})
    with pytest.raises(ValueError, match="IRResNetEncoder"):
        load_official(model, {})


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: IRResNetEncoder(blocks=[1], widths=[2, 3]), "one width"),
        (lambda: IRResNetEncoder(size=0), "at least 1"),
        (lambda: VGGishEncoder(size=(8, 8)), "at least 16 wide"),
        (lambda: VGGishEncoder(units=[0]), "at least 1"),
        (lambda: ChainedEncoder([patches()]), "two or more"),
        (lambda: ChainedEncoder([patches(), patches()]), "different names"),
    ],
)
def test_bad_arguments_are_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()
