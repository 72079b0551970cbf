"""Writes the architecture presets of MEA: Table I of the paper, no weights.

    python weights/recipes/mea_architectures.py

`mea_mosei.py` trains them. The paper gives feature widths of 35 (video) and
74 (audio) for all three; the public unaligned CMU-MOSI files have 20 and 5.
"""

from pathlib import Path
from typing import Any

import keras_mmfusion as mmf

WEIGHTS = Path(__file__).parent.parent
PAPER = {
    "title": "Asynchronous Multimodal Video Sequence Fusion via Learning "
    "Modality-Exclusive and -Agnostic Representations",
    "arxiv": "2407.04955",
}
LICENCE = "see its authors' terms; the features are not ours to pass on"
# By preset: title of the data, MulT's file, widths of text, video and audio,
# and the arguments of MEA.
PRESETS: dict[str, tuple[str, str, tuple[int, int, int], dict[str, Any]]] = {
    "mosi": (
        "CMU-MOSI",
        "mosi_data_noalign.pkl",
        (300, 20, 5),
        {"num_heads": 8, "mix": 0.25, "alpha": 2e-2, "beta": 3e-2},
    ),
    "mosei": (
        "CMU-MOSEI",
        "mosei_senti_data_noalign.pkl",
        (300, 35, 74),
        {"num_heads": 10, "mix": 0.15, "alpha": 3e-2, "beta": 5e-2},
    ),
    "iemocap": (
        "IEMOCAP",
        "iemocap_data_noalign.pkl",
        (300, 35, 74),
        {
            "num_heads": 8,
            "mix": 0.2,
            "alpha": 1e-2,
            "beta": 2e-2,
            "kernel_sizes": {"text": 3, "video": 3, "audio": 5},
            "binary_heads": 4,
        },
    ),
}


def network(name: str) -> mmf.models.MEA:
    widths, arguments = PRESETS[name][2:]
    order = ("text", "video", "audio")
    shapes = {m: (None, w) for m, w in zip(order, widths, strict=True)}
    return mmf.models.MEA(shapes, form="paper", modalities=order, **arguments)


def metadata(name: str) -> dict[str, Any]:
    title, file = PRESETS[name][:2]
    target = (
        "four yes-or-no emotions"
        if name == "iemocap"
        else "sentiment, a number in [-3, 3],"
    )
    return {
        "name": name,
        "description": f"MEA for {target} from unaligned sequences of GloVe "
        f"vectors, facial and acoustic features of {title}, as in the "
        "paper's Table I.",
        "paper": PAPER,
        "data": {
            "name": f"{title}, unaligned GloVe features ({file})",
            "licence": LICENCE,
        },
        "recipe": f"python weights/recipes/mea_mosei.py --dataset {name} "
        f"--data {file}",
        "trained": False,
    }


def main() -> None:
    """Writes the preset folders."""
    for name in PRESETS:
        network(name).save_to_preset(WEIGHTS / f"mea_{name}", metadata(name))


if __name__ == "__main__":
    main()
