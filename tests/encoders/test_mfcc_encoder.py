"""The MFCC network against its formula, and what padding must not change."""

import functools

import numpy as np
import pytest
from keras import ops

from keras_mmfusion.encoders import MFCCEncoder
from tests.backend import call, input_gradients, numpy_of, relative_error
from tests.encoders.test_frame_encoders import norm, randomised


@functools.cache
def small() -> MFCCEncoder:
    return randomised(
        MFCCEncoder(3, 24, channels=[4, 5, 6], dropouts=[0.0, 0.0], name="a")
    )


def recordings(size: int = 2) -> np.ndarray:
    rng = np.random.default_rng(1)
    return rng.normal(size=(size, 24, 3)).astype("float32")


def convolution(layer, x: np.ndarray) -> np.ndarray:
    """Two zeros at either end, then ReLU."""
    kernel, bias = numpy_of(layer.kernel), numpy_of(layer.bias)
    x = np.pad(x, [(0, 0), (2, 2), (0, 0)])
    windows = np.lib.stride_tricks.sliding_window_view(x, len(kernel), 1)
    return np.maximum(np.einsum("btck,kco->bto", windows, kernel) + bias, 0)


def formula(encoder, x: np.ndarray) -> np.ndarray:
    first, second, third = (
        encoder.stages[s] for s in ("conv1", "conv2", "conv3")
    )
    y = norm(first.norm, convolution(first.conv, x))
    y = convolution(second.conv, y)
    full = y.shape[1] // 8 * 8
    y = y[:, :full].reshape(len(y), -1, 8, y.shape[2]).max(axis=2)
    y = norm(third.pool_norm, y)
    y = norm(third.norm, convolution(third.conv, y))
    return y.reshape(len(y), -1)


def test_equals_its_formula():
    x = recordings()
    y = call(small(), x)
    assert y.shape == (2, 2 * 6)
    assert relative_error(y, formula(small(), x.astype("float64"))) < 1e-5


def test_a_short_recording_is_as_if_it_ended_there():
    """19 steps leave 15 before the pooling: one window, and not two."""
    x = recordings()
    x[0, 19:] = 0
    y = numpy_of(call(small(), x))
    expected = formula(small(), x[:1, :19].astype("float64"))
    np.testing.assert_allclose(y[:1, :6], expected, rtol=1e-4, atol=1e-5)
    assert not y[0, 6:].any()


def test_features_between_stages_are_masked_and_zero_where_padded():
    x = recordings()
    x[0, 13:] = 0
    mask = np.ones((2, 24), bool)
    mask[0, 13:] = False
    lengths = {"conv1": (11, 22), "conv2": (9, 20), "conv3": (1, 2)}
    for stage, expected in lengths.items():
        y = numpy_of(small().run(x, mask, None, stage))
        valid = numpy_of(small().mask_after(stage, mask))
        assert valid.shape == y.shape[:2]
        assert tuple(valid.sum(axis=1)) == expected
        assert not y[~valid].any()
        assert y[valid].any()
    assert numpy_of(small().mask_after("flatten", mask)).tolist() == [1, 1]


def test_published_form_has_the_published_parameters():
    """34,024 with the classifier of 8 classes on 1,664 features."""
    encoder = MFCCEncoder(name="audio")
    assert encoder.output_shape == (None, 1664)
    trainable = sum(np.prod(v.shape) for v in encoder.trainable_variables)
    assert trainable + 1665 * 8 == 34_024


@pytest.mark.parametrize("missing", [[1], [0, 1]])
def test_a_missing_recording_gives_zeros_and_finite_gradients(missing):
    x = recordings()
    x[missing] = 0
    y = numpy_of(call(small(), x))
    assert not y[missing].any()
    grads = input_gradients(
        lambda t: ops.sum(small()(t["x"], training=True)),
        {"x": x},
    )
    assert np.isfinite(grads["x"]).all()


@pytest.mark.parametrize(
    "arguments",
    [{"features": 0}, {"steps": 11}, {"channels": [1, 2]}, {"dropouts": [0.1]}],
)
def test_bad_arguments_are_named(arguments):
    with pytest.raises(ValueError, match="at least 12"):
        MFCCEncoder(**arguments)
