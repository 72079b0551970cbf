"""Emotion from face clips and speech: MSAF on RAVDESS.

    python examples/emotion_ravdess.py --data FOLDER
    python examples/emotion_ravdess.py

RAVDESS (Livingstone and Russo 2018, CC BY-NC-SA 4.0) is record 1188976 of
Zenodo. FOLDER is what MSAF's preprocessing makes of it: face crops in
`Actor_01/01-01-03-01-01-01-01.mp4/frames/0.jpg` ... and MFCC in
`Actor_01/01-01-03-01-01-01-01.mp4/audios/featuresMFCC.npy`. The published
network of 26 million parameters is trained on it, which wants a GPU.

Without FOLDER, clips are simulated in the same layout and a small network of
the same build is trained; its score says that the code runs, no more.
"""

import argparse
import tempfile
from pathlib import Path

import keras

import keras_mmfusion as mmf
from keras_mmfusion.data.clips import AugmentClips, FixedSteps, NormalizeClip
from keras_mmfusion.data.formats import write_file
from keras_mmfusion.data.simulated_clips import simulated_emotions
from keras_mmfusion.metrics import confusion_matrix, report
from keras_mmfusion.plotting import plot_block_attention, plot_confusion


def load(folder: Path) -> mmf.data.MultimodalDataset:
    """The first fold: a sixth of the actors tested, a sixth for validation."""
    actors = sorted(p.name[-2:] for p in folder.rglob("Actor_*"))
    sixth = len(actors) // 6
    folds = {
        "test": actors[:sixth],
        "valid": actors[sixth : 2 * sixth],
        "train": actors[2 * sixth :],
    }
    return mmf.data.load(folder, folds=folds)


def small_network() -> mmf.models.MSAF:
    """The published build on small frames, with fewer and thinner layers."""
    video = mmf.encoders.ResNeXt3DEncoder(
        size=24,
        blocks=[1, 1],
        widths=[8, 16],
        groups=2,
        stem_width=8,
        name="video",
    )
    audio = mmf.encoders.MFCCEncoder(
        steps=60, channels=[16, 16, 16], name="audio"
    )
    fusion = {
        "after": {"video": "stage1", "audio": "conv2"},
        "block_channels": 8,
        "block_dropout": 0.2,
    }
    return mmf.models.MSAF(
        {"video": video, "audio": audio},
        [fusion],
        num_classes=8,
        combine="sum",
    )


def prepared(split: mmf.data.Split, model: mmf.models.MSAF) -> mmf.data.Split:
    """Frames normalised, sound at the length that the network takes."""
    steps, features = model.sample_shapes["audio"]
    size = model.sample_shapes["video"][1]
    return mmf.data.mapped(
        split,
        audio=(FixedSteps(steps), (steps, features)),
        video=(NormalizeClip(size), (None, size, size, 3)),
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--data", type=Path)
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--out", type=Path, default=Path("out/ravdess"))
    a = parser.parse_args()
    a.out.mkdir(parents=True, exist_ok=True)
    keras.utils.set_random_seed(0)

    with tempfile.TemporaryDirectory() as folder:
        if a.data is None:
            print("Simulated clips: the scores below say nothing of RAVDESS.")
            a.data = Path(folder) / "simulated"
            clips = simulated_emotions(actors=12, frames=4, size=24)
            write_file(clips, a.data, "msaf_ravdess")
            model = small_network()
        else:
            model = mmf.models.MSAF.from_preset("ravdess", load_weights=False)
        train_and_show(model, load(a.data), a.epochs, a.out)


def train_and_show(
    model: mmf.models.MSAF,
    dataset: mmf.data.MultimodalDataset,
    epochs: int,
    out: Path,
) -> None:
    print(dataset.describe())
    train, valid, test = (
        prepared(split, model) for split in dataset.splits.values()
    )
    model.compile(optimizer=keras.optimizers.Adam(1e-3))
    best = out / "best.weights.h5"
    augment = AugmentClips("video", flip=True)
    model.fit(
        train.batches(4, shuffle=True, buckets=1, transform=augment),
        validation_data=valid.batches(4, buckets=1),
        epochs=epochs,
        callbacks=[
            keras.callbacks.ModelCheckpoint(
                best,
                monitor="val_accuracy",
                save_best_only=True,
                save_weights_only=True,
            )
        ],
        verbose=2,
    )
    model.load_weights(best)

    scores = model.predict(test.batches(4, buckets=1), verbose=0)
    print(report(test.labels, scores, groups=test.groups["speaker"]))
    names = dataset.class_names
    counts = confusion_matrix(test.labels, scores)
    plot_confusion(counts, names).savefig(out / "confusion.png")
    x, y = test.subset(range(0, len(test), 1 + len(test) // 50)).arrays()
    attention = model.explain(x)["fusion1"]
    plot_block_attention(attention, y, names).savefig(out / "attention.png")
    print(f"Figures: {out.resolve()}")


if __name__ == "__main__":
    main()
