"""A trained preset on real data: load, predict, fine-tune, look inside.

    KERAS_BACKEND=jax python examples/demo.py

MEA on spoken digits (log-mel frames, up to 24 steps) and handwritten ones
(rows of pixels, 14 steps), both so degraded that neither suffices alone.
Needs no network.
"""

import time
from pathlib import Path

import keras
import numpy as np

import keras_mmfusion as mmf

OUT = Path("out")
BATCH = 75


def main() -> None:
    start = time.time()
    print(f"Keras {keras.__version__} on {keras.backend.backend()}")

    digits = mmf.data.load("av_digits", variant="sequences")
    print(digits.describe())

    model = mmf.models.MEA.from_preset("av_digits")
    print(f"\nPreset mea_av_digits: {model.count_params():,} parameters")
    x, y = digits.test.arrays()
    print(f"Accuracy on {len(y)} test pairs: {accuracy(model, x, y):.1%}")
    print("  (weights of the seed best on validation; README has the mean")
    print("  over seeds, see weights/mea_av_digits/README.md)")
    known, labels = digits.valid.arrays()
    before = accuracy(model, known, labels)
    print(f"On {len(labels)} validation pairs: {before:.1%}")
    for m in digits.modalities:
        without = {**known, m: np.zeros_like(known[m])}
        print(f"  without {m}: {accuracy(model, without, labels):.1%}")

    print("\nFine-tuning on the packaged training pairs:")
    model.compile(optimizer=keras.optimizers.Adam(1e-4))
    # All batches have one shape: JAX compiles a step for each.
    train = digits.train.subset(range(len(digits.train) // BATCH * BATCH))
    model.fit(
        train.batches(BATCH, shuffle=True, buckets=1), epochs=2, verbose=2
    )
    print(
        f"Accuracy on {len(labels)} validation pairs: {before:.1%} before, "
        f"{accuracy(model, known, labels):.1%} after"
    )

    look_inside(model, {m: v[:BATCH] for m, v in known.items()})
    print(f"Done in {time.time() - start:.0f} s.")


def accuracy(model: mmf.models.MEA, x: dict, y: np.ndarray) -> float:
    logits = model.predict(x, batch_size=BATCH, verbose=0)
    return float((logits.argmax(axis=1) == y).mean())


def look_inside(model: mmf.models.MEA, x: dict) -> None:
    """What the network attends to, weighs, and keeps apart."""
    seen = model.explain(x)
    *_, weights = seen["weights"].values()
    print("\nMean weight of each modality in the exclusive branch:")
    print("  ".join(f"{m} {psi.mean():.2f}" for m, psi in weights.items()))
    print("Vectors that the discriminator takes for their own modality")
    print("(aim: all of the exclusive, of the others half, as by chance):")
    for branch, counts in seen["confusion"].items():
        print(f"  {branch}: {counts.trace() / counts.sum():.0%}")
    OUT.mkdir(parents=True, exist_ok=True)
    figures = {
        "cross_attention": mmf.plotting.plot_cross_attention(
            seen["cross_attention"]["layer1"]
        ),
        "representations": mmf.plotting.plot_representations({"trained": seen}),
    }
    for name, figure in figures.items():
        figure.savefig(OUT / f"{name}.png", dpi=120)
        print(f"Figure: {(OUT / f'{name}.png').resolve()}")


if __name__ == "__main__":
    main()
