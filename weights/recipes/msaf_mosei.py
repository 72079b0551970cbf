"""Writes the architecture preset of MSAF on CMU-MOSEI; it has no weights.

python weights/recipes/msaf_mosei.py
"""

from pathlib import Path

import keras_mmfusion as mmf

# Modality to width of the features and of the LSTMs, in the official order.
NETWORKS = {"visual": (35, 32), "audio": (74, 64), "text": (768, 128)}


def network() -> mmf.models.MSAF:
    return mmf.models.MSAF(
        {
            m: mmf.encoders.LSTMEncoder(features, units, name=m)
            for m, (features, units) in NETWORKS.items()
        },
        [
            {
                "after": dict.fromkeys(NETWORKS, "lstm1"),
                "block_channels": 16,
                "reduction_factor": 2,
                "segments": 5,
                "block_dropout": 0.2,
            }
        ],
        modalities=list(NETWORKS),
    )


def main() -> None:
    network().save_to_preset(
        Path(__file__).parent.parent / "msaf_mosei",
        {
            "name": "mosei",
            "description": "MSAF for sentiment from FACET, COVAREP and BERT "
            "sequences of 50 steps.",
            "paper": "MSAF: Multimodal Split Attention Fusion, "
            "arXiv 2012.07175",
            "data": {"name": "CMU-MOSEI", "licence": "see its authors' terms"},
            "notes": "No recipe is written yet. The official state dict loads "
            "with keras_mmfusion.convert.load_official.",
            "trained": False,
        },
    )


if __name__ == "__main__":
    main()
