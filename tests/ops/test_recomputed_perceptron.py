"""Equal to two dense layers, with the input alone kept for the gradient."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_mmfusion.layers.feed_forward import Perceptron
from tests.backend import input_gradients, numpy_of, relative_error

X = np.random.default_rng(0).normal(size=(3, 5, 6)).astype("float32")
ROUNDING = {"float32": 1e-5, "mixed_bfloat16": 0.03}


def perceptron(policy="float32"):
    layer = Perceptron(24, 4, dtype=policy)
    layer.build(X.shape)
    rng = np.random.default_rng(1)
    layer.set_weights([rng.normal(size=w.shape) for w in layer.weights])
    return layer


@pytest.mark.parametrize("policy", ROUNDING)
def test_value_and_gradient_of_the_input(policy):
    layer, exact = perceptron(policy), perceptron()
    y = layer(X, training=True)
    assert keras.backend.standardize_dtype(y.dtype) == layer.compute_dtype
    found, expected = numpy_of(ops.cast(y, "float32")), numpy_of(exact(X))
    assert relative_error(found, expected) < ROUNDING[policy]

    def loss(layer, training):
        def of(t):
            y = layer(t["x"], training=training)
            return ops.sum(ops.tanh(ops.cast(y, "float32")))

        return of

    found = input_gradients(loss(layer, True), {"x": X})["x"]
    expected = input_gradients(loss(exact, False), {"x": X})["x"]
    # tanh steepens what bfloat16 rounds.
    assert relative_error(found, expected) < 4 * ROUNDING[policy]


@pytest.mark.parametrize("policy", [*ROUNDING, "mixed_float16"])
def test_weights_train_as_those_of_two_dense_layers(policy):
    ours = perceptron(policy)
    kept = [numpy_of(w) for w in ours.weights]
    layers = [
        keras.layers.Dense(24, keras.activations.gelu, dtype=policy),
        keras.layers.Dense(4, dtype=policy),
    ]
    moved = []
    for parts in ([ours], layers):
        model = keras.Sequential([keras.Input(X.shape[1:]), *parts])
        model.set_weights(kept)
        model.compile(keras.optimizers.SGD(1.0), "mse")
        model.fit(X, np.zeros((3, 5, 4)), epochs=1, verbose=0)
        after = [numpy_of(w) for w in model.weights]
        moved.append([b - a for a, b in zip(kept, after, strict=True)])
    for found, expected in zip(*moved, strict=True):
        assert np.abs(expected).max() > 0.1
        error = 1e-4 if policy == "float32" else 0.03
        assert relative_error(found, expected) < error


@pytest.mark.once("jax")
@pytest.mark.parametrize("policy", ROUNDING)
def test_the_input_alone_is_kept(policy):
    import jax

    layer = perceptron(policy)
    x = jax.numpy.asarray(X, layer.compute_dtype)
    _, gradient = jax.vjp(lambda x: layer(x, training=True), x)
    kept = [t for t in jax.tree.leaves(gradient) if t.size >= x.size]
    weights = {tuple(w.shape) for w in layer.weights}
    assert {t.shape for t in kept} - weights == {(15, 6)}


@pytest.mark.once("jax")
def test_no_hidden_layer_is_planned_for_the_gradient():
    import jax

    blocks = [Perceptron(64, 16) for _ in range(8)]
    x = np.ones((4096, 16), "float32")
    for block in blocks:
        block.build(x.shape)

    def loss(x):
        for block in blocks:
            x = x + block(x, training=True)
        return (x * x).sum()

    plan = jax.jit(jax.grad(loss)).lower(x).compile().memory_analysis()
    hidden = 4 * 64 * len(x)
    # Four; if the eight hidden layers were kept, nine and a half.
    assert plan.temp_size_in_bytes < 6 * hidden
