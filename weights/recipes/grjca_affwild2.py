"""Writes the architecture presets of GRJCA on Aff-Wild2; no weights exist.

    python weights/recipes/grjca_affwild2.py

The published network takes windows of 300 frames. Its code has no licence and
its weights are not public, so these presets hold the architecture alone.
"""

from pathlib import Path

import keras_mmfusion as mmf

FRAMES = 300
WEIGHTS = Path(__file__).parent.parent
PAPER = {
    "title": "United we stand, Divided we fall: Handling Weak Complementary "
    "Relationships for Audio-Visual Emotion Recognition in Valence-Arousal "
    "Space",
    "arxiv": "2503.12261",
}
DATA = {
    "name": "Aff-Wild2",
    "licence": "on request from its authors, for research only",
}

NOTES = (
    "No recipe is written yet. Official weights, if you have them, load with "
    "keras_mmfusion.convert.load_official; fit() trains on windows of 300 "
    "frames."
)


def features() -> mmf.models.GRJCA:
    """Video features (T, 512) and audio features (T, 128)."""
    return mmf.models.GRJCA(
        {
            "video": mmf.encoders.TCNEncoder(
                512, [512, 512, 256, 256], steps=FRAMES, name="video"
            ),
            "audio": mmf.encoders.TCNEncoder(
                128, [128] * 4, steps=FRAMES, name="audio"
            ),
        },
        temporal_mixing="dense",
        modalities=["video", "audio"],
    )


def whole() -> mmf.models.GRJCA:
    """Face crops (T, 40, 40, 3) and log-mel patches (T, 96, 64)."""
    encoders = mmf.encoders
    faces = encoders.IRResNetEncoder(steps=FRAMES, name="video_faces")
    patches = encoders.VGGishEncoder(steps=FRAMES, name="audio_patches")
    behind = {
        "video": encoders.TCNEncoder(
            512, [512, 512, 256, 256], steps=FRAMES, name="video_motion"
        ),
        "audio": encoders.TCNEncoder(
            128, [128] * 4, steps=FRAMES, name="audio_motion"
        ),
    }
    return mmf.models.GRJCA(
        {
            m: encoders.ChainedEncoder([frames, behind[m]], name=m)
            for m, frames in (("video", faces), ("audio", patches))
        },
        temporal_mixing="dense",
        modalities=["video", "audio"],
    )


def main() -> None:
    """Writes the preset folders."""
    whole().save_to_preset(
        WEIGHTS / "grjca_affwild2",
        {
            "name": "affwild2",
            "description": "GRJCA for valence or arousal from face crops "
            "(300, 40, 40, 3) through IR-ResNet-50 and log-mel patches (300, "
            "96, 64) through VGGish.",
            "paper": PAPER,
            "data": DATA,
            "notes": NOTES,
            "trained": False,
        },
    )
    features().save_to_preset(
        WEIGHTS / "grjca_affwild2_features",
        {
            "name": "affwild2_features",
            "description": "GRJCA for valence or arousal from face features "
            "(300, 512) and VGGish features (300, 128) of every frame.",
            "paper": PAPER,
            "data": DATA,
            "notes": NOTES,
            "trained": False,
        },
    )


if __name__ == "__main__":
    main()
