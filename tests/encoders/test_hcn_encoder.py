"""HCN; its numbers are those of the golden network in test_msaf_ntu."""

import functools

import keras
import numpy as np
import pytest

from keras_mmfusion.encoders import HCNEncoder
from keras_mmfusion.encoders.stretch_frames import StretchFrames, motion_matrix
from tests.backend import call, numpy_of

JOINTS = 7


@functools.cache
def encoder() -> HCNEncoder:
    model = HCNEncoder(JOINTS, persons=2, features=16, name="skeleton")
    rng = np.random.default_rng(0)
    for v in model.trainable_variables:
        if v.name == "bias":
            v.assign(rng.normal(size=v.shape) / 10)
    return model


def skeletons() -> np.ndarray:
    """Full, shorter, with one person only, and missing."""
    x = np.random.default_rng(1).normal(size=(4, 40, 2, JOINTS, 3))
    x[1, 19:] = 0
    x[2, :, 1] = 0
    x[3] = 0
    return x.astype("float32")


def stretched(x: np.ndarray, steps: int) -> np.ndarray:
    """Linear interpolation between the centres of frames, held at the ends."""
    n = len(x)
    position = (np.arange(steps) + 0.5) * n / steps - 0.5
    flat = x.reshape(n, -1)
    columns = [np.interp(position, np.arange(n), c) for c in flat.T]
    return np.stack(columns, axis=1).reshape(steps, *x.shape[1:])


@pytest.mark.parametrize("steps", [16, 40, 64])
def test_valid_frames_are_stretched(steps):
    x = skeletons()
    mask = np.arange(40)[None] < np.array([[40], [19], [40], [0]])
    y = numpy_of(StretchFrames(steps)(x, mask=mask))
    for i, n in enumerate([40, 19, 40]):
        expected = stretched(x[i, :n], steps)
        np.testing.assert_allclose(y[i], expected, atol=2e-5)
    assert not y[3].any()


def test_as_many_frames_stay_as_they_are():
    x = skeletons()
    np.testing.assert_array_equal(numpy_of(StretchFrames(40)(x)), x)


@pytest.mark.parametrize("steps", [2, 5, 32])
def test_motion_is_the_stretched_difference(steps):
    x = np.random.default_rng(0).normal(size=(steps, 3))
    expected = stretched(np.diff(x, axis=0), steps)
    np.testing.assert_allclose(motion_matrix(steps) @ x, expected, atol=1e-5)


def test_padding_and_batch_mates_change_nothing():
    x = skeletons()
    y = numpy_of(call(encoder(), x))
    alone = numpy_of(call(encoder(), x[1:2, :19]))
    np.testing.assert_allclose(y[1:2], alone, rtol=1e-4, atol=1e-5)
    assert y[:3].any(axis=1).all()
    assert not y[3].any()


def test_persons_share_their_weights():
    x = skeletons()[:2]
    y, z = (numpy_of(call(encoder(), v)) for v in (x, x[:, :, ::-1]))
    np.testing.assert_allclose(y, z, rtol=1e-5, atol=1e-6)
    without = numpy_of(call(encoder(), x * np.array([[[[1]], [[0]]]], "f")))
    assert np.abs(y - without).max() > 1e-3


def test_persons_are_streams_between_conv4_and_conv6():
    stages, shape = encoder().stages, (None, 40, 2, JOINTS, 3)
    shapes = {}
    for name, stage in stages.items():
        shapes[name] = shape = stage.compute_output_shape(shape)
    assert shapes == {
        "resize": (None, 32, 2, JOINTS, 3),
        "conv4": dict.fromkeys(("person1", "person2"), (None, 8, 8, 128)),
        "conv5": dict.fromkeys(("person1", "person2"), (None, 4, 4, 128)),
        "conv6": (None, 2, 2, 256),
        "fc7": (None, 16),
    }


def test_a_mask_has_all_steps_of_a_stage_or_none():
    mask = np.array([[True, False], [False, False]])
    y = numpy_of(encoder().mask_after("conv5", mask))
    assert y.tolist() == [[True] * 4, [False] * 4]


def test_it_trains_without_fusion():
    skeleton = keras.Input((None, 2, JOINTS, 3))
    hcn = HCNEncoder(JOINTS, features=4, name="skeleton")
    model = keras.Model(skeleton, keras.layers.Dense(2)(hcn(skeleton)))
    model.compile("adam", "mse")
    x = skeletons()
    history = model.fit(x, np.ones((4, 2)), epochs=2, verbose=0).history
    assert np.isfinite(history["loss"]).all()


def test_config_round_trip():
    config = {**encoder().get_config(), "seed": 3}
    assert HCNEncoder.from_config(config).get_config() == config


@pytest.mark.parametrize("bad", [{"joints": 0}, {"steps": 1}])
def test_sizes_that_are_too_small_are_refused(bad):
    with pytest.raises(ValueError, match="at least"):
        HCNEncoder(**bad)
