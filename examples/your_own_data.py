"""Your own features to a trained, evaluated, saved preset.

    python examples/your_own_data.py --data FILE --out DIR

FILE.npz: an array per modality, (N, T, C) zero-padded at the end or (N, C),
`labels` (N,), and `split` (N,) of "train", "valid" and "test". FILE.csv: a row
per sample with columns `labels`, `split`, `audio.0`, `audio.1`, `text.0`, ...
Either may tell who is speaking, `group.speaker` (N,), so that it can be seen
whether a speaker is in two splits. Without FILE, a part of the packaged digits
is written as such a file.
"""

import argparse
from pathlib import Path

import keras_mmfusion as mmf
from keras_mmfusion.data.formats import write_file
from keras_mmfusion.evaluation import preset_metadata, run, trained_model


def packaged_digits(path: Path) -> Path:
    digits = mmf.data.load("av_digits")
    parts = [split.subset(range(300)) for split in digits.splits.values()]
    small = mmf.data.MultimodalDataset(*parts, "digits", digits.task)
    write_file(small, path, "arrays")
    return path


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--data", type=Path)
    parser.add_argument("--out", type=Path, default=Path("out/own"))
    parser.add_argument("--epochs", type=int, default=10)
    arguments = parser.parse_args()
    out = arguments.out
    example = out / "digits.npz"
    if not arguments.data and not example.exists():
        packaged_digits(example)

    dataset = mmf.data.load(arguments.data or example)
    print(dataset.describe())
    classes = len(dataset.class_names) if dataset.class_names else None

    def build(seed: int) -> mmf.models.MSAF:
        return mmf.models.MSAF.from_shapes(dataset.shapes, classes, seed=seed)

    fit = {"epochs": arguments.epochs, "buckets": 2}
    result = run(build, dataset, out / "run", seeds=2, fit=fit)
    print(result)
    model = trained_model(build, out / "run")
    model.save_to_preset(out / "preset", preset_metadata(result))
    print(f"Report: {out}/run/report.html\nPreset: {out}/preset")


if __name__ == "__main__":
    main()
