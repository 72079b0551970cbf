"""Trains the preset `msaf_mosei` under two protocols; or writes it untrained.

    python weights/recipes/msaf_mosei.py --data FOLDER
    python weights/recipes/msaf_mosei.py

FOLDER is what MSAF's preprocessing of CMU-MOSEI writes:
`{train,val,test}/{visual,audio,bert,label}50.npy`. The features come from
CMU-MultimodalSDK (FACET, COVAREP, and the words, encoded by BERT), under its
authors' terms. Any file that `data.load` reads with text, audio and video of
these widths will do. Without FOLDER the architecture alone is written.

Batches of 16, Adam with 1e-3, mean squared error, 10 epochs, as published;
nothing has been tuned here. Both protocols stand side by side in the end:

                          official              corrected
    epoch chosen on       the test split        the validation split
    seeds                 1234                  five or more
    block dropout         scales twice          scales once
    test split            read every epoch      read once, when all is chosen

The official number is to compare with published ones only: the best of ten
looks at the test split is better than the network is. The preset is the
corrected one. In both, padding is masked, which the official code does not.
"""

import argparse
from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np

import keras_mmfusion as mmf
from keras_mmfusion.data import MultimodalDataset, Split
from keras_mmfusion.evaluation import (
    Result,
    preset_metadata,
    run,
    trained_model,
)

PRESET = Path(__file__).parent.parent / "msaf_mosei"
# Modality to width of the features and of the LSTMs, in the official order.
NETWORKS = {"visual": (35, 32), "audio": (74, 64), "text": (768, 128)}
FUSION = {
    "after": dict.fromkeys(NETWORKS, "lstm1"),
    "block_channels": 16,
    "reduction_factor": 2,
    "segments": 5,
    "block_dropout": 0.2,
}
BATCH, RATE, EPOCHS, OFFICIAL_SEED = 16, 1e-3, 10, 1234
# The official code scores with these; MAE and correlation are in its paper.
PROTOCOL = {
    **mmf.metrics.PROTOCOLS["msaf"].metrics,
    "mae": mmf.metrics.mae,
    "corr": mmf.metrics.pearson,
}
CARD = {
    "name": "mosei",
    "description": "MSAF for sentiment from FACET, COVAREP and BERT "
    "sequences of 50 steps.",
    "paper": "MSAF: Multimodal Split Attention Fusion, arXiv 2012.07175",
}


def network(
    seed: int | None = None,
    fused: bool = True,
    official_dropout: bool = False,
) -> mmf.models.MSAF:
    """The published network; without fusion, plain concatenation."""
    extra = {"official_dropout": True} if official_dropout else {}
    model = mmf.models.MSAF(
        {
            m: mmf.encoders.LSTMEncoder(features, units, name=m)
            for m, (features, units) in NETWORKS.items()
        },
        [{**FUSION, **extra}] if fused else [],
        modalities=list(NETWORKS),
        seed=seed,
    )
    model.compile(keras.optimizers.Adam(RATE))
    return model


def official_names(data: MultimodalDataset) -> MultimodalDataset:
    """`video`, as data sets call it, is `visual` in the official network."""
    widths = {
        "visual" if m == "video" else m: shape[-1]
        for m, shape in data.shapes.items()
    }
    expected = {m: width for m, (width, _) in NETWORKS.items()}
    if widths != expected or data.task != "regression":
        raise ValueError(
            f"Expected sentiment for features of widths {expected}. Received: "
            f"{data.task} for {widths} from {data.name}"
        )
    splits = [
        Split(
            {
                "visual" if m == "video" else m: column
                for m, column in split.features.items()
            },
            split.labels,
            split.ids if split.has_ids else None,
            split.groups,
        )
        for split in data.splits.values()
    ]
    return MultimodalDataset(
        *splits,
        name=data.name,
        task=data.task,
        origin=data.origin,
        licence=data.licence,
    )


