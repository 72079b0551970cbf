"""Writes the architecture presets of MSAF's clip networks, without weights.

    python weights/recipes/msaf_architectures.py

`msaf_ravdess.py` and `msaf_ntu.py` train them.
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


def action_network() -> mmf.models.MSAF:
    """I3D and HCN, fused twice; first with every person as a modality."""
    return mmf.models.MSAF(
        {
            "video": mmf.encoders.I3DEncoder(name="video"),
            "skeleton": mmf.encoders.HCNEncoder(name="skeleton"),
        },
        [
            {
                "after": {"video": "mixed_5b", "skeleton": "conv5"},
                "block_channels": 64,
                "reduction_factor": 4,
                "attention_floor": 0.5,
            },
            {
                "after": {"video": "mixed_5c", "skeleton": "fc7"},
                "block_channels": 256,
                "reduction_factor": 4,
                "attention_floor": 0.5,
            },
        ],
        num_classes=60,
        combine="none",
        modalities=["video", "skeleton"],
    )


CARDS = {
    "ravdess": {
        "description": "MSAF for eight emotions from 30 face crops of 224 "
        "x 224 through 3D ResNeXt-50 and 212 steps of 13 MFCC through a "
        "small CNN.",
        "data": {"name": "RAVDESS", "licence": "CC BY-NC-SA 4.0"},
        "notes": "The official state dict loads with keras_mmfusion."
        "convert.load_official. Frames have their channels in the order "
        "BGR and ImageNet's RGB mean and deviation, as the official code "
        "reads them; MFCC are those of librosa at 44.1 kHz, as they are.",
    },
    "ntu": {
        "description": "MSAF for 60 actions from 32 frames of 224 x 224 "
        "through I3D and the 25 joints of two persons through HCN; a dict of "
        "the logits of both.",
        "data": {"name": "NTU RGB+D", "licence": "academic use, its own terms"},
        "notes": "The official state dict loads with keras_mmfusion."
        "convert.load_official. combine='sum' gives the sum of the logits, "
        "by which the official code ranks the classes. Frames have their "
        "channels in the order BGR and ImageNet's RGB mean and deviation, as "
        "the official code reads them; joints are relative to the second "
        "joint of the first person in the same frame.",
    },
}
NETWORKS = {"ravdess": emotion_network, "ntu": action_network}


def main() -> None:
    """Writes the preset folders."""
    for name, network in NETWORKS.items():
        folder = WEIGHTS / f"msaf_{name}"
        (folder / "README.md").unlink(missing_ok=True)  # The card is made anew.
        recipe = f"python weights/recipes/msaf_{name}.py --data FOLDER"
        network().save_to_preset(
            folder,
            {
                "name": name,
                "paper": PAPER,
                "recipe": recipe,
                "trained": False,
                **CARDS[name],
            },
        )


if __name__ == "__main__":
    main()
