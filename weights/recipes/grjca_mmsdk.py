"""GRJCA and all it must beat in regression, on ICT-MMMO and POM.

    python weights/recipes/grjca_mmsdk.py --data cmu_mmsdk_sequences

Reads `ict_mmmo.npz` (sentiment, 1 to 5) and `pom.npz` (17 traits, 1 to 7) of
the MFN release: audio and video at 20 word-aligned steps. Both are small with
a weak signal, so no preset comes of them; the report and the table are what
is written. Nothing was tuned; the epoch is chosen by the validation loss.

Five seeds, test split opened once, KERAS_BACKEND=torch:

    ict_mmmo        concordance [95 % interval]     mae
    grjca           0.420 ± 0.022 [0.226, 0.581]    0.556 ± 0.019
    hierarchical    0.379 ± 0.075 [0.194, 0.542]    0.582 ± 0.038
    rjca            0.353 ± 0.097 [0.166, 0.518]    0.585 ± 0.053
    jca             0.389 ± 0.048 [0.192, 0.558]    0.581 ± 0.037
    concat          0.388 ± 0.094 [0.195, 0.557]    0.577 ± 0.055
    audio           0.373 ± 0.077 [0.172, 0.540]    0.589 ± 0.069
    video           0.105 ± 0.053 [-0.028, 0.231]   0.777 ± 0.113
    late fusion     0.286 ± 0.080 [0.125, 0.426]    0.642 ± 0.097

    pom             concordance [95 % interval]     mae
    grjca           0.134 ± 0.019 [0.085, 0.181]    0.533 ± 0.025
    hierarchical    0.149 ± 0.008 [0.102, 0.196]    0.515 ± 0.030
    rjca            0.162 ± 0.015 [0.112, 0.209]    0.510 ± 0.016
    jca             0.129 ± 0.012 [0.079, 0.177]    0.536 ± 0.038
    concat          0.154 ± 0.017 [0.107, 0.200]    0.463 ± 0.015
    audio           0.130 ± 0.021 [0.087, 0.174]    0.483 ± 0.027
    video           0.108 ± 0.022 [0.049, 0.168]    0.440 ± 0.017
    late fusion     0.161 ± 0.027 [0.112, 0.209]    0.397 ± 0.011

Labels are scaled to -1..1, and mae is in that scale. Paired differences with
95 % intervals: GRJCA beats RJCA on ICT-MMMO, +0.066 [0.006, 0.129], and is
beaten by it on POM, -0.028 [-0.042, -0.014]. Under corruption nothing was found
on ICT-MMMO; on POM the area under the curve is smaller with gates in 3 of 8
cases and larger in none, and once gates lose less of the clean score.
"""

import argparse
from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np

import keras_mmfusion as mmf
from keras_mmfusion.data import ModalityDropout, Split, Standardizer
from keras_mmfusion.evaluation import (
    Result,
    add_late_fusion,
    add_robustness,
    attention_ladder,
    comparison_in_words,
    corruption_in_words,
    run,
)
from keras_mmfusion.evaluation.combined_metrics import MeanOfColumns
from keras_mmfusion.evaluation.training import Build
from keras_mmfusion.metrics import concordance_lin

# File to the middle of the scale of its labels and half its width.
SCALES = {"ict_mmmo": (3, 2), "pom": (4, 3)}
MODALITIES = ("audio", "video")
LIMIT = 5.0  # deviations; a few features are far off
CHANNELS = [32]
MODEL = {
    "per_step": False,
    "dropout": 0.0,
    "temporal_mixing": "conv",
    "kernel_size": 3,
    "hidden_units": 32,
}
BATCH, EPOCHS = 50, 12
LATE = "late fusion"
COMPARED = ("grjca", "rjca")
SEVERITIES = {
    "missing modality": (1.0,),
    "noise": (1.0, 2.0),
    "swapped partner": (1.0,),
}


