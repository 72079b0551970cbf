"""A trained preset on real data: load, evaluate, fine-tune, look inside.

    KERAS_BACKEND=jax python examples/demo.py

Spoken digits (log-mel sequence) and handwritten digits (a vector), both so
degraded that neither suffices alone. Needs no network.
"""

import time
from pathlib import Path

import keras
import numpy as np

import keras_mmfusion as mmf

FIGURE = Path("out") / "block_attention.png"


def main() -> None:
    start = time.time()
    print(f"Keras {keras.__version__} on {keras.backend.backend()}")

    digits = mmf.data.load("av_digits")
    print(digits.describe())

    model = mmf.models.MSAF.from_preset("av_digits")
    print(f"\nPreset msaf_av_digits: {model.count_params():,} parameters")
    test = digits.test.batches(250)
    _, accuracy = model.evaluate(test, verbose=0)
    print(f"Accuracy on {len(digits.test)} test pairs: {accuracy:.1%}")
    for missing in digits.modalities:
        x, y = digits.test.arrays()
        x[missing] = np.zeros_like(x[missing])
        _, without = model.evaluate(x, y, batch_size=250, verbose=0)
        print(f"  without {missing}: {without:.1%}")

    print("\nFine-tuning on the packaged training pairs:")
    model.compile(optimizer=keras.optimizers.Adam(1e-4))
    model.fit(
        digits.train.batches(64, shuffle=True),
        validation_data=digits.valid.batches(250),
        epochs=3,
    )

    x, y = digits.valid.arrays()
    attention = model.explain(x)["fusion1"]
    figure = mmf.plotting.plot_block_attention(attention, y, digits.class_names)
    FIGURE.parent.mkdir(exist_ok=True)
    figure.savefig(FIGURE, dpi=150)
    print(f"\nBlock attention per modality: {FIGURE.resolve()}")
    print(f"Done in {time.time() - start:.0f} s.")


if __name__ == "__main__":
    main()
