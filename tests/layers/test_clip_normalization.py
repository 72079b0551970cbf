import numpy as np

from keras_mmfusion.layers.clip_normalization import ClipNormalization
from tests.backend import numpy_of


def test_statistics_are_those_of_the_valid_frames():
    x = np.random.default_rng(0).normal(2, 3, (2, 4, 3, 5, 6))
    x = x.astype("float32")
    mask = np.array([[True] * 4, [True, False, False, False]])
    layer = ClipNormalization()
    y = numpy_of(layer(x, training=True, mask=mask))
    valid = x[mask].reshape(-1, 6)
    mean, variance = valid.mean(axis=0), valid.var(axis=0)
    expected = (x - mean) / np.sqrt(variance + 1e-5)
    np.testing.assert_allclose(y, expected, atol=1e-4)
    np.testing.assert_allclose(
        numpy_of(layer.moving_variance), 0.9 + 0.1 * variance, rtol=1e-4
    )


def test_nothing_valid_is_finite():
    layer = ClipNormalization()
    x = np.zeros((2, 4, 3, 5, 6), "float32")
    y = layer(x, training=True, mask=np.zeros((2, 4), bool))
    assert np.isfinite(numpy_of(y)).all()
    assert np.isfinite(numpy_of(layer.moving_mean)).all()


def test_the_mask_changes_nothing_at_inference():
    x = np.random.default_rng(0).normal(size=(2, 4, 3, 5, 6)).astype("float32")
    layer = ClipNormalization()
    y = numpy_of(layer(x))
    masked = numpy_of(layer(x, mask=np.eye(2, 4, dtype=bool)))
    np.testing.assert_array_equal(y, masked)
