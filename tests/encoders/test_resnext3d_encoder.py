"""The 3D ResNeXt against its formula, and what padding must not change."""

import functools

import numpy as np
import pytest
from keras import ops

from keras_mmfusion.encoders import ResNeXt3DEncoder
from tests.backend import call, input_gradients, numpy_of, relative_error
from tests.encoders.test_frame_encoders import norm, randomised
from tests.ops.test_grouped_convolution import expected as grouped

SIZE = 9


@functools.cache
def small(stem_relu: bool = True) -> ResNeXt3DEncoder:
    encoder = randomised(
        ResNeXt3DEncoder(
            SIZE,
            blocks=[1, 2],
            widths=[4, 8],
            groups=2,
            stem_width=3,
            stem_relu=stem_relu,
            name="v",
        )
    )
    # Negative without ReLU, so that zeros around would win the pooling.
    encoder.stages["stem"].norm.beta.assign([-30.0, -20.0, -10.0])
    return encoder


def clips(steps: int = 6, size: int = 2) -> np.ndarray:
    shape = (size, steps, SIZE, SIZE, 3)
    return np.random.default_rng(1).normal(size=shape).astype("float32")


def pad(x: np.ndarray, size: int, value: float = 0.0) -> np.ndarray:
    around = [(0, 0), *[(size, size)] * 3, (0, 0)]
    return np.pad(x, around, constant_values=value)


def relu(x: np.ndarray) -> np.ndarray:
    return np.maximum(x, 0)


def stem(layer, x: np.ndarray, with_relu: bool) -> np.ndarray:
    kernel = numpy_of(layer.conv.kernel)
    x = pad(x, 3)
    windows = np.lib.stride_tricks.sliding_window_view(x, (7, 7, 7), (1, 2, 3))
    y = np.einsum("bthwcijk,ijkco->bthwo", windows[:, :, ::2, ::2], kernel)
    y = norm(layer.norm, y)
    y = pad(relu(y) if with_relu else y, 1, -np.inf)
    windows = np.lib.stride_tricks.sliding_window_view(y, (3, 3, 3), (1, 2, 3))
    return windows[:, ::2, ::2, ::2].max(axis=(-3, -2, -1))


def block(layer, x: np.ndarray, stride: int) -> np.ndarray:
    y = relu(norm(layer.norm1, x @ numpy_of(layer.conv1.kernel)))
    y = grouped(pad(y, 1), numpy_of(layer.conv2.kernel), 2, stride)
    y = relu(norm(layer.norm2, y))
    y = norm(layer.norm3, y @ numpy_of(layer.conv3.kernel))
    if layer.shortcut is not None:
        x = x[:, ::stride, ::stride, ::stride]
        x = norm(layer.shortcut_norm, x @ numpy_of(layer.shortcut.kernel))
    return relu(x + y)


@pytest.mark.parametrize("stem_relu", [True, False])
def test_equals_its_formula(stem_relu):
    encoder = small(stem_relu)
    y = stem(encoder.stages["stem"], clips().astype("float64"), stem_relu)
    assert (y < 0).any() != stem_relu
    for stage, stride in (("stage1", 1), ("stage2", 2)):
        for layer in encoder.stages[stage].blocks:
            y = block(layer, y, stride)
            stride = 1
    y = y.mean(axis=(1, 2, 3))
    assert relative_error(call(encoder, clips()), y) < 1e-5


def test_published_form_has_the_published_parameters():
    """25,882,056 with the classifier of 8 classes on 2,048 features."""
    encoder = ResNeXt3DEncoder(name="video")
    assert encoder.output_shape == (None, 2048)
    trainable = sum(np.prod(v.shape) for v in encoder.trainable_variables)
    assert trainable + 2049 * 8 == 25_882_056


@pytest.mark.parametrize("length", [1, 4, 5])
def test_padding_and_batch_mates_change_nothing(length):
    encoder = small(stem_relu=False)
    x = clips(8)
    x[0, length:] = 0
    y = numpy_of(call(encoder, x))
    alone = numpy_of(call(encoder, x[:1, :length]))
    np.testing.assert_allclose(y[:1], alone, rtol=1e-4, atol=1e-5)


def test_features_between_stages_are_masked_and_zero_where_padded():
    encoder = small(stem_relu=False)
    x = clips(8)
    x[0, 5:] = 0
    mask = np.ones((2, 8), bool)
    mask[0, 5:] = False
    for stage, steps in (("stem", 4), ("stage1", 4), ("stage2", 2)):
        y = numpy_of(encoder.run(x, mask, None, stage))
        valid = numpy_of(encoder.mask_after(stage, mask))
        assert valid.shape == y.shape[:2] == (2, steps)
        assert valid[0].sum() == -(-5 * steps // 8)
        assert not y[~valid].any()
        assert y[valid].any()


def test_padded_frames_are_left_out_of_the_statistics():
    x = clips(3, 2)
    longer = np.pad(x, [(0, 1), (0, 3), (0, 0), (0, 0), (0, 0)])
    first, second = (
        ResNeXt3DEncoder(SIZE, [1, 1], [2, 4], 2, 3, stem_relu=False, name="v")
        for _ in range(2)
    )
    second.set_weights(first.get_weights())
    y = numpy_of(first(x, training=True))
    z = numpy_of(second(longer, training=True))
    np.testing.assert_allclose(z[:2], y, rtol=1e-3, atol=1e-4)
    for a, b in zip(first.get_weights(), second.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("missing", [[1], [0, 1]])
def test_a_missing_clip_gives_zeros_and_finite_gradients(missing):
    encoder = small(stem_relu=False)
    x = clips(4)
    x[missing] = 0
    y = numpy_of(call(encoder, x))
    assert not y[missing].any()
    grads = input_gradients(
        lambda t: ops.sum(encoder(t["x"], training=True)),
        {"x": x},
    )
    assert np.isfinite(grads["x"]).all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"size": 0}, "at least 1"),
        ({"blocks": [1]}, "one width per stage"),
        ({"widths": [128, 256, 512, 1000]}, "multiple of `groups`"),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        ResNeXt3DEncoder(**arguments)
