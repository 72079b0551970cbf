"""Trains GRJCA on Aff-Wild2's features, or writes its architecture presets.

    python weights/recipes/grjca_affwild2.py --data FOLDER --folds 0
    python weights/recipes/grjca_affwild2.py

FOLDER holds `.../Train_Set/<video>.txt`, `.../Validation_Set/<video>.txt`
(valence,arousal, -5 where not annotated) and features of every frame,
`features/video/<video>.npy` (frames, 512) of the face network and
`features/audio/<video>.npy` (frames, 128) of VGGish. Fold 0 is the official
split; 1 to 5 exchange the validation videos with a fifth of the training
videos. One network per dimension, windows of 300 frames every 200, batches of
12, Adam with 1e-4, at most 100 epochs, as published; nothing was tuned here.

    --protocol            official                 corrected (default)
    frames without label  dropped, then windows    kept; left out of the loss
    loss                  N - 1 in the variances   Lin
    learning rate         five warm-up epochs      from the start
    order of windows      the same every epoch     shuffled
    epochs chosen on      the validation fold      the last training part
    reported              the best of them there   that epoch, read once

Scores are concordance over all annotated frames of all videos; overlaps are
averaged and nothing is smoothed. Three things differ from the official code
under both protocols: the backbones stay as they were when the features were
taken (there they are released group by group), the padding of videos shorter
than a window is not in the loss, and weights decay apart from the gradient.

Without FOLDER the two presets are written. They hold the architecture alone:
the official code has no licence and its weights are not public.
"""

import argparse
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

import keras_mmfusion as mmf
from keras_mmfusion.data import Split, average_overlaps
from keras_mmfusion.data.formats.affwild2 import consecutive_parts
from keras_mmfusion.evaluation import report_videos
from keras_mmfusion.metrics import Report, concordance_rjcma

FRAMES = 300
HOP = 200
BATCH = 12
RATE = 1e-4
WARM_UP = 5
PROTOCOLS = ("official", "corrected")
TARGETS = ("valence", "arousal")
WEIGHTS = Path(__file__).parent.parent
COMMAND = "python weights/recipes/grjca_affwild2.py --data FOLDER"
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
    "Official weights, if you have them, load with "
    "keras_mmfusion.convert.load_official; fit() trains on windows of 300 "
    "frames."
)
NO_RECIPE = (
    " No recipe is written yet for training the two backbones; "
    "affwild2_features trains what stands behind them."
)


# === Models ===


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


# === Data ===


def three_parts(
    folder: Path, fold: int, protocol: str, window: int, hop: int
) -> dict[str, Split]:
    """Windows to train on, to choose the epoch on, and to report."""
    if protocol not in PROTOCOLS:
        raise ValueError(
            f"`protocol` must be one of {PROTOCOLS}. Received: {protocol!r}"
        )
    official = protocol == "official"
    data = mmf.data.load(
        folder,
        window=window,
        hop=hop,
        fold=fold,
        unannotated="drop" if official else "keep",
    )
    for leak in data.check_leaks():
        print(f"Leak between the splits: {leak}")
    if official:
        return {"train": data.train, "choose": data.valid, "test": data.valid}
    videos = data.train.groups["video"]
    held_out = np.isin(videos, consecutive_parts(sorted({*videos}))[-1])
    return {
        "train": data.train.subset(np.flatnonzero(~held_out)),
        "choose": data.train.subset(np.flatnonzero(held_out)),
        "test": data.valid,
    }


def one_target(split: Split, column: int) -> Split:
    labels = split.labels[..., column : column + 1]
    return Split(split.features, labels, split.ids, split.groups)


# === Training ===


class WarmUp(keras.callbacks.Callback):
    """The published first epochs: each rises from 0, the last to a fifth."""

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate
        self.epoch = 0

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self.epoch = epoch
        if epoch == WARM_UP:
            self.model.optimizer.learning_rate = self.rate

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        if self.epoch < WARM_UP:
            share = batch / self.params["steps"] * (self.epoch + 1)
            rate = self.rate * share / WARM_UP**2
            self.model.optimizer.learning_rate = rate


def train_target(
    model: mmf.models.GRJCA,
    parts: dict[str, Split],
    protocol: str,
    epochs: int,
    rate: float,
    seed: int,
) -> dict[str, list[float]]:
    """Trains a network of one dimension; it ends with its best epoch."""
    official = protocol == "official"
    model.compile(
        keras.optimizers.Adam(rate, weight_decay=1e-3),
        mmf.losses.ConcordanceLoss(estimator="rjcma" if official else "lin"),
        metrics=[mmf.metrics.ConcordanceCorrelation()],
    )
    best = {"monitor": "val_concordance", "mode": "max"}
    callbacks = [
        keras.callbacks.EarlyStopping(
            patience=50, restore_best_weights=True, **best
        ),
        keras.callbacks.ReduceLROnPlateau(factor=0.1, patience=5, **best),
    ]
    history = model.fit(
        parts["train"].batches(BATCH, shuffle=not official, seed=seed),
        validation_data=parts["choose"].batches(BATCH),
        epochs=epochs,
        shuffle=False,
        callbacks=callbacks + [WarmUp(rate)] * official,
        verbose=2,
    )
    return history.history