def official_protocol(
    data: MultimodalDataset, epochs: int = EPOCHS
) -> tuple[int, dict[str, float]]:
    """Epoch that is best on the test split, and its scores there."""
    keras.utils.set_random_seed(OFFICIAL_SEED)
    model = network(OFFICIAL_SEED, official_dropout=True)
    batches = data.train.batches(
        BATCH, shuffle=True, seed=OFFICIAL_SEED, buckets=1
    )
    looks = []
    for _ in range(epochs):
        model.fit(batches, verbose=0)
        p = model.predict(data.test.batches(256, buckets=1), verbose=0)[:, 0]
        looks.append(
            {name: f(data.test.labels, p) for name, f in PROTOCOL.items()}
        )
    best = int(np.argmin([look["mae"] for look in looks]))
    return best + 1, looks[best]


def train(
    data: MultimodalDataset,
    out: Path,
    work: Path,
    seeds: int = 5,
    epochs: int = EPOCHS,
) -> Result:
    """Both protocols; writes the preset of the corrected one."""
    data = official_names(data)
    builds = {"msaf": network, "concat": partial(network, fused=False)}
    result = run(
        builds,
        data,
        work,
        seeds=seeds,
        fit={"epochs": epochs, "batch_size": BATCH, "buckets": 1},
        protocol=PROTOCOL,
        metric="mae",
        groups="video" if "video" in data.valid.groups else None,
        name="msaf_mosei",
    )
    epoch, official = official_protocol(data, epochs)
    print(side_by_side(result, epoch, official))
    metadata: dict[str, Any] = preset_metadata(
        result, **CARD, recipe="python weights/recipes/msaf_mosei.py --data DIR"
    )
    metadata["metrics"]["official protocol, best of all epochs on test"] = {
        "seed": OFFICIAL_SEED,
        "epoch": epoch,
        **{name: round(float(v), 4) for name, v in official.items()},
    }
    # Not where the files lay on this machine.
    metadata["data"]["origin"] = Path(metadata["data"]["origin"]).name
    (out / "README.md").unlink(missing_ok=True)  # The card is made anew.
    trained_model(network, work, "msaf").save_to_preset(out, metadata)
    return result


def side_by_side(result: Result, epoch: int, official: dict[str, float]) -> str:
    """Scores of one network under both protocols, and of concatenation."""
    columns = list(result.models)
    lines = [
        f"Official: epoch {epoch}, chosen on the test split (seed "
        f"{OFFICIAL_SEED}). Corrected: mean of "
        f"{len(result.first.runs)} seeds, epochs chosen on validation.",
        f"{'':10}{'official':>12}"
        + "".join(f"{f'corrected {name}':>20}" for name in columns),
    ]
    for metric, value in official.items():
        means = [result.models[name].scores[metric].mean for name in columns]
        lines.append(
            f"{metric:10}{value:12.4f}" + "".join(f"{m:20.4f}" for m in means)
        )
    return "\n".join(lines)


def write_untrained(out: Path = PRESET) -> None:
    """The architecture alone."""
    network().save_to_preset(
        out,
        {
            **CARD,
            "data": {"name": "CMU-MOSEI", "licence": "see its authors' terms"},
            "recipe": "python weights/recipes/msaf_mosei.py --data FOLDER",
            "notes": "The official state dict loads with "
            "keras_mmfusion.convert.load_official.",
            "trained": False,
        },
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--data", help="folder of MSAF's MOSEI arrays")
    parser.add_argument("--out", type=Path, default=PRESET)
    parser.add_argument("--work", type=Path, default=Path("out/msaf_mosei"))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    arguments = parser.parse_args()
    if arguments.data is None:
        write_untrained(arguments.out)
        return
    train(
        mmf.data.load(arguments.data),
        arguments.out,
        arguments.work,
        arguments.seeds,
        arguments.epochs,
    )


if __name__ == "__main__":
    main()
