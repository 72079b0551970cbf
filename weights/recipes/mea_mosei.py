"""Trains the preset `mea_mosei`, `mea_mosi` or `mea_iemocap`, with its card.

    python weights/recipes/mea_mosei.py --data mosei_senti_data_noalign.pkl
    python weights/recipes/mea_mosei.py --dataset mosi \
        --data mosi_data_noalign.pkl

--data takes, as they are, the unaligned pickles of MulT (GloVe text, as in
the paper) and of MMSA (BERT text: another task, which the card says); a
pickle that holds more than numbers and names is refused. Network, batch,
epochs, learning rate and loss weights are the paper's (Table I). What the
paper leaves open is as MulT does it: gradients clipped by their norm, the
learning rate divided by ten after 20 epochs without a better validation loss,
the epoch with the lowest validation loss kept. Features are not standardised.

Scores are of MulT's protocol, as in the paper. It counts F1 with labels and
predictions exchanged, so MMSA's protocol, which does not, stands beside it.
"""

import argparse
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import keras

import keras_mmfusion as mmf
from keras_mmfusion.evaluation import (
    Result,
    preset_metadata,
    run,
    trained_model,
)
from keras_mmfusion.evaluation.files import json_object
from keras_mmfusion.evaluation.scoring import choose_metrics

WEIGHTS = Path(__file__).parent.parent
PATIENCE = 20  # Epochs, of the learning rate.
FIRST_SEED = 1111
GLOVE = 300


class Training(NamedTuple):
    """What the paper's Table I says beside the network, and MulT's clipping."""

    batch: int
    epochs: int
    rate: float
    clip: float


TRAINING = {
    "mosi": Training(32, 60, 1e-3, 0.8),
    "mosei": Training(64, 100, 2e-3, 1.0),
    "iemocap": Training(32, 60, 1e-3, 0.8),
}
# Published protocol and the one without its defect, if it has one.
PROTOCOLS = {
    "regression": ("mult", "mmsa", "acc2_non0"),
    "binary heads": ("iemocap", None, None),
}


def build(
    seed: int, preset: str, data: mmf.data.MultimodalDataset, **arguments: Any
) -> mmf.models.MEA:
    """The preset's network for the widths of this file."""
    model = mmf.models.MEA.from_preset(
        preset,
        load_weights=False,
        shapes={m: list(shape) for m, shape in data.shapes.items()},
        seed=seed,
        **arguments,
    )
    training = TRAINING[preset]
    model.compile(
        keras.optimizers.Adam(training.rate, global_clipnorm=training.clip)
    )
    return model


def plateau(seed: int) -> list[keras.callbacks.Callback]:
    return [
        keras.callbacks.ReduceLROnPlateau(
            "val_task_loss", mode="min", factor=0.1, patience=PATIENCE
        )
    ]


