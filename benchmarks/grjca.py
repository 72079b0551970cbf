"""Speed and memory of GRJCA's fusion, and how both grow with the length.

    python -m benchmarks.grjca --cases dense --backends jax
    python -m benchmarks.grjca --cases conv_125 conv_500 conv_2000

Ours under each backend against plain PyTorch (`plain_torch_grjca.py`).
"""

import keras_mmfusion as mmf
from benchmarks import steps
from benchmarks.measure import Case, main

BATCH, WIDTHS = 12, {"video": 256, "audio": 128}
LENGTHS = (125, 250, 500, 1000, 2000)


def shapes(length: int, tiny: bool) -> dict[str, tuple[int, ...]]:
    batch, length = (2, 8) if tiny else (BATCH, length)
    return {m: (batch, length, width) for m, width in WIDTHS.items()}


def case(
    mixing: str, length: int, dtype: str = "float32", autocast: bool = False
) -> Case:
    def ours(tiny: bool) -> steps.Steps:
        layer = mmf.layers.GatedJointCrossAttention(
            temporal_mixing=mixing, modalities=list(WIDTHS), dtype=dtype
        )
        return steps.of_layer(layer, steps.random_arrays(shapes(length, tiny)))

    def plain(tiny: bool) -> steps.Steps:
        from benchmarks.plain_torch_grjca import GRJCA

        x = steps.random_arrays(shapes(length, tiny))
        module = GRJCA((256, 128), x["video"].shape[1])
        found = steps.of_torch_layer(module, list(x.values()))
        return steps.in_autocast(found) if autocast else found

    text = f"GRJCA fusion, {mixing} mixing: {BATCH} x {length} x (256 + 128)"
    text += "" if dtype == "float32" else f", {dtype}"
    text += "; plain in autocast" if autocast else ""
    return Case(text, ours, plain if mixing == "dense" else None)


CASES = {
    "dense": case("dense", 300),
    # Beside plain PyTorch in float32.
    "dense_bfloat16": case("dense", 300, "mixed_bfloat16"),
    "dense_autocast": case("dense", 300, "mixed_bfloat16", autocast=True),
    **{f"conv_{t}": case("conv", t) for t in LENGTHS},
    **{f"none_{t}": case("none", t) for t in LENGTHS},
}

if __name__ == "__main__":
    main(CASES, __doc__, "grjca")
