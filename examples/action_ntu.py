"""Actions from video and skeletons: MSAF on NTU RGB+D.

    python examples/action_ntu.py --data FOLDER
    python examples/action_ntu.py

NTU RGB+D (Shahroudy et al. 2016) is given to researchers by the ROSE Lab of
Nanyang Technological University on request. FOLDER holds, as downloaded,
`nturgb+d_skeletons/S001C001P001R001A001.skeleton` and
`nturgb+d_rgb/S001C001P001R001A001_rgb.avi`. The published network of 14
million parameters is trained on it, which wants a GPU.

Without FOLDER, clips are simulated in the same layout and a small network of
the same build is trained; its score says that the code runs, no more.
"""

import argparse
import tempfile
from pathlib import Path

import keras
import numpy as np

import keras_mmfusion as mmf
from keras_mmfusion.data.clips import (
    AugmentClips,
    CenterSkeletons,
    CropTime,
    InTurn,
    NormalizeClip,
)
from keras_mmfusion.data.formats import write_file
from keras_mmfusion.data.simulated_clips import simulated_actions
from keras_mmfusion.metrics import report
from keras_mmfusion.plotting import plot_block_attention

SPINE = 1  # joint that is made the origin


def small_network() -> mmf.models.MSAF:
    """The published build on small frames, with fewer and thinner layers."""
    return mmf.models.MSAF(
        {
            "video": mmf.encoders.I3DEncoder(
                size=16, width=1 / 16, momentum=0.9, name="video"
            ),
            "skeleton": mmf.encoders.HCNEncoder(
                steps=8, features=32, name="skeleton"
            ),
        },
        [
            {
                "after": {"video": "mixed_5b", "skeleton": "conv5"},
                "block_channels": 16,
                "attention_floor": 0.5,
            }
        ],
        num_classes=4,
        combine="none",
    )


def prepared(split: mmf.data.Split, model: mmf.models.MSAF) -> mmf.data.Split:
    """Frames normalised, skeletons relative to the first person's spine."""
    size = model.sample_shapes["video"][1]
    return mmf.data.mapped(
        split,
        video=(NormalizeClip(size), (None, size, size, 3)),
        skeleton=(CenterSkeletons(SPINE), model.sample_shapes["skeleton"]),
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--data", type=Path)
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--rate", type=float, default=3e-3)
    parser.add_argument("--out", type=Path, default=Path("out/ntu"))
    a = parser.parse_args()
    a.out.mkdir(parents=True, exist_ok=True)
    keras.utils.set_random_seed(0)

    with tempfile.TemporaryDirectory() as folder:
        if a.data is None:
            print("Simulated clips: the scores below say nothing of NTU RGB+D.")
            clips = simulated_actions((1, 2, 3, 4, 5, 6, 8), frames=8, size=16)
            path = Path(folder) / "simulated"
            write_file(clips, path, "ntu_rgbd")
            dataset = mmf.data.load(path, frames=8, size=16)
            model = small_network()
            # JAX compiles I3D for long, so it trains but once here.
            first = ["skeleton"]
        else:
            dataset = mmf.data.load(a.data)
            model = mmf.models.MSAF.from_preset(
                "ntu", load_weights=False, combine="none"
            )
            first = model.modalities
        train_and_show(model, dataset, first, a.epochs, a.rate, a.out)


def train_and_show(
    model: mmf.models.MSAF,
    dataset: mmf.data.MultimodalDataset,
    first: list[str],
    epochs: int,
    rate: float,
    out: Path,
) -> None:
    print(dataset.describe())
    train, test = prepared(dataset.train, model), prepared(dataset.test, model)
    transform = InTurn([CropTime(["video", "skeleton"]), AugmentClips("video")])
    batches = train.batches(4, shuffle=True, buckets=1, transform=transform)

    # Modalities alone, then all together, each with a loss of its own.
    for modality in first:
        part = mmf.models.unimodal(model, modality)
        part.optimizer.learning_rate = rate
        print(f"{modality} alone")
        part.fit(batches, epochs=epochs, verbose=2)
    model.compile(optimizer=keras.optimizers.Adam(rate / 3))
    print("fused")
    model.fit(batches, epochs=epochs, verbose=2)

    scores = sum(model.predict(test.batches(4, buckets=1), verbose=0).values())
    print(report(test.labels, np.asarray(scores)))
    x, y = test.subset(range(0, len(test), 1 + len(test) // 50)).arrays()
    attention = model.explain(x)["fusion1"]
    plot_block_attention(attention, y).savefig(out / "attention.png")
    print(f"Figure: {(out / 'attention.png').resolve()}")


if __name__ == "__main__":
    main()