def train(
    data: mmf.data.MultimodalDataset,
    preset: str,
    out: Path,
    work: Path,
    seeds: int = 5,
    epochs: int | None = None,
    forms: Sequence[str] = ("paper",),
    buckets: int = 4,
    **arguments: Any,
) -> Result:
    """Trains every form, opens the test split, writes the first as preset.

    Args:
        data: Three splits with `text`, `audio` and `video`.
        preset: "mosei", "mosi" or "iemocap".
        out: Folder of the preset.
        work: Folder of the run; the same choices continue it.
        seeds: Number of seeds, from 1111.
        epochs: Default: the paper's.
        forms: "paper", "stable" or both, as in `MEA`.
        buckets: Lengths that batches are cut to; each compiles once on JAX.
        **arguments: Of `MEA`, to change.
    """
    check(data, preset)
    training = TRAINING[preset]
    builds = {
        f"mea {form}": partial(
            build, preset=preset, data=data, form=form, **arguments
        )
        for form in forms
    }
    protocol, corrected, main = PROTOCOLS[data.task]
    result = run(
        builds,
        data,
        work,
        seeds=range(FIRST_SEED, FIRST_SEED + seeds),
        select="val_task_loss",
        fit={
            "epochs": epochs or training.epochs,
            "batch_size": training.batch,
            "buckets": buckets,
            "callbacks": plateau,
        },
        protocol=protocol,
        metric=main,
        groups="video" if "video" in data.valid.groups else None,
        name=f"mea_{preset}",
    )
    first = result.first.name
    metadata = preset_metadata(
        result,
        name=preset,
        description=describe(data, preset, forms[0]),
        paper="Asynchronous Multimodal Video Sequence Fusion via Learning "
        "Modality-Exclusive and -Agnostic Representations, arXiv 2407.04955",
        recipe=f"python weights/recipes/mea_mosei.py --dataset {preset} "
        "--data FILE",
    )
    metadata["protocol"] = protocol
    # Not where the file lay on this machine.
    metadata["data"]["origin"] = Path(metadata["data"]["origin"]).name
    if corrected is not None:
        scores = corrected_scores(result, corrected)
        metadata["metrics"][f"protocol {corrected}"] = scores
        print_beside(result, corrected, scores)
    (out / "README.md").unlink(missing_ok=True)  # The card is made anew.
    model = trained_model(builds[first], work, first)
    model.save_to_preset(out, json_object(metadata))
    return result


def check(data: mmf.data.MultimodalDataset, preset: str) -> None:
    """Raises unless the file suits the preset."""
    task = "binary heads" if preset == "iemocap" else "regression"
    if data.task != task or set(data.modalities) != {"text", "audio", "video"}:
        raise ValueError(
            f"The preset {preset!r} takes text, audio and video for the task "
            f"{task!r}. Received: {data.modalities} for {data.task!r}. Choose "
            f"--dataset among {list(TRAINING)}."
        )


def describe(data: mmf.data.MultimodalDataset, preset: str, form: str) -> str:
    widths = {m: shape[-1] for m, shape in data.shapes.items()}
    text = "as wide as the paper's GloVe vectors"
    if widths["text"] != GLOVE:
        text = "not the paper's GloVe vectors: its figures do not compare"
    return (
        f"MEA, form {form!r}, with the settings of the paper's Table I for "
        f"{preset}, trained on the file {data.name}. Widths: {widths}; the "
        f"text is {text}."
    )


def corrected_scores(result: Result, protocol: str) -> dict[str, Any]:
    """The scores of the first model under another protocol."""
    p = result.first.predictions
    scoring = choose_metrics(result.task, protocol, None, p[0])
    scores = scoring.score(result.labels, p, result.groups)
    return {name: score.to_dict() for name, score in scores.items()}


def print_beside(
    result: Result, corrected: str, scores: dict[str, Any]
) -> None:
    official = result.scoring["protocol"]
    print(f"\n{'':12}{official:>10}{corrected:>10}")
    for name, score in result.first.scores.items():
        other = scores.get(name, {}).get("mean", float("nan"))
        print(f"{name:12}{score.mean:10.4f}{other:10.4f}")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--data", required=True, help="MulT or MMSA pickle")
    parser.add_argument("--dataset", choices=TRAINING, default="mosei")
    parser.add_argument("--out", help="default: weights/mea_<dataset>")
    parser.add_argument("--work", help="default: out/mea_<dataset>")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--epochs", type=int)
    parser.add_argument(
        "--forms", nargs="+", choices=("paper", "stable"), default=["paper"]
    )
    arguments = parser.parse_args()
    name = f"mea_{arguments.dataset}"
    train(
        mmf.data.load(arguments.data),
        arguments.dataset,
        Path(arguments.out or WEIGHTS / name),
        Path(arguments.work or Path("out") / name),
        arguments.seeds,
        arguments.epochs,
        arguments.forms,
    )


if __name__ == "__main__":
    main()
