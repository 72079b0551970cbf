"""Writes a simulated file in the format of CMU-MOSEI, to try a recipe on.

    python weights/recipes/simulate_sentiment.py --out simulated.pkl
    python weights/recipes/mea_mosei.py --data simulated.pkl --seeds 2 \
        --epochs 2 --out out/preset
"""

import argparse

from keras_mmfusion.data.formats import write_file
from keras_mmfusion.data.simulated import simulated_sentiment

# Longest sequences and widths of the public unaligned files.
SHAPES = {
    "mosi": {"text": (50, 300), "audio": (375, 5), "video": (500, 20)},
    "mosei": {"text": (50, 300), "audio": (500, 74), "video": (500, 35)},
    "iemocap": {"text": (20, 300), "audio": (400, 74), "video": (500, 35)},
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--out", required=True)
    parser.add_argument("--dataset", choices=SHAPES, default="mosei")
    parser.add_argument("--layout", choices=("mult", "mmsa"), default="mult")
    parser.add_argument(
        "--samples", type=int, nargs=3, default=(200, 50, 50), help="per split"
    )
    parser.add_argument(
        "--shorten", type=int, default=1, help="divide all lengths by this"
    )
    arguments = parser.parse_args()
    shapes = {
        m: (steps // arguments.shorten, width)
        for m, (steps, width) in SHAPES[arguments.dataset].items()
    }
    data = simulated_sentiment(
        arguments.samples, shapes, arguments.dataset == "iemocap"
    )
    write_file(data, arguments.out, arguments.layout)
    print(data.describe())


if __name__ == "__main__":
    main()
