"""Make the packaged AV-digits sample from the full file.

    python weights/recipes/make_av_digits_sample.py --full av_digits.npz

All validation and test pairs are kept. Of the training pairs those are kept
whose recording has one of the first `RECORDINGS_PER_VOICE` training indices
of its speaker and digit (10, 11, ...), so that speakers and digits stay
balanced. The training statistics are those of the full training split.
"""

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from keras_mmfusion.data import av_digits

RECORDINGS_PER_VOICE = 7
FIRST_TRAIN_INDEX = 10


def make(full: Path, output: Path) -> None:
    """Write the sample.

    Args:
        full: the full `av_digits.npz`.
        output: the file to write.
    """
    recordings, pairs = av_digits.read_full(full)
    statistics = av_digits.fit_statistics(recordings, pairs["train"])
    index = np.array([int(name.split("_")[2]) for name in recordings.names])
    kept_index = index < FIRST_TRAIN_INDEX + RECORDINGS_PER_VOICE

    arrays: dict[str, Any] = {}
    chosen = {
        split: np.flatnonzero(kept_index[part.recordings])
        for split, part in pairs.items()
    }
    used = np.unique(
        np.concatenate(
            [pairs[k].recordings[rows] for k, rows in chosen.items()]
        )
    )
    for split, rows in chosen.items():
        part = pairs[split]
        kept = part.recordings[rows]
        names = [part.image_names[row] for row in rows]
        arrays[f"{split}_recordings"] = np.searchsorted(used, kept)
        arrays[f"{split}_labels"] = part.labels[rows]
        arrays[f"{split}_images"] = part.images[rows]
        arrays[f"{split}_image_indices"] = np.array(
            [int(name.split("-")[-1]) for name in names]
        )
    arrays = {k: narrowed(values) for k, values in arrays.items()}

    starts, ends = recordings.offsets[used], recordings.offsets[used + 1]
    arrays["audio_codes"] = np.concatenate(
        [recordings.codes[a:b] for a, b in zip(starts, ends, strict=True)]
    )
    arrays["audio_offsets"] = np.append(0, np.cumsum(ends - starts))
    arrays["audio_first_frames"] = starts
    arrays["audio_names"] = np.array([recordings.names[i] for i in used])
    for variant in ("degraded", "clean"):
        arrays[f"audio_mean_{variant}"] = statistics.audio_mean[variant]
        arrays[f"audio_deviation_{variant}"] = statistics.audio_deviation[
            variant
        ]
    arrays["image_mean"] = statistics.image_mean
    arrays["image_components"] = statistics.image_components
    arrays["image_deviation"] = statistics.image_deviation
    np.savez_compressed(output, **arrays)


def narrowed(values: NDArray[Any]) -> NDArray[Any]:
    """Integers in the smallest unsigned type that holds them."""
    return values.astype(np.min_scalar_type(int(values.max())))


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="Make the AV-digits sample.")
    parser.add_argument("--full", type=Path, required=True)
    parser.add_argument("--output", type=Path, default=av_digits.SAMPLE_PATH)
    arguments = parser.parse_args()
    make(arguments.full, arguments.output)
    print(f"{arguments.output}: {arguments.output.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
