"""Trains the preset `grjca_av_digits`, all it must beat, and its card.

    python weights/recipes/grjca_av_digits.py --data av_digits.npz

The data is the full AV-digits file, in its degraded variant. What was tried
on the 900 validation pairs before the test split was opened: one run each,
seed 0, 8 epochs; accuracy and loss after the last. Attention is dropped with
0.3, a modality is missing with probability 0.1.

    dropout of the encoders                 GRJCA          concatenation
    0.2                                     0.861  0.467   0.892  0.332
    0.2, no dropout of attention            0.879  0.392
    0.4                                     0.894  0.342   0.901  0.294
    audio alone, image alone, 0.2           0.703  1.075   0.698  0.773

Chosen: 0.4, no dropout of attention, and for time 5 epochs, of which the best
is kept; that combination itself was not tried before. All networks are
trained alike, and nothing else was tuned.
"""

import argparse
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import keras
from training import adamw

import keras_mmfusion as mmf
from keras_mmfusion.data.av_digits import from_full
from keras_mmfusion.evaluation import (
    Result,
    add_late_fusion,
    add_robustness,
    attention_ladder,
    comparison_in_words,
    corruption_in_words,
    preset_metadata,
    run,
    trained_model,
)

CLASSES = 10
CHANNELS, STRIDES = [64, 64, 32], [2, 2, 1]
IMAGE_UNITS = [64, 32]
ENCODER_DROPOUT = 0.4
MODEL = {
    "num_classes": CLASSES,
    "per_step": False,
    "dropout": 0.0,
    "temporal_mixing": "conv",
    "kernel_size": 3,
    "hidden_units": 64,
    "resample": "audio",
}
MODALITY_DROPOUT = 0.1
BATCH, EPOCHS, MAX_FRAMES = 64, 5, 96
LATE = "late fusion"
# Robustness is measured of these.
COMPARED = ("grjca", "hierarchical", "rjca", "concat")
SEVERITIES = {
    "missing modality": (1.0,),
    "noise": (1.0, 2.0),
    "swapped partner": (1.0,),
}


def encoders(seed: int) -> dict[str, Any]:
    return {
        "audio": mmf.encoders.TemporalConvEncoder(
            40,
            CHANNELS,
            kernel_size=5,
            strides=STRIDES,
            dropout=ENCODER_DROPOUT,
            pooling=None,
            name="audio",
            seed=seed,
        ),
        "image": mmf.encoders.DenseEncoder(4, IMAGE_UNITS, name="image"),
    }


def compiled(model: Any, steps: int) -> Any:
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(adamw(steps, weight_decay=1e-2), loss, metrics=["accuracy"])
    return model


def builds(steps: int) -> dict[str, Callable[[int], Any]]:
    return attention_ladder(encoders, partial(compiled, steps=steps), **MODEL)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--data", required=True, help="the full av_digits.npz")
    parser.add_argument("--out", default="weights/grjca_av_digits")
    parser.add_argument("--work", default="out/grjca_av_digits")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    a = parser.parse_args()
    train(from_full(a.data), Path(a.out), Path(a.work), a.seeds, a.epochs)


def train(
    digits: mmf.data.MultimodalDataset,
    out: Path,
    work: Path,
    seeds: int,
    epochs: int,
) -> Result:
    networks = builds(epochs * -(-len(digits.train) // BATCH))
    result = run(
        networks,
        digits,
        work,
        seeds=seeds,
        fit={
            "epochs": epochs,
            "batch_size": BATCH,
            "buckets": 1,
            "max_length": MAX_FRAMES,
            "transform": mmf.data.ModalityDropout(MODALITY_DROPOUT),
        },
        groups="recording",
        name="grjca_av_digits",
    )
    if LATE not in result.models:
        add_late_fusion(result, ["audio", "image"], LATE)
    curves = add_robustness(
        result,
        networks,
        work,
        COMPARED,
        # There are many curves.
        digits.test.subset(range(0, len(digits.test), 5)),
        SEVERITIES,
        repeats=1,
        max_length=MAX_FRAMES,
    )
    print(result)
    metadata = preset_metadata(
        result,
        name="av_digits",
        description=DESCRIPTION + comparison_in_words(result),
        paper=PAPER,
        recipe="python weights/recipes/grjca_av_digits.py --data av_digits.npz",
    )
    metadata["notes"] += NOTES + "".join(
        f"\n- {corruption_in_words(curves, first, second)}"
        for first, second in (("grjca", "rjca"), ("hierarchical", "rjca"))
    )
    model = trained_model(networks["grjca"], work)
    (out / "README.md").unlink(missing_ok=True)  # The card is made anew.
    model.save_to_preset(out, metadata)
    return result


PAPER = (
    "United we stand, Divided we fall: Handling Weak Complementary "
    "Relationships for Audio-Visual Emotion Recognition in Valence-Arousal "
    "Space, arXiv 2503.12261"
)
DESCRIPTION = (
    "Gated recursive joint cross-attention on spoken and handwritten digits, "
    "both degraded: audio with noise, images cut to four components. The image "
    "is one vector, held over the steps of the audio. "
)
NOTES = (
    "\n- Audio is cut at 0.96 s (96 frames). In training, a modality was "
    f"missing with probability {MODALITY_DROPOUT}."
    "\n- Robustness is of every fifth test pair."
)


if __name__ == "__main__":
    main()
