"""Speed and memory of MEA, and how both grow with the length.

    python -m benchmarks.mea --cases mosi_8 --backends jax --rounds 2
    python -m benchmarks.mea --cases mosi --backends jax --measure memory

Ours under each backend against plain PyTorch (`plain_torch_mea.py`). Cases are
named after the shapes of the published data: text, audio and video of 50, 375
and 500 steps (CMU-MOSI) or 50, 500 and 500 (CMU-MOSEI).
"""

import keras
import numpy as np

import keras_mmfusion as mmf
from benchmarks import steps
from benchmarks.measure import Case, main
from keras_mmfusion.ops import recomputed_attention

WIDTHS = {"mosi": (300, 5, 20), "mosei": (300, 74, 35)}
LENGTHS = {"mosi": (50, 375, 500), "mosei": (50, 500, 500)}
NAMES = ("text", "audio", "video")


def case(
    data: str,
    batch: int,
    lengths: tuple[int, ...] | None = None,
    plain_too: bool = True,
    policy: str = "float32",
    all_maps: bool = False,
) -> Case:
    heads = 10 if data == "mosei" else 8
    lengths = lengths or LENGTHS[data]

    def arrays(tiny: bool) -> tuple[dict[str, np.ndarray], np.ndarray]:
        size = 2 if tiny else batch
        x = steps.random_arrays(
            {
                name: (size, 6 if tiny else t, width)
                for name, t, width in zip(
                    NAMES, lengths, WIDTHS[data], strict=True
                )
            }
        )
        return x, np.zeros((size, 1), "float32")

    def ours(tiny: bool) -> steps.Steps:
        keras.mixed_precision.set_dtype_policy(policy)
        if all_maps:  # This process measures nothing else.
            recomputed_attention.CHUNK = 2**40
        x, y = arrays(tiny)
        model = mmf.models.MEA(
            {name: (None, v.shape[2]) for name, v in x.items()},
            num_heads=heads,
            modalities=NAMES,
        )
        return steps.of_model(model, x, y)

    def plain(tiny: bool) -> steps.Steps:
        from benchmarks.plain_torch_mea import MEA, loss

        x, y = arrays(tiny)
        module = MEA(WIDTHS[data], heads=heads)
        return steps.of_torch_model(module, list(x.values()), y, loss)

    text = f"MEA, {batch} x {'/'.join(map(str, lengths))} steps, {heads} heads"
    if policy != "float32":
        text += f", {policy}"
    if all_maps:
        text += ", all maps kept"
    return Case(text, ours, plain if plain_too else None)


CASES = {
    "mosi": case("mosi", 32),
    "mosi_8": case("mosi", 8),
    "mosi_8_bfloat16": case(
        "mosi", 8, plain_too=False, policy="mixed_bfloat16"
    ),
    "mosi_8_all_maps": case("mosi", 8, plain_too=False, all_maps=True),
    "mosi_bfloat16": case("mosi", 32, plain_too=False, policy="mixed_bfloat16"),
    "mosei": case("mosei", 64, plain_too=False),
    "mosei_bfloat16": case(
        "mosei", 64, plain_too=False, policy="mixed_bfloat16"
    ),
    **{f"steps_{t}": case("mosi", 8, (t, t, t)) for t in (50, 100, 200, 400)},
}

if __name__ == "__main__":
    main(CASES, __doc__, "mea")
