"""Speed and memory of MSAF: layer and published networks.

    python -m benchmarks.msaf --cases layer1 --backends jax torch

Ours under each backend against plain PyTorch (`plain_torch_msaf.py`).
"""

import functools
import math
from typing import Any

import keras
import numpy as np

import keras_mmfusion as mmf
from benchmarks import steps
from benchmarks.measure import Case, main

# The two fusions of the RAVDESS network, channels last: 66 blocks each.
FUSIONS = {
    "layer1": (16, {"audio": (4, 208, 32), "video": (4, 4, 14, 14, 1024)}),
    "layer2": (32, {"audio": (4, 26, 64), "video": (4, 2, 7, 7, 2048)}),
}


def layer_case(name: str, text: str) -> Case:
    channels, shapes = FUSIONS[name]

    def small(tiny: bool) -> dict[str, tuple[int, ...]]:
        return {k: (2, *s[1:]) for k, s in shapes.items()} if tiny else shapes

    def ours(tiny: bool) -> steps.Steps:
        layer = mmf.layers.SplitAttentionFusion(channels, block_dropout=0.2)
        return steps.of_layer(layer, steps.random_arrays(small(tiny)))

    def plain(tiny: bool) -> steps.Steps:
        from benchmarks.plain_torch_msaf import MSAF

        first = [(s[0], s[-1], *s[1:-1]) for s in small(tiny).values()]
        module = MSAF([s[1] for s in first], channels, block_dropout=0.2)
        arrays = steps.random_arrays(dict(zip(shapes, first, strict=True)))
        return steps.of_torch_layer(module, list(arrays.values()))

    floats = sum(math.prod(shape) for shape in shapes.values())
    return Case(text, ours, plain, floats * 4 / 1e6)


def mosei(tiny: bool, policy: str = "float32", **settings: Any) -> steps.Steps:
    keras.mixed_precision.set_dtype_policy(policy)
    model = mmf.models.MSAF.from_preset("mosei", load_weights=False)
    model.compile(keras.optimizers.Adam(1e-3), "mse", **settings)
    x = steps.random_arrays(mosei_shapes(tiny))
    return steps.of_model(model, x, _targets(tiny))


def plain_mosei(tiny: bool) -> steps.Steps:
    import torch

    from benchmarks.plain_torch_msaf import MoseiNetwork

    x = steps.random_arrays(mosei_shapes(tiny))
    loss = torch.nn.functional.mse_loss
    return steps.of_torch_model(
        MoseiNetwork(), list(x.values()), _targets(tiny), loss
    )


def mosei_shapes(tiny: bool) -> dict[str, tuple[int, ...]]:
    start = (2, 5) if tiny else (16, 50)
    widths = {"visual": 35, "audio": 74, "text": 768}
    return {m: (*start, width) for m, width in widths.items()}


def _targets(tiny: bool) -> Any:
    return steps.random_arrays({"y": (2 if tiny else 16, 1)})["y"]


def video_network(
    preset: str, shapes: dict[str, tuple[int, ...]], classes: int
) -> Case:
    """A published network on clips, batch 4; there is no plain form of it."""

    def ours(tiny: bool) -> steps.Steps:
        batch = 1 if tiny else 4
        model = mmf.models.MSAF.from_preset(preset, load_weights=False)
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        y = np.arange(batch) % classes
        model.compile(keras.optimizers.Adam(1e-3), loss)
        x = steps.random_arrays({m: (batch, *s) for m, s in shapes.items()})
        return steps.of_model(model, x, y)

    return Case(f"{preset} network, batch 4", ours)


CASES = {
    "layer1": layer_case(
        "layer1", "layer, 66 blocks: 4 clips 4x14x14x1024 with 208x32"
    ),
    "layer2": layer_case(
        "layer2", "layer, 66 blocks: 4 clips 2x7x7x2048 with 26x64"
    ),
    "mosei": Case("CMU-MOSEI network, batch 16", mosei, plain_mosei),
    # For TensorFlow, where Keras leaves its compiler off without a GPU.
    "mosei_jit": Case(
        "CMU-MOSEI network, batch 16, compile(jit_compile=True)",
        functools.partial(mosei, jit_compile=True),
        plain_mosei,
    ),
    "mosei_bfloat16": Case(
        "CMU-MOSEI network, batch 16, mixed_bfloat16",
        functools.partial(mosei, policy="mixed_bfloat16"),
        plain_mosei,
    ),
    "ravdess": video_network(
        "ravdess", {"video": (30, 224, 224, 3), "audio": (212, 13)}, 8
    ),
    "ntu": video_network(
        "ntu", {"video": (32, 224, 224, 3), "skeleton": (32, 2, 25, 3)}, 60
    ),
}

if __name__ == "__main__":
    main(CASES, __doc__, "msaf")
