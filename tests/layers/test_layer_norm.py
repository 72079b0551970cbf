"""Equal to Keras' layer in every precision, with less kept for gradients."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_mmfusion.layers.layer_norm import LayerNorm
from tests.backend import call, input_gradients, numpy_of

X = np.random.default_rng(0).normal(3, 2, (4, 6, 8)).astype("float32")


def pair(policy):
    """Ours and Keras', with the same weights."""
    layers = [
        kind(epsilon=1e-5, dtype=policy)
        for kind in (LayerNorm, keras.layers.LayerNormalization)
    ]
    rng = np.random.default_rng(1)
    weights = [rng.normal(size=8), rng.normal(size=8)]
    for layer in layers:
        layer.build(X.shape)
        layer.set_weights(weights)
    return layers


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
def test_equals_keras_with_gradients(policy):
    layers = pair(policy)
    error = 1e-5 if policy == "float32" else 2e-2
    near = {"rtol": error, "atol": error}
    outputs = [numpy_of(ops.cast(call(m, X), "float32")) for m in layers]
    np.testing.assert_allclose(*outputs, **near)

    def loss(layer):
        return lambda t: ops.sum(ops.cast(layer(t["x"]), "float32") ** 2)

    gradients = [input_gradients(loss(m), {"x": X})["x"] for m in layers]
    scale = np.abs(gradients[1]).max()
    np.testing.assert_allclose(*(g / scale for g in gradients), **near)


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_trains_in_half_precision(policy):
    found = []
    for layer in pair(policy):
        model = keras.Sequential([keras.Input(X.shape[1:]), layer])
        first = [numpy_of(w) for w in layer.weights]
        # Losses are means over channels, and so are gradients.
        model.compile(keras.optimizers.SGD(1.0), "mse")
        model.fit(X, np.zeros_like(X), epochs=2, verbose=0)
        found.append([numpy_of(w) for w in layer.weights])
        for before, after in zip(first, found[-1], strict=True):
            assert np.abs(after - before).max() > 0.2
    for ours, theirs in zip(*found, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=0.05, atol=0.02)


@pytest.mark.skipif(
    keras.backend.backend() == "jax", reason="JAX has no float64 unless asked"
)
def test_float64_stays_float64():
    layer = pair("float64")[0]
    x = X.astype("float64")
    y = numpy_of(layer(x))
    gamma, beta = (numpy_of(w) for w in layer.weights)
    n = (x - x.mean(-1, keepdims=True)) / np.sqrt(
        x.var(-1, keepdims=True) + layer.epsilon
    )
    assert y.dtype == "float64"
    np.testing.assert_allclose(y, n * gamma + beta, rtol=1e-12, atol=1e-12)


@pytest.mark.once("jax")
@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
def test_the_input_alone_is_kept(policy):
    import jax

    layer = pair(policy)[0]
    x = jax.numpy.asarray(X, layer.compute_dtype)
    _, gradient = jax.vjp(layer, x)
    kept = [t for t in jax.tree.leaves(gradient) if t.size >= x.size]
    assert [t.dtype for t in kept] == [x.dtype]


@pytest.mark.once("torch")
def test_no_float32_copy_is_kept():
    import torch

    kept = []
    layer = pair("mixed_bfloat16")[0]
    x = torch.tensor(X, dtype=torch.bfloat16, requires_grad=True)
    with torch.autograd.graph.saved_tensors_hooks(
        lambda t: kept.append(t) or t, lambda t: t
    ):
        layer(x)
    sizes = {t.dtype: t.numel() for t in kept if t.numel() >= x.numel()}
    assert sizes == {torch.bfloat16: x.numel()}
