"""What a gradient makes again has the gradients of what it would keep."""

import numpy as np
import pytest
from keras import ops

from keras_mmfusion.layers.predictive_self_attention import (
    PredictiveSelfAttention,
)
from tests.backend import input_gradients


# Elsewhere, and in float32, nothing is made again.
@pytest.mark.once("jax")
def test_gradients_of_an_attention_layer(monkeypatch):
    x = np.random.default_rng(0).normal(size=(2, 6, 8)).astype("float32")
    layer = PredictiveSelfAttention(num_heads=2, dtype="mixed_bfloat16")
    layer.build(x.shape)

    def gradient():
        def loss(inputs):
            y, _ = layer(inputs["x"], training=True)
            return ops.sum(ops.square(ops.cast(y, "float32")))

        return input_gradients(loss, {"x": x})["x"]

    again = gradient()
    monkeypatch.setattr(
        "keras_mmfusion.layers.feed_forward.remade", lambda f, x: f(x)
    )
    kept = gradient()
    assert np.abs(kept).max() > 0.1
    limit = 2e-2 * np.abs(kept).max()
    np.testing.assert_allclose(again, kept, rtol=0, atol=limit)
