"""I3D; its numbers are those of the golden network in test_msaf_ntu."""

import functools

import keras
import numpy as np
import pytest

from keras_mmfusion.encoders import I3DEncoder
from keras_mmfusion.encoders.i3d_encoder import PairAverage
from tests.backend import call, numpy_of

# What the official network gives for 32 frames of 224 x 224.
PUBLISHED_SHAPES = {
    "stem": (16, 28, 28, 192),
    "mixed_3c": (16, 28, 28, 480),
    "mixed_4b": (8, 14, 14, 512),
    "mixed_4f": (8, 14, 14, 832),
    "mixed_5b": (4, 7, 7, 832),
    "mixed_5c": (4, 7, 7, 1024),
    "pool": (1024,),
}


@functools.cache
def encoder() -> I3DEncoder:
    """A narrow one with random weights, shifts of the norms among them."""
    small = I3DEncoder(size=9, width=1 / 16, dropout=0.0, name="video")
    rng = np.random.default_rng(0)
    for v in small.weights:
        if v.name in ("beta", "moving_mean"):
            v.assign(rng.normal(size=v.shape) / 2)
    return small


def clips() -> np.ndarray:
    """A full clip, a padded one and a missing one."""
    x = np.random.default_rng(1).normal(size=(3, 11, 9, 9, 3))
    x[1, 5:] = 0
    x[2] = 0
    return x.astype("float32")


def test_shapes_are_the_published_ones():
    shape = (None, 32, 224, 224, 3)
    stages = I3DEncoder(steps=32).stages
    for name, stage in stages.items():
        shape = stage.compute_output_shape(shape)
        if name in PUBLISHED_SHAPES:
            assert shape == (None, *PUBLISHED_SHAPES[name])


def test_padding_and_batch_mates_change_nothing():
    x = clips()
    y = numpy_of(call(encoder(), x))
    alone = numpy_of(call(encoder(), x[1:2, :5]))
    np.testing.assert_allclose(y[1:2], alone, rtol=1e-4, atol=1e-5)
    assert np.abs(y[0] - y[1]).max() > 1e-3
    assert not y[2].any()


def test_a_stage_after_a_stride_has_a_mask_of_its_steps():
    mask = np.arange(11)[None] < np.array([[11], [5], [0]])
    steps = {
        stage: numpy_of(encoder().mask_after(stage, mask)).sum(axis=1).tolist()
        for stage in ("stem", "mixed_4b", "mixed_5b")
    }
    assert steps == {
        "stem": [6, 3, 0],
        "mixed_4b": [3, 2, 0],
        "mixed_5b": [2, 1, 0],
    }


def test_padded_frames_are_left_out_of_the_statistics():
    x = clips()[:1, :8]
    longer = np.pad(x, [(0, 0), (0, 8), (0, 0), (0, 0), (0, 0)])
    y, z = (
        numpy_of(call(encoder(), clip, training=True)) for clip in (x, longer)
    )
    np.testing.assert_allclose(y, z, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(
    ("valid", "weights"),
    [
        (4, [1 / 6, 2 / 6, 2 / 6, 1 / 6]),
        (2, [1 / 2, 1 / 2, 0, 0]),
        (1, [1, 0, 0, 0]),
        (0, [0, 0, 0, 0]),
    ],
)
def test_the_end_is_the_mean_over_pairs_of_steps(valid, weights):
    x = np.random.default_rng(0).normal(size=(1, 4, 2, 2, 3))
    x = x.astype("float32")
    mask = np.arange(4)[None] < valid
    layer = PairAverage(1, 0.5, None)
    expected = np.einsum("t,bthwc->bc", weights, x) / 4
    np.testing.assert_allclose(
        numpy_of(layer(x, mask=mask)), expected, atol=1e-6
    )


@pytest.mark.slow
def test_it_trains_without_fusion():
    video = keras.Input((None, 9, 9, 3))
    narrow = I3DEncoder(9, width=1 / 16, name="video")
    model = keras.Model(video, keras.layers.Dense(2)(narrow(video)))
    model.compile("adam", "mse")
    history = model.fit(clips(), np.ones((3, 2)), epochs=2, verbose=0).history
    assert np.isfinite(history["loss"]).all()


def test_config_round_trip():
    config = {**encoder().get_config(), "steps": 8, "seed": 3}
    assert I3DEncoder.from_config(config).get_config() == config


@pytest.mark.parametrize("bad", [{"size": 0}, {"width": 0.05}])
def test_sizes_that_leave_nothing_are_refused(bad):
    with pytest.raises(ValueError, match="at least 1"):
        I3DEncoder(**bad)
