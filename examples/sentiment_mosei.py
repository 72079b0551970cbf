"""Sentiment from words, voice and face: MEA on unaligned sequences.

    python examples/sentiment_mosei.py --data mosei_senti_data_noalign.pkl

--data takes the unaligned CMU-MOSEI or CMU-MOSI file of MulT or MMSA as it
is. Without it, a file of the same format is SIMULATED: what is printed then
says that the code runs and learns, and nothing about MEA or CMU-MOSEI. The
network and the training here are the paper's recipe at a small size; the full
one is weights/recipes/mea_mosei.py.
"""

import argparse
import time
from pathlib import Path

import keras

import keras_mmfusion as mmf
from keras_mmfusion.data.formats import write_file
from keras_mmfusion.data.simulated import simulated_sentiment
from keras_mmfusion.metrics import report

OUT = Path("out") / "sentiment_mosei"
BATCH = 32
# In place of the paper's 40, 64, 10, 3, 2 and all three levels: under JAX most
# of the time here goes into compiling.
SMALL = {
    "width": 16,
    "latent": 16,
    "num_heads": 4,
    "exclusive_layers": 2,
    "agnostic_layers": 1,
    "levels": ["fine"],
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--data", help="MulT or MMSA pickle")
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument(
        "--steps", type=int, default=60, help="longer sequences are cut"
    )
    arguments = parser.parse_args()
    start = time.time()
    OUT.mkdir(parents=True, exist_ok=True)

    data = mmf.data.load(arguments.data or simulated_file())
    print(data.describe())
    model = mmf.models.MEA.from_preset(
        "mosei", load_weights=False, shapes=dict(data.shapes), seed=0, **SMALL
    )
    model.compile(keras.optimizers.Adam(4e-3, global_clipnorm=1.0))
    print(f"MEA: {model.count_params():,} parameters")

    # Lengths differ between samples and modalities. Batches pad the ends with
    # zeros, and the model leaves padding out by itself.
    cut = {"max_length": arguments.steps, "buckets": 1}
    few, _ = data.valid.subset(range(min(BATCH, len(data.valid)))).arrays(
        arguments.steps
    )
    before = model.explain(few)
    history = model.fit(
        data.train.batches(BATCH, shuffle=True, **cut),
        validation_data=data.valid.batches(BATCH, **cut),
        epochs=arguments.epochs,
        verbose=0,
        callbacks=[
            keras.callbacks.LambdaCallback(on_epoch_end=said),
            keras.callbacks.ModelCheckpoint(
                str(OUT / "best.weights.h5"),
                "val_task_loss",
                save_best_only=True,
                save_weights_only=True,
                mode="min",
            ),
        ],
    ).history
    model.load_weights(OUT / "best.weights.h5")
    after = model.explain(few)

    predicted = model.predict(data.test.batches(BATCH, **cut), verbose=0)[:, 0]
    if arguments.data is None:
        print("\nSIMULATED data:")
    print(report(data.test.labels, predicted, "mmsa", bootstrap=200))
    print_inside(after)
    draw(before, after, model.modalities)
    print(
        f"Figures in {OUT.resolve()}; lowest validation loss "
        f"{min(history['val_task_loss']):.3f}."
    )
    print(f"Done in {time.time() - start:.0f} s.")


def simulated_file() -> Path:
    """A file in MulT's layout, with the true widths but shorter sequences."""
    shapes = {"text": (8, 300), "audio": (20, 74), "video": (15, 35)}
    path = OUT / "simulated.pkl"
    path.unlink(missing_ok=True)
    write_file(simulated_sentiment((384, 64, 96), shapes), path, "mult")
    print(f"No --data given: {path} is SIMULATED, in the format of MulT.\n")
    return path


def said(epoch: int, logs: dict[str, float]) -> None:
    names = ("task_loss", "val_task_loss", "agnostic_norm", "exclusive_spread")
    values = "  ".join(f"{name} {logs[name]:.3f}" for name in names)
    print(f"epoch {epoch + 1}  {values}", flush=True)


def print_inside(seen: dict) -> None:
    *_, weights = seen["weights"].values()
    print("\nMean weight of each modality in the exclusive branch:")
    print("  ".join(f"{m} {psi.mean():.2f}" for m, psi in weights.items()))
    print("Vectors that the discriminator takes for their own modality:")
    for branch, counts in seen["confusion"].items():
        print(f"  {branch}: {counts.trace() / counts.sum():.0%}")


def draw(before: dict, after: dict, modalities: list[str]) -> None:
    plot = mmf.plotting
    figures = {
        "vectors": plot.plot_representations(
            {"before training": before, "after training": after}
        ),
        "maps": plot.plot_attention_maps(after["self_attention"]),
        "cross_attention": plot.plot_cross_attention(
            after["cross_attention"]["layer1"]
        ),
        "graph": plot.plot_modality_graph(after["graph"], modalities),
    }
    for name, figure in figures.items():
        figure.savefig(OUT / f"{name}.png", dpi=120)


if __name__ == "__main__":
    main()
