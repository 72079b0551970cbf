"""Trains MSAF's action network on NTU RGB+D, its floors, and writes its card.

    python weights/recipes/msaf_ntu.py --data FOLDER

FOLDER holds NTU RGB+D as downloaded (its own academic terms): skeletons
`nturgb+d_skeletons/S001C001P001R001A001.skeleton` and videos
`nturgb+d_rgb/S001C001P001R001A001_rgb.avi`, better copies of 256 x 256, which
decode many times faster.

Cross-subject. Video and skeleton network are trained alone first; the fused
network starts from these and learns a cross-entropy for each modality. Adam
with 1e-4 and weight decay 1e-4, a tenth of it from the sixth epoch on, batches
of 4, 20 epochs, as published; nothing has been tuned here. The clips in which
nobody was tracked are left out.

    --protocol          official                    corrected (default)
    epochs chosen on    test subjects 3, 6, 7, 10   every fifth of the 20
                                                    training subjects
    frames              official sampling repeats some of 24 frames; both
                        protocols here take 32 evenly spaced ones
    optimisation        official: two optimisers take turns, with two forward
                        passes for a batch; here one step on the sum

The official choice of epochs has seen a part of the test split.
"""

import argparse
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np

import keras_mmfusion as mmf
from keras_mmfusion.data import MultimodalDataset
from keras_mmfusion.data.clips import (
    AugmentClips,
    CenterSkeletons,
    CropTime,
    InTurn,
    NormalizeClip,
)
from keras_mmfusion.data.formats.ntu_rgbd import tracked
from keras_mmfusion.evaluation import (
    Result,
    preset_metadata,
    run,
    trained_model,
)

PROTOCOLS = ("official", "corrected")
OFFICIAL_DEV = (3, 6, 7, 10)
SPINE = 1  # joint that is made the origin
BATCH = 4
RATE = 1e-4
Network = Callable[[], mmf.models.MSAF]


def published() -> mmf.models.MSAF:
    return mmf.models.MSAF.from_preset(
        "ntu", load_weights=False, combine="none"
    )


# === Models ===


def compiled(model: Any, steps: int, rate: float) -> Any:
    """With the published schedule; `steps` is that of five epochs."""
    schedule = keras.optimizers.schedules.PiecewiseConstantDecay(
        [steps], [rate, rate / 10]
    )
    model.compile(optimizer=keras.optimizers.Adam(schedule, weight_decay=1e-4))
    return model


def alone(seed: int, network: Network, rate: float, modality: str) -> Any:
    part = mmf.models.unimodal(network(), modality)
    part.optimizer.learning_rate = rate
    return part


def fused(
    seed: int,
    network: Network,
    rate: float,
    parts: Path,
    steps: int,
    attention: bool = True,
) -> Any:
    """The whole network, begun with the parts trained with the same seed.

    Without split attention only the logits are added.
    """
    model = network()
    if not attention:
        config = {**model.get_config(), "fusions": []}
        model = mmf.models.MSAF.from_config(config)
    for m in model.modalities:
        build = partial(alone, network=network, rate=rate, modality=m)
        part = trained_model(build, parts, m, seed)
        mmf.models.copy_layers(part, model)
    return compiled(model, steps, rate)


# === Data ===


def prepared(
    dataset: MultimodalDataset, network: mmf.models.MSAF, protocol: str
) -> MultimodalDataset:
    """Frames normalised, skeletons centered, and a validation split."""
    size = network.sample_shapes["video"][1]
    skeleton = network.sample_shapes["skeleton"]
    train, test = (
        mmf.data.mapped(
            tracked(split),
            video=(NormalizeClip(size), (None, size, size, 3)),
            skeleton=(CenterSkeletons(SPINE), (None, *skeleton[1:])),
        )
        for split in (dataset.train, dataset.test)
    )
    source, subjects = test, np.asarray(OFFICIAL_DEV)
    if protocol == "corrected":
        source, subjects = train, np.unique(train.groups["subject"])[4::5]
    chosen = np.isin(source.groups["subject"], subjects)
    if not chosen.any():
        raise ValueError(
            "Expected clips of the validation subjects "
            f"{subjects.tolist()}. Received: none."
        )
    valid = source.subset(np.flatnonzero(chosen))
    if protocol == "corrected":
        train = train.subset(np.flatnonzero(~chosen))
    return MultimodalDataset(
        train,
        valid,
        test,
        f"NTU RGB+D cross-subject, {protocol} protocol",
        "classification",
    )


# === Training ===


def train(
    dataset: MultimodalDataset,
    out: Path,
    work: Path,
    network: Network = published,
    protocol: str = "corrected",
    seeds: int = 5,
    epochs: int = 20,
    batch: int = BATCH,
    rate: float = RATE,
) -> Result:
    dataset = prepared(dataset, network(), protocol)
    parts = work / protocol / "alone"
    settings: dict[str, Any] = {
        "seeds": seeds,
        "fit": {
            "epochs": epochs,
            "batch_size": batch,
            "buckets": 1,
            "transform": InTurn(
                [CropTime(["video", "skeleton"], 0.5), AugmentClips("video")]
            ),
        },
        "groups": "subject",
    }
    builds: dict[str, Any] = {
        m: partial(alone, network=network, rate=rate, modality=m)
        for m in network().modalities
    }
    run(builds, dataset, parts, select="val_accuracy", **settings)
    steps = 5 * -(-len(dataset.train) // batch)
    build = partial(fused, network=network, rate=rate, parts=parts, steps=steps)
    result = run(
        {"msaf": build, "sum": partial(build, attention=False)},
        dataset,
        work / protocol / "fused",
        select="val_sum_accuracy",
        output="sum",
        **settings,
    )
    print(result)
    model = trained_model(build, work / protocol / "fused", "msaf")
    metadata = preset_metadata(
        result,
        name="ntu",
        description=(
            "MSAF for actions from 32 frames (blue, green, red, normalised "
            "like ImageNet) and skeletons centered on the spine of the first "
            f"person. {result.name}. The class is that of the highest sum of "
            "the two outputs; combine='sum' returns it."
        ),
        paper="MSAF: Multimodal Split Attention Fusion, arXiv 2012.07175",
        recipe="python weights/recipes/msaf_ntu.py --data FOLDER",
    )
    (out / "README.md").unlink(missing_ok=True)  # The card is made anew.
    model.save_to_preset(out, metadata)
    return result


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--data", required=True, help="the folder of both")
    parser.add_argument("--out", default="weights/msaf_ntu")
    parser.add_argument("--work", default="out/msaf_ntu")
    parser.add_argument("--protocol", default="corrected", choices=PROTOCOLS)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=20)
    a = parser.parse_args()
    train(
        mmf.data.load(a.data, format="ntu_rgbd"),
        Path(a.out),
        Path(a.work),
        protocol=a.protocol,
        seeds=a.seeds,
        epochs=a.epochs,
    )


if __name__ == "__main__":
    main()
