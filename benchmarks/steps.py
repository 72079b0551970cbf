"""One training step and one inference of a layer, network or torch module.

A layer's training step is forward, backward to its weights and its inputs (it
sits between others) and an optimizer update, compiled as `fit` would compile
it. A model's is `train_on_batch`. Inputs are the backend's own tensors, so that
loading data is not measured.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

Arrays = dict[str, np.ndarray]


@dataclass(frozen=True)
class Steps:
    """What is timed; each call returns once everything has been computed."""

    train: Callable[[], Any]
    infer: Callable[[], Any]
    parameters: int


def random_arrays(shapes: dict[str, tuple[int, ...]], seed: int = 0) -> Arrays:
    rng = np.random.default_rng(seed)
    return {k: rng.normal(size=s).astype("float32") for k, s in shapes.items()}


def of_layer(layer: keras.layers.Layer, arrays: Arrays) -> Steps:
    """Of a layer from a dict of tensors to the same structure."""
    layer.build({k: v.shape for k, v in arrays.items()})
    x = {k: keras.ops.convert_to_tensor(v) for k, v in arrays.items()}
    optimizer = keras.optimizers.Adam(1e-3)
    optimizer.build(layer.trainable_variables)
    backend = keras.backend.backend()
    make = {"jax": _jax_steps, "tensorflow": _tensorflow_steps}
    # Any cotangent of the outputs will do; the inputs have their shapes.
    c = {k: keras.ops.cast(v, layer.compute_dtype) for k, v in x.items()}
    train, infer = make.get(backend, _torch_steps)(layer, optimizer, x, c)
    return Steps(train, infer, _size(layer.trainable_variables))


def _jax_steps(layer: Any, optimizer: Any, x: Any, cotangent: Any) -> Any:
    import jax

    def forward(weights: Any, state: Any, x: Any, training: bool) -> Any:
        # `stateless_call` leaves out the casting that a call begins with.
        x = {k: keras.ops.cast(v, layer.compute_dtype) for k, v in x.items()}
        return layer.stateless_call(weights, state, x, training=training)

    @jax.jit
    def step(weights: Any, state: Any, slots: Any, x: Any, c: Any) -> Any:
        y, vjp, state = jax.vjp(
            lambda w, x: forward(w, state, x, True), weights, x, has_aux=True
        )
        gradients, dx = vjp(c)
        weights, slots = optimizer.stateless_apply(slots, gradients, weights)
        return weights, state, slots, y, dx

    weights = [v.value for v in layer.trainable_variables]
    frozen = [v.value for v in layer.non_trainable_variables]
    held: list[Any] = [weights, frozen, [v.value for v in optimizer.variables]]

    def train() -> Any:
        held[0], held[1], held[2], y, dx = step(*held, x, cotangent)
        return jax.block_until_ready((held, y, dx))

    predict = jax.jit(lambda w, s, x: forward(w, s, x, False)[0])
    return train, lambda: jax.block_until_ready(predict(weights, frozen, x))


def _tensorflow_steps(layer: Any, optimizer: Any, x: Any, c: Any) -> Any:
    import tensorflow as tf

    @tf.function(jit_compile=True)
    def step(x: Any, c: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = layer(x, training=True)
        weights = [v.value for v in layer.trainable_variables]
        gradients, dx = tape.gradient(y, (weights, x), output_gradients=c)
        optimizer.apply(gradients, layer.trainable_variables)
        return y, dx

    predict = tf.function(lambda x: layer(x, training=False), jit_compile=True)
    return lambda: step(x, c), lambda: predict(x)


def _torch_steps(layer: Any, optimizer: Any, x: Any, cotangent: Any) -> Any:
    import torch

    leaves = {k: v.requires_grad_() for k, v in x.items()}
    cotangents = [v.detach() for v in cotangent.values()]

    def train() -> Any:
        weights = [v.value for v in layer.trainable_variables]
        for leaf in [*weights, *leaves.values()]:
            leaf.grad = None
        y = layer(leaves, training=True)
        torch.autograd.backward(list(y.values()), cotangents)
        with torch.no_grad():
            optimizer.apply(
                [w.grad for w in weights], layer.trainable_variables
            )
        return y

    @torch.no_grad()
    def infer() -> Any:
        return layer(leaves, training=False)

    return train, infer


def of_model(model: keras.Model, arrays: Arrays, targets: Any) -> Steps:
    """Of a compiled model, by `train_on_batch` and `predict_on_batch`."""
    x = {k: keras.ops.convert_to_tensor(v) for k, v in arrays.items()}
    y = keras.tree.map_structure(keras.ops.convert_to_tensor, targets)
    return Steps(
        lambda: model.train_on_batch(x, y),
        lambda: model.predict_on_batch(x),
        _size(model.trainable_variables),
    )


def of_torch_layer(module: Any, arrays: list[np.ndarray]) -> Steps:
    """Of a `torch.nn.Module` from a list of tensors to a list alike."""
    import torch

    device = _torch_device()
    module.to(device)
    x = [torch.tensor(a, device=device, requires_grad=True) for a in arrays]
    cotangents = [v.detach() for v in x]
    optimizer = torch.optim.Adam(module.parameters(), 1e-3)

    def train() -> Any:
        module.train()
        optimizer.zero_grad()
        for v in x:
            v.grad = None
        y = module(x)
        torch.autograd.backward(y, cotangents)
        optimizer.step()
        return y

    return Steps(train, _torch_inference(module, x), _torch_size(module))


def in_autocast(steps: Steps) -> Steps:
    """The same of a torch module, in PyTorch's mixed precision on a CPU."""
    import torch

    def mixed(job: Callable[[], Any]) -> Callable[[], Any]:
        def run() -> Any:
            with torch.autocast("cpu", dtype=torch.bfloat16):
                return job()

        return run

    return Steps(mixed(steps.train), mixed(steps.infer), steps.parameters)


def of_torch_model(
    module: Any, arrays: list[np.ndarray], targets: np.ndarray, loss: Any
) -> Steps:
    """Of a `torch.nn.Module` from a list of tensors to outputs and a loss."""
    import torch

    device = _torch_device()
    module.to(device)
    x = [torch.tensor(a, device=device) for a in arrays]
    y = torch.tensor(targets, device=device)
    optimizer = torch.optim.Adam(module.parameters(), 1e-3)

    def train() -> float:
        module.train()
        optimizer.zero_grad()
        value = loss(module(x), y)
        value.backward()
        optimizer.step()
        return float(value.item())

    return Steps(train, _torch_inference(module, x), _torch_size(module))


def _torch_device() -> str:
    """Where Keras computes under PyTorch."""
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def _torch_inference(module: Any, x: Any) -> Callable[[], Any]:
    import torch

    def infer() -> Any:
        module.eval()
        with torch.no_grad():
            return module(x)

    return infer


def _size(variables: list[Any]) -> int:
    return sum(math.prod(v.shape) for v in variables)


def _torch_size(module: Any) -> int:
    return sum(p.numel() for p in module.parameters())
