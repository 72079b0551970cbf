"""Valence and arousal, frame by frame: causal GRJCA on Aff-Wild2.

    python examples/valence_arousal_affwild2.py --data FOLDER
    python examples/valence_arousal_affwild2.py

Aff-Wild2 (Kollias and Zafeiriou 2019) is given for research by its authors:
https://ibug.doc.ic.ac.uk/resources/aff-wild2/. FOLDER holds the annotations,
`.../Train_Set/<video>.txt` and `.../Validation_Set/<video>.txt`, and features
of every frame that you have taken from the videos, an array (frames, width)
in `features/video/<video>.npy` and `features/audio/<video>.npy`. In the
published work these are 512 numbers of a face network and 128 of VGGish.

Without FOLDER, data is simulated in the same layout; its scores say that the
code runs, no more. The network is a small causal one, so that it can predict
while a video is still running; the published one sees whole windows.
"""

import argparse
import tempfile
from pathlib import Path

import keras
import numpy as np

import keras_mmfusion as mmf
from keras_mmfusion.data import average_overlaps
from keras_mmfusion.data.simulated_affect import simulated_affect
from keras_mmfusion.evaluation import report_videos
from keras_mmfusion.plotting import plot_gate_timeline

RATE = 30  # frames per second
Inputs = dict[str, np.ndarray]


def build(shapes: dict[str, tuple[int | None, ...]]) -> mmf.models.GRJCA:
    """A small network of the published build that sees no future."""
    model = mmf.models.GRJCA.from_shapes(
        shapes,
        num_targets=2,
        channels=[16],
        causal=True,
        temporal_mixing="conv",
        dropout=0.1,
        hidden_units=32,
        modalities=["video", "audio"],
        seed=0,
    )
    model.compile(
        keras.optimizers.Adam(3e-3),
        mmf.losses.ConcordanceLoss(outputs=2),
        metrics=[mmf.metrics.ConcordanceCorrelation(outputs=2)],
    )
    return model


def score(model: mmf.models.GRJCA, split: mmf.data.Split) -> None:
    """Concordance over all frames of all videos, with and without smoothing."""
    windows = model.predict(split.batches(12), verbose=0)
    truth = average_overlaps(split.labels, split.ids)
    predicted = average_overlaps(windows, split.ids)
    print(report_videos(truth, predicted))
    smoothed = report_videos(truth, predicted, smoothing=(20, 50), bootstrap=0)
    print(f"\n{smoothed}\n")


def shortest(split: mmf.data.Split) -> tuple[str, Inputs, np.ndarray]:
    """Name, inputs and labels of the shortest of whole videos."""
    frames = split.lengths()["video"]
    index = int(np.argmin(frames))
    x = {m: column[index][None] for m, column in split.features.items()}
    labels = split.labels[[index], : frames[index]]
    return str(split.groups["video"][index]), x, labels


def stream(model: mmf.models.GRJCA, x: Inputs) -> np.ndarray:
    """Predicts one video frame by frame, as if it were running now."""
    running = model.stream()
    steps = range(x["video"].shape[1])
    now = [running.step({m: v[:, t] for m, v in x.items()}) for t in steps]
    return np.stack(now, axis=1)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--data", type=Path)
    parser.add_argument("--out", type=Path, default=Path("out/affwild2"))
    parser.add_argument("--epochs", type=int, default=8)
    arguments = parser.parse_args()
    keras.utils.set_random_seed(0)

    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.data
        if folder is None:
            folder = simulated_affect(Path(temporary) / "aff-wild2")
            print("This data is simulated; its scores mean nothing.\n")
        data = mmf.data.load(folder, window=300, hop=200)
        print(data.describe())
        for leak in data.check_leaks():
            print(f"Leak: {leak}")

        model = build(data.shapes)
        model.fit(
            data.train.batches(12, shuffle=True),
            epochs=arguments.epochs,
            verbose=2,
        )
        score(model, data.valid)

        whole = mmf.data.load(folder, window="video").valid
        name, x, y = shortest(whole)
        prediction = model.predict(x, verbose=0)
        gates = model.explain(x)["gates"]
        figure = plot_gate_timeline(gates, prediction, y, rate=RATE)
        arguments.out.mkdir(parents=True, exist_ok=True)
        figure.savefig(arguments.out / "timeline.png", dpi=150)
        print(f"Timeline of {name}: {arguments.out / 'timeline.png'}")
        difference = np.abs(stream(model, x) - prediction).max()
        print(
            f"Frame by frame, {y.shape[1]} frames: at most {difference:.1e} "
            "from the prediction of the whole video"
        )


if __name__ == "__main__":
    main()
