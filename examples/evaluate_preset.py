"""Evaluates a preset: metrics with floors and intervals, and robustness.

    python examples/evaluate_preset.py                    # packaged sample
    python examples/evaluate_preset.py --preset DIR --data FILE

FILE is anything that `keras_mmfusion.data.load` reads.
"""

import argparse
from pathlib import Path

import keras_mmfusion as mmf
from keras_mmfusion.evaluation import robustness
from keras_mmfusion.metrics import report
from keras_mmfusion.plotting import plot_robustness

SEVERITIES = {
    "missing modality": (0.5, 1.0),
    "noise": (0.5, 1.0),
    "swapped partner": (0.5, 1.0),
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--preset", default="msaf_av_digits")
    parser.add_argument("--data", default="av_digits")
    parser.add_argument("--out", default="out", type=Path)
    arguments = parser.parse_args()

    model = mmf.models.FusionModel.from_preset(arguments.preset)
    dataset = mmf.data.load(arguments.data)
    test = dataset.test
    print(dataset.describe())

    scores = model.predict(test.batches(250, buckets=4), verbose=0)
    groups = next(iter(test.groups.values()), None)
    print(report(test.labels, scores, bootstrap=200, groups=groups))

    every = max(1, len(test) // 500)
    curves = robustness(
        model,
        test.subset(range(0, len(test), every)),
        SEVERITIES,
        repeats=1,
    )
    print(curves)
    arguments.out.mkdir(parents=True, exist_ok=True)
    figure = arguments.out / "robustness.png"
    plot_robustness(curves).savefig(figure)
    print(f"Curves: {figure.resolve()}")


if __name__ == "__main__":
    main()
