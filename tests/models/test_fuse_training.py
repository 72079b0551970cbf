"""Training of fused networks does not hang on what their layers are called."""

import keras
import numpy as np
import pytest

from keras_mmfusion.models import fuse
from tests.backend import numpy_of

layers = keras.layers
INPUTS = ("left", "right")


def network(prefix=""):
    inputs = keras.Input((6, 6, 1))
    x = layers.Conv2D(4, 3, activation="relu", name=f"{prefix}conv1")(inputs)
    x = layers.Conv2D(4, 3, activation="relu", name=f"{prefix}conv2")(x)
    return keras.Model(inputs, layers.GlobalAveragePooling2D()(x))


def fused(prefix):
    """Two networks whose layers have the same names without a prefix."""
    taps = [{"left": "conv1", "right": f"{prefix}conv1"}]
    networks = {"left": network(), "right": network(prefix)}
    return fuse(networks, taps, block_channels=4, num_classes=3)


def test_layers_of_the_same_name_train_as_those_of_different_names():
    rng = np.random.default_rng(0)
    x = {m: rng.normal(size=(8, 6, 6, 1)).astype("float32") for m in INPUTS}
    y = np.arange(8) % 3
    first, second = fused(""), fused("other_")
    second.set_weights(first.get_weights())
    for model in (first, second):
        model.compile(keras.optimizers.SGD(0.1))
        for _ in range(4):
            model.train_on_batch(x, y)
    for a, b in zip(first.weights, second.weights, strict=True):
        np.testing.assert_allclose(numpy_of(a), numpy_of(b), atol=1e-6)


@pytest.mark.skipif(keras.backend.backend() != "torch", reason="PyTorch's own")
def test_pytorch_knows_every_variable():
    model = fused("")
    known = {id(p) for p in model.parameters()}
    assert all(id(v.value) in known for v in model.variables)
    assert len(model.state_dict()) >= len(model.variables)
