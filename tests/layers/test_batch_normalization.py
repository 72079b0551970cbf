import keras
import numpy as np
import pytest
from keras import ops

from keras_mmfusion.layers.batch_normalization import BatchNormalization
from tests.backend import input_gradients, numpy_of

SHAPES = [(5, 3), (4, 6, 3), (2, 5, 4, 3), (2, 3, 4, 5, 3)]


def values(shape):
    rng = np.random.default_rng(len(shape))
    return rng.normal(2, 3, shape).astype("float32")


def layers(shape):
    """Ours, and Keras' with the same weights."""
    both = [
        BatchNormalization(),
        keras.layers.BatchNormalization(momentum=0.9, epsilon=1e-5),
    ]
    rng = np.random.default_rng(0)
    weights = rng.uniform(0.5, 2, (4, shape[-1])).astype("float32")
    for layer in both:
        layer.build(shape)
        layer.set_weights(list(weights))
    return both


def whole_mask(shape):
    return ops.convert_to_tensor(np.ones(shape[:-1], bool))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("masked", [True, False])
def test_equals_keras(shape, training, masked):
    x = values(shape)
    mask = whole_mask(shape) if masked else None
    ours, theirs = layers(shape)
    y, expected = (
        layer(ops.convert_to_tensor(x), training=training, mask=mask)
        for layer in (ours, theirs)
    )
    np.testing.assert_allclose(
        numpy_of(ops.stop_gradient(y)),
        numpy_of(ops.stop_gradient(expected)),
        rtol=1e-4,
        atol=1e-5,
    )
    for a, b in zip(ours.weights, theirs.weights, strict=True):
        np.testing.assert_allclose(numpy_of(a), numpy_of(b), rtol=1e-5)


@pytest.mark.parametrize("shape", SHAPES)
def test_gradients_equal_keras(shape):
    weight = ops.convert_to_tensor(values(shape))
    found = [
        input_gradients(
            lambda t, layer=layer: ops.sum(
                layer(t["x"], training=True, mask=whole_mask(shape)) * weight
            ),
            {"x": values(shape)},
        )["x"]
        for layer in layers(shape)
    ]
    np.testing.assert_allclose(found[0], found[1], rtol=1e-3, atol=1e-4)


def test_a_convolution_s_memory_layout_changes_nothing():
    x = values((2, 5, 4, 3))
    moved = np.ascontiguousarray(np.moveaxis(x, -1, 1))
    first = ops.moveaxis(ops.convert_to_tensor(moved), 1, -1)
    ours = layers(x.shape)[0]
    y, expected = (ours(v, training=True) for v in (first, x))
    np.testing.assert_allclose(
        numpy_of(ops.stop_gradient(y)),
        numpy_of(ops.stop_gradient(expected)),
        atol=1e-6,
    )


def test_what_is_masked_is_not_counted():
    x = values((2, 5, 3))
    mask = np.array([[True] * 5, [True, False, False, False, False]])
    layer = BatchNormalization()
    layer(x, training=True, mask=ops.convert_to_tensor(mask))
    np.testing.assert_allclose(
        numpy_of(layer.moving_mean), 0.1 * x[mask].mean(axis=0), rtol=1e-4
    )


def test_one_value_per_channel_is_its_own_mean():
    layer = BatchNormalization()
    y = numpy_of(ops.stop_gradient(layer(values((1, 3)), training=True)))
    np.testing.assert_allclose(y, 0, atol=1e-5)


def test_frozen_layers_keep_their_statistics():
    layer = BatchNormalization()
    layer.build((5, 3))
    layer.trainable = False
    y = numpy_of(layer(values((5, 3)), training=True))
    np.testing.assert_allclose(y, values((5, 3)), rtol=1e-4)
    assert not numpy_of(layer.moving_mean).any()


def test_half_precision_counts_in_float32():
    layer = BatchNormalization(dtype="mixed_bfloat16")
    x = np.full((64, 3), 300.0, "float32") + np.arange(64.0)[:, None]
    y = layer(x, training=True)
    assert keras.backend.standardize_dtype(y.dtype) == "bfloat16"
    mean = ops.cast(ops.cast(x, "bfloat16"), "float32")
    np.testing.assert_allclose(
        numpy_of(layer.moving_mean), 0.1 * numpy_of(mean).mean(0), rtol=1e-3
    )


def test_a_mask_of_the_first_axes_counts_for_the_others():
    x = values((2, 5, 4, 3))
    mask = np.array([[True] * 5, [True, True, False, False, False]])
    layer = BatchNormalization()
    layer(x, training=True, mask=ops.convert_to_tensor(mask))
    expected = 0.1 * x[mask].reshape(-1, 3).mean(axis=0)
    np.testing.assert_allclose(numpy_of(layer.moving_mean), expected, rtol=1e-4)
