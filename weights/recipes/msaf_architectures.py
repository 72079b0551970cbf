"""Writes the architecture preset of MSAF on RAVDESS; it has no weights.

    python weights/recipes/msaf_architectures.py

`msaf_ravdess.py` trains it.
"""

from pathlib import Path

import keras_mmfusion as mmf

WEIGHTS = Path(__file__).parent.parent
PAPER = "MSAF: Multimodal Split Attention Fusion, arXiv 2012.07175"


def emotion_network() -> mmf.models.MSAF:
    """3D ResNeXt-50 and MFCC network, fused twice; logits are added."""
    return mmf.models.MSAF(
        {
            "video": mmf.encoders.ResNeXt3DEncoder(
                stem_relu=False, steps=30, name="video"
            ),
            "audio": mmf.encoders.MFCCEncoder(name="audio"),
        },
        [
            {
                "after": {"video": "stage3", "audio": "conv2"},
                "block_channels": 16,
                "reduction_factor": 4,
                "block_dropout": 0.2,
            },
            {
                "after": {"video": "stage4", "audio": "conv3"},
                "block_channels": 32,
                "reduction_factor": 4,
                "block_dropout": 0.2,
            },
        ],
        num_classes=8,
        combine="sum",
        modalities=["video", "audio"],
    )


def main() -> None:
    """Writes the preset folder."""
    folder = WEIGHTS / "msaf_ravdess"
    (folder / "README.md").unlink(missing_ok=True)  # The card is made anew.
    emotion_network().save_to_preset(
        folder,
        {
            "name": "ravdess",
            "description": "MSAF for eight emotions from 30 face crops of 224 "
            "x 224 through 3D ResNeXt-50 and 212 steps of 13 MFCC through a "
            "small CNN.",
            "paper": PAPER,
            "data": {"name": "RAVDESS", "licence": "CC BY-NC-SA 4.0"},
            "notes": "The official state dict loads with keras_mmfusion."
            "convert.load_official. Frames have their channels in the order "
            "BGR and ImageNet's RGB mean and deviation, as the official code "
            "reads them; MFCC are those of librosa at 44.1 kHz, as they are.",
            "recipe": "python weights/recipes/msaf_ravdess.py --data FOLDER",
            "trained": False,
        },
    )


if __name__ == "__main__":
    main()
