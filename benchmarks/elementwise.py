"""Keras' dropout, tanh, normalisation and products beside ours, one call.

    KERAS_BACKEND=torch OMP_NUM_THREADS=1 python benchmarks/elementwise.py

`UniformDropout` and `tanh` of GRJCA at 12 x 300 x 384, and the masks of
attention maps that are hashes, of 64 maps of 375 x 500 as `MEA` draws them;
under PyTorch the normalisation, with its gradient, of 15 frames of 56 x 56 as
the `ravdess` network does it; under JAX bfloat16 products, with a float32
product of the same size beside them. Medians of processor time that take turns;
compare ratios within one run only.
"""

import functools
import statistics
import time
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_mmfusion.layers.batch_normalization import BatchNormalization
from keras_mmfusion.layers.uniform_dropout import UniformDropout
from keras_mmfusion.ops.map_dropout import kept, map_seeds
from keras_mmfusion.ops.product import gradient_matmul
from keras_mmfusion.ops.tanh import tanh

RATE, ROUNDS = 0.6, 15
SHAPE, MAPS, CLIP = (12, 300, 384), (64, 375, 500), (1, 15, 56, 56, 128)
PRODUCTS = ((1024, 1024, 1024), (4000, 40, 160), (800, 768, 512))


def hashed(x: Any, state: Any) -> Any:
    mask = kept(map_seeds(state, MAPS[0]), MAPS[1], MAPS[2], RATE)
    return x * ops.cast(mask, x.dtype) * (1 / (1 - RATE))


def jobs() -> dict[str, Callable[[], Any]]:
    x, maps, clip = (
        ops.convert_to_tensor(np.ones(shape, "float32"))
        for shape in (SHAPE, MAPS, CLIP)
    )
    state = ops.convert_to_tensor(np.array([7, 3], "int32"))
    found: dict[str, Callable[[], Any]] = {}
    for name, layer in (
        ("Keras", keras.layers.Dropout(RATE, seed=0)),
        ("uniform", UniformDropout(RATE, seed=0)),
    ):
        found[f"features, {name}"] = lambda f=layer: f(x, training=True)
    dropout = keras.layers.Dropout(RATE, seed=0)
    found["maps, Keras"] = lambda: dropout(maps, training=True)
    found["maps, hash"] = lambda: hashed(maps, state)
    half = ops.cast(x, "bfloat16")
    for name, values in (("tanh", x), ("tanh, bfloat16", half)):
        found[f"{name}, Keras"] = lambda v=values: ops.tanh(v)
        found[f"{name}, ours"] = lambda v=values: tanh(v)
    if keras.backend.backend() == "torch":
        clip.requires_grad_()
        for name, layer in (
            ("Keras", keras.layers.BatchNormalization()),
            ("ours", BatchNormalization()),
        ):
            found[f"clip norm, {name}"] = lambda f=layer: gradient(f, clip)
    if keras.backend.backend() == "jax":
        found.update(products())
    return found


def products() -> dict[str, Callable[[], Any]]:
    """What `ops/product.py` does in training, compiled."""
    import jax

    found: dict[str, Callable[[], Any]] = {}
    for m, k, n in PRODUCTS:
        wide = (ops.ones((m, k)), ops.ones((k, n)))
        half = tuple(ops.cast(x, "bfloat16") for x in wide)
        for name, function, factors in (
            ("float32", ops.matmul, wide),
            ("bfloat16, Keras", ops.matmul, half),
            ("bfloat16, ours", gradient_matmul, half),
        ):
            job = functools.partial(jax.jit(function), *factors)
            found[f"{m} x {k} x {n}, {name}"] = job
    return found


def gradient(layer: Any, x: Any) -> Any:
    """Forward and backward under PyTorch, where our layer is not Keras'."""
    y = layer(x, training=True)
    y.backward(y.detach())
    return y


def main() -> None:
    every = jobs()
    spent: dict[str, list[float]] = {name: [] for name in every}
    for _ in range(ROUNDS + 2):
        for name, job in every.items():
            start = time.process_time()
            ops.convert_to_numpy(ops.cast(ops.stop_gradient(job()), "float32"))
            spent[name].append(time.process_time() - start)
    print(keras.backend.backend())
    for name, values in spent.items():
        # The first two rounds warm up.
        print(f"  {name:35} {1000 * statistics.median(values[2:]):7.1f} ms")


if __name__ == "__main__":
    main()