def read(folder: Path, name: str) -> mmf.data.MultimodalDataset:
    """One file: labels in -1..1, features standardised by the train split."""
    middle, half = SCALES[name]
    with np.load(folder / f"{name}.npz") as file:
        raw = {
            part: Split(
                aligned({m: file[f"{m}_{part}"] for m in MODALITIES}),
                (file[f"y_{part}"] - middle) / half,
                ids=[f"{part} {i}" for i in range(len(file[f"y_{part}"]))],
            )
            for part in ("train", "valid", "test")
        }
    scale = Standardizer(raw["train"])
    splits = {part: clipped(scale.transform(s)) for part, s in raw.items()}
    return mmf.data.MultimodalDataset(
        **splits,
        name=name,
        task="regression",
        origin="github.com/pliang279/MFN, features by CMU MultiComp",
        licence="research use",
    )


def aligned(x: dict[str, Any]) -> dict[str, Any]:
    """Sequences that begin at step 0: POM has its zeros in front.

    All modalities of a sample are moved together, and stay word-aligned.
    """
    any_data = np.any([v.any(axis=-1) for v in x.values()], axis=0)
    first = any_data.argmax(axis=1)
    steps = np.arange(any_data.shape[1])
    place = np.minimum(steps + first[:, None], steps[-1])
    real = (steps + first[:, None] <= steps[-1])[..., None]
    sample = np.arange(len(first))[:, None]
    return {m: np.where(real, v[sample, place], 0) for m, v in x.items()}


def clipped(split: Split) -> Split:
    x, y = split.arrays()
    x = {m: np.clip(v, -LIMIT, LIMIT) for m, v in x.items()}
    return Split(x, y, ids=split.ids)


def encoders(seed: int, shapes: dict[str, Any]) -> dict[str, Any]:
    return {
        m: mmf.encoders.TemporalConvEncoder(
            shapes[m][-1],
            CHANNELS,
            3,
            dropout=0.4,
            pooling=None,
            name=m,
            seed=seed,
        )
        for m in MODALITIES
    }


def compiled(model: Any, targets: int) -> Any:
    # Moments over the batch: there is one label per sample.
    loss = mmf.losses.ConcordanceLoss("batch", outputs=targets)
    optimizer = keras.optimizers.AdamW(
        1e-3, weight_decay=1e-2, global_clipnorm=1.0
    )
    model.compile(optimizer, loss)
    return model


def builds(
    dataset: mmf.data.MultimodalDataset,
) -> dict[str, Build]:
    targets = dataset.train.labels[0].size
    return attention_ladder(
        partial(encoders, shapes=dataset.shapes),
        partial(compiled, targets=targets),
        num_targets=targets,
        **MODEL,
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--data", required=True, help="folder of both files")
    parser.add_argument("--work", default="out/grjca_mmsdk")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    a = parser.parse_args()
    for name in SCALES:
        dataset = read(Path(a.data), name)
        evaluated(dataset, Path(a.work) / name, a.seeds, a.epochs)


def evaluated(
    dataset: mmf.data.MultimodalDataset, work: Path, seeds: int, epochs: int
) -> Result:
    """The sealed run of one file; writes `report.html` and `table.md`."""
    networks = builds(dataset)
    result = run(
        networks,
        dataset,
        work,
        seeds=seeds,
        metric="concordance",
        fit={
            "epochs": epochs,
            "batch_size": BATCH,
            "buckets": 1,
            "transform": ModalityDropout(0.1),
        },
    )
    if LATE not in result.models:
        add_late_fusion(result, list(MODALITIES), LATE)
    score = concordance_lin
    if dataset.train.labels.ndim == 2:
        score = MeanOfColumns(score, dataset.train.labels.shape[1])
    curves = add_robustness(
        result,
        networks,
        work,
        COMPARED,
        dataset.test,
        SEVERITIES,
        metric=score,
        repeats=1,
    )
    said = [table(result), comparison_in_words(result)]
    said.append(corruption_in_words(curves, "grjca", "rjca", "max"))
    (work / "table.md").write_text("\n\n".join(said) + "\n")
    print(*said, sep="\n\n")
    return result


def table(result: Result) -> str:
    rows = [
        f"| {name} | {model.scores['concordance']} | {model.scores['mae']} |"
        for name, model in result.models.items()
    ]
    head = [f"| {result.name} | concordance | mae |", "| --- | --- | --- |"]
    return "\n".join(head + rows)


if __name__ == "__main__":
    main()
