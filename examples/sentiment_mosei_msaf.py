"""Sentiment in CMU-MOSEI with MSAF's published network.

    python examples/sentiment_mosei_msaf.py
    python examples/sentiment_mosei_msaf.py --data PATH

PATH is one of
- the folder that MSAF's preprocessing (github.com/anita-hu/MSAF, cmu_mosei)
  writes: {train,val,test}/{visual,audio,bert,label}50.npy of shapes
  (N, 50, 35), (N, 50, 74), (N, 50, 768) and (N, 1, 7);
- MMSA's aligned_50.pkl of MOSEI (github.com/thuiar/MMSA), with text, audio
  and vision of the same widths.
CMU-MOSEI is given out by its authors (CMU-MultimodalSDK), under their terms.

Without PATH, a folder of the first layout is simulated: noise with a trace of
the label. That shows that everything runs; its scores mean nothing.
"""

import argparse
import tempfile
from pathlib import Path

import keras
import numpy as np

import keras_mmfusion as mmf
from keras_mmfusion.data.formats import write_file
from keras_mmfusion.data.simulated import simulated_sentiment
from keras_mmfusion.metrics import report
from keras_mmfusion.plotting import class_shares, plot_block_attention

SIGNS = ["negative", "neutral", "positive"]


def simulated_folder(path: Path, samples: int) -> None:
    """A folder as MSAF's preprocessing writes it, of simulated numbers."""
    shapes = {"text": (50, 768), "audio": (50, 74), "video": (50, 35)}
    data = simulated_sentiment((samples, samples // 4, samples // 4), shapes)
    for split in data.splits.values():
        # Beside the sentiment, MSAF keeps six emotions.
        split.labels = np.pad(split.labels[:, None], [(0, 0), (0, 6)])
    write_file(data, path, "msaf_npy")


def official_names(split: mmf.data.Split) -> mmf.data.Split:
    """`video`, as data sets call it, is `visual` in the official network."""
    features = {
        "visual" if m == "video" else m: column
        for m, column in split.features.items()
    }
    return mmf.data.Split(features, split.labels)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--data", type=Path)
    parser.add_argument("--out", type=Path, default=Path("out"))
    parser.add_argument("--samples", type=int, default=640)
    parser.add_argument("--epochs", type=int, default=None)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = arguments.data
        if path is None:
            path = Path(folder) / "mosei"
            simulated_folder(path, arguments.samples)
        dataset = mmf.data.load(path)
        print(dataset.describe())
        # Ten epochs as published; simulated data are learnt no better then.
        epochs = arguments.epochs or (10 if arguments.data else 4)
        run(dataset, epochs, arguments.out)
    if arguments.data is None:
        print("\nThe data were SIMULATED: these scores mean nothing.")


def run(dataset: mmf.data.MultimodalDataset, epochs: int, out: Path) -> None:
    """Trains, keeps the epoch that is best on validation, and reports."""
    train, valid, test = map(official_names, dataset.splits.values())
    model = mmf.models.MSAF.from_preset("mosei", load_weights=False)
    out.mkdir(parents=True, exist_ok=True)
    best = out / "sentiment_mosei_msaf.weights.h5"
    model.fit(
        train.batches(16, shuffle=True, buckets=1),
        validation_data=valid.batches(64, buckets=1),
        epochs=epochs,
        callbacks=[
            keras.callbacks.ModelCheckpoint(
                best, save_best_only=True, save_weights_only=True
            )
        ],
        verbose=2,
    )
    model.load_weights(best)

    scores = model.predict(test.batches(64, buckets=1), verbose=0)[:, 0]
    print(report(test.labels, scores, protocol="msaf"))

    some = test.subset(range(min(len(test), 512)))
    x, y = some.arrays()
    attention = model.explain(x)["fusion1"]
    sign = np.sign(np.rint(y)).astype(int).reshape(-1) + 1
    print(class_shares(attention, sign, SIGNS))
    figure = out / "sentiment_mosei_msaf.png"
    plot_block_attention(attention, sign, SIGNS).savefig(figure)
    print(f"Attention: {figure.resolve()}")


if __name__ == "__main__":
    main()