def train_fold(
    folder: Path,
    work: Path,
    fold: int = 0,
    protocol: str = "corrected",
    seed: int = 3407,
    epochs: int = 100,
    build: Callable[[], mmf.models.GRJCA] = features,
    window: int = FRAMES,
    hop: int = HOP,
    rate: float = RATE,
) -> Report:
    """Concordance on one fold; networks and numbers are left in `work`."""
    parts = three_parts(folder, fold, protocol, window, hop)
    columns, histories = [], {}
    for column, target in enumerate(TARGETS):
        keras.utils.set_random_seed(seed)
        own = {k: one_target(part, column) for k, part in parts.items()}
        model = build()
        histories[target] = train_target(
            model, own, protocol, epochs, rate, seed
        )
        columns.append(model.predict(own["test"].batches(BATCH), verbose=0))
        model.save_to_preset(
            work / target,
            {
                "description": f"GRJCA for {target}, fold {fold}, {protocol} "
                "protocol.",
                "paper": PAPER,
                "data": DATA,
                "seeds": [seed],
                "recipe": f"{COMMAND} --folds {fold} --protocol {protocol}",
            },
        )
    test = parts["test"]
    truth = average_overlaps(test.labels, test.ids)
    predicted = average_overlaps(np.concatenate(columns, -1), test.ids)
    result = report_videos(truth, predicted)
    found = {
        "fold": fold,
        "protocol": protocol,
        "seed": seed,
        "videos": {k: len({*p.groups["video"]}) for k, p in parts.items()},
        "report": result.to_dict(),
        "official_estimator": official_estimator(truth, predicted),
        "history": histories,
    }
    (work / "result.json").write_text(json.dumps(found, indent=1))
    print(f"Fold {fold}, {protocol} protocol, seed {seed}:\n{result}")
    return result


def official_estimator(
    truth: dict[str, Any], predicted: dict[str, Any]
) -> dict[str, float]:
    """The same scores with N - 1 in the variances."""
    y, p = (np.concatenate([v[k] for k in truth]) for v in (truth, predicted))
    kept = y != -5
    return {
        target: float(concordance_rjcma(y[kept[:, k], k], p[kept[:, k], k]))
        for k, target in enumerate(TARGETS)
    }


def train(
    folder: Path,
    work: Path,
    folds: Sequence[int],
    seeds: Sequence[int] = (3407,),
    **settings: Any,
) -> list[Report]:
    """Results of all folds with all seeds, and their mean in print."""
    results = [
        train_fold(
            folder, work / f"fold{fold}_seed{seed}", fold, seed=seed, **settings
        )
        for fold in folds
        for seed in seeds
    ]
    for key in results[0].results["affwild2"]:
        values = [r.results["affwild2"][key].value for r in results]
        spread = f" ± {np.std(values, ddof=1):.3f}" if len(values) > 1 else ""
        print(f"{key}: {np.mean(values):.3f}{spread} over {len(values)} runs")
    return results


def write_architectures() -> None:
    """Writes the preset folders, without weights."""
    whole().save_to_preset(
        WEIGHTS / "grjca_affwild2",
        {
            "name": "affwild2",
            "description": "GRJCA for valence or arousal from face crops "
            "(300, 40, 40, 3) through IR-ResNet-50 and log-mel patches (300, "
            "96, 64) through VGGish.",
            "paper": PAPER,
            "data": DATA,
            "notes": NOTES + NO_RECIPE,
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
            "recipe": COMMAND,
            "notes": NOTES,
            "trained": False,
        },
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--data", type=Path)
    parser.add_argument("--folds", type=int, nargs="+", default=[0])
    parser.add_argument("--protocol", choices=PROTOCOLS, default="corrected")
    parser.add_argument("--seeds", type=int, nargs="+", default=[3407])
    parser.add_argument("--epochs", type=int, default=100)
    parser.add_argument("--work", type=Path, default=Path("out/grjca_affwild2"))
    arguments = parser.parse_args()
    if arguments.data is None:
        write_architectures()
        return
    train(
        arguments.data,
        arguments.work / arguments.protocol,
        arguments.folds,
        arguments.seeds,
        protocol=arguments.protocol,
        epochs=arguments.epochs,
    )


if __name__ == "__main__":
    main()
