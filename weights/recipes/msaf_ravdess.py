"""Trains MSAF's emotion network on RAVDESS, its floors, and writes its card.

    python weights/recipes/msaf_ravdess.py --data FOLDER

FOLDER is what MSAF's preprocessing of RAVDESS (CC BY-NC-SA 4.0) writes:
`Actor_xx/<name>.mp4/frames/*.jpg`, 30 face crops of 224 x 224, and
`Actor_xx/<name>.mp4/audios/featuresMFCC.npy`, 13 coefficients.

Six folds of four consecutive actors are held out in turn. Video and audio
network are trained alone first; the fused network starts from these. Batches
of 4, Adam with 1e-3, 70 epochs, as published; nothing has been tuned here.

    --protocol            official                corrected (default)
    epochs chosen on      the held-out fold       the four actors before it
    augmentation          anew for every frame    one draw for a clip
    reported              best epoch on test      chosen epoch, test read once

The official numbers are the former; use it only to compare with them.
"""

import argparse
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np

import keras_mmfusion as mmf
from keras_mmfusion.data import MultimodalDataset, Split
from keras_mmfusion.data.clips import AugmentClips, FixedSteps, NormalizeClip
from keras_mmfusion.evaluation import (
    Result,
    preset_metadata,
    run,
    trained_model,
)

PROTOCOLS = ("official", "corrected")
FOLDS = 6
BATCH = 4
RATE = 1e-3
Network = Callable[[], mmf.models.MSAF]


def published() -> mmf.models.MSAF:
    return mmf.models.MSAF.from_preset("ravdess", load_weights=False)


# === Models ===


def compiled(model: Any) -> Any:
    model.compile(
        keras.optimizers.Adam(RATE),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    return model


def alone(seed: int, network: Network, modality: str) -> Any:
    return compiled(mmf.models.unimodal(network(), modality))


def fused(
    seed: int, network: Network, parts: Path, attention: bool = True
) -> Any:
    """The whole network, begun with the parts trained with the same seed.

    Without split attention only the logits are added.
    """
    model = network()
    if not attention:
        config = {**model.get_config(), "fusions": []}
        model = mmf.models.MSAF.from_config(config)
    for m in model.modalities:
        build = partial(alone, network=network, modality=m)
        part = trained_model(build, parts, m, seed)
        mmf.models.copy_layers(part, model)
    return compiled(model)


# === Data ===


def prepared(split: Split, network: mmf.models.MSAF) -> Split:
    """Frames normalised, sound at the fixed length of the network."""
    steps, features = network.encoders["audio"].sample_shape
    size = network.encoders["video"].sample_shape[1]

    return mmf.data.mapped(
        split,
        audio=(FixedSteps(steps), (steps, features)),
        video=(NormalizeClip(size), (None, size, size, 3)),
    )


def held_out(everything: Split, fold: int, protocol: str) -> MultimodalDataset:
    """One of six folds of consecutive actors as test split."""
    actors = np.unique(everything.groups["speaker"])
    if len(actors) < FOLDS:
        raise ValueError(
            f"Expected at least {FOLDS} actors, one per fold. "
            f"Received: {len(actors)}"
        )
    folds = np.array_split(actors, FOLDS)
    test = folds[fold - 1]
    valid = test if protocol == "official" else folds[fold - 2]
    parts = {"valid": valid, "test": test}
    rest = np.setdiff1d(actors, np.concatenate([valid, test]))
    chosen = {
        name: everything.subset(
            np.flatnonzero(np.isin(everything.groups["speaker"], members))
        )
        for name, members in {"train": rest, **parts}.items()
    }
    return MultimodalDataset(
        chosen["train"],
        chosen["valid"],
        chosen["test"],
        f"RAVDESS, fold {fold} of {FOLDS}, {protocol} protocol",
        "classification",
    )


# === Training ===


def train(
    everything: Split,
    out: Path,
    work: Path,
    network: Network = published,
    protocol: str = "corrected",
    folds: Sequence[int] = (1, 2, 3, 4, 5, 6),
    seeds: int = 5,
    epochs: int = 70,
) -> list[Result]:
    """Results of the fused network and the sum, one per fold."""
    split = prepared(everything, network())
    results = [
        train_fold(
            held_out(split, fold, protocol),
            work / protocol / f"fold{fold}",
            network,
            protocol,
            seeds,
            epochs,
        )
        for fold in folds
    ]
    scores = [r.models["msaf"].scores["accuracy"].mean for r in results]
    print(f"MSAF, accuracy of folds {list(folds)}: {np.round(scores, 4)}")
    print(f"mean {np.mean(scores):.4f}")
    save(results[0], scores, out, work / protocol / f"fold{folds[0]}", network)
    return results


def train_fold(
    dataset: MultimodalDataset,
    work: Path,
    network: Network,
    protocol: str,
    seeds: int,
    epochs: int,
) -> Result:
    settings: dict[str, Any] = {
        "seeds": seeds,
        "select": "val_accuracy",
        "fit": {
            "epochs": epochs,
            "batch_size": BATCH,
            "buckets": 1,
            "transform": AugmentClips(
                "video", flip=True, per_frame=protocol == "official"
            ),
        },
        "groups": "speaker",
    }
    parts = work / "alone"
    run(
        {
            m: partial(alone, network=network, modality=m)
            for m in network().modalities
        },
        dataset,
        parts,
        **settings,
    )
    build = partial(fused, network=network, parts=parts)
    return run(
        {"msaf": build, "sum": partial(build, attention=False)},
        dataset,
        work / "fused",
        **settings,
    )


def save(
    result: Result,
    scores: Sequence[float],
    out: Path,
    work: Path,
    network: Network,
) -> None:
    build = partial(fused, network=network, parts=work / "alone")
    model = trained_model(build, work / "fused", "msaf")
    metadata = preset_metadata(
        result,
        name="ravdess",
        description=(
            "MSAF for eight emotions from 30 face crops (blue, green, red, "
            "normalised like ImageNet) and 13 MFCC. "
            f"{result.name}; accuracy of {len(scores)} folds "
            f"{np.mean(scores):.4f} on average."
        ),
        paper="MSAF: Multimodal Split Attention Fusion, arXiv 2012.07175",
        recipe="python weights/recipes/msaf_ravdess.py --data FOLDER",
    )
    (out / "README.md").unlink(missing_ok=True)  # The card is made anew.
    model.save_to_preset(out, metadata)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--data", required=True, help="the folder of actors")
    parser.add_argument("--out", default="weights/msaf_ravdess")
    parser.add_argument("--work", default="out/msaf_ravdess")
    parser.add_argument("--protocol", default="corrected", choices=PROTOCOLS)
    parser.add_argument(
        "--folds", type=int, nargs="+", default=[1, 2, 3, 4, 5, 6]
    )
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=70)
    a = parser.parse_args()
    everything = mmf.data.load(a.data, format="msaf_ravdess").train
    train(
        everything,
        Path(a.out),
        Path(a.work),
        protocol=a.protocol,
        folds=a.folds,
        seeds=a.seeds,
        epochs=a.epochs,
    )


if __name__ == "__main__":
    main()
