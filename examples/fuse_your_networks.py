"""Two networks that you have already, fused between their layers.

    python examples/fuse_your_networks.py
    python examples/fuse_your_networks.py --data FILE.npz

Without FILE, a convolutional network for images and a recurrent one for audio
are trained alone on the packaged digits: real recordings and real images,
paired by their label. Then split attention goes between their layers, and
training goes on.

FILE.npz holds RGB and depth images of your own, or of a public set such as
the RGB-D Object Dataset, in arrays `rgb` (N, H, W, 3) and `depth` (N, H, W,
1) with values from 0 to 1 and sides of 32 pixels or more, `labels` (N,), and
`split` (N,) of "train" and "test". Both networks are MobileNets then; change
`weights=None` to "imagenet" for images of 3 channels.
"""

import argparse
from pathlib import Path
from typing import Any

import keras
import numpy as np

import keras_mmfusion as mmf
from keras_mmfusion.plotting import class_shares, plot_class_shares

layers = keras.layers
LOSS = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def digits(samples: int) -> tuple[dict[str, Any], dict[str, Any], list[Any]]:
    """Data, networks and taps: digits as images of 28 x 28 and as audio."""
    loaded = mmf.data.load("av_digits", variant="clean")
    data = {}
    for name, split in (("train", loaded.train), ("test", loaded.test)):
        step = max(1, len(split) // samples)
        x, y = split.subset(range(0, len(split), step)).arrays()
        image = x["image"].reshape(-1, 28, 28, 1)
        # Every fourth frame of 10 ms.
        data[name] = ({"image": image, "audio": x["audio"][:, ::4]}, y)
    pixels = keras.Input((28, 28, 1))
    x = layers.Conv2D(16, 3, 2, activation="relu", name="conv1")(pixels)
    x = layers.Conv2D(32, 3, 2, activation="relu", name="conv2")(x)
    x = layers.Flatten()(x)
    image = keras.Model(pixels, layers.Dense(10)(x), name="image_network")
    audio = keras.Sequential(
        [
            keras.Input((None, 40)),
            layers.Masking(),
            layers.LSTM(32, return_sequences=True, name="lstm1"),
            layers.LSTM(32, name="lstm2"),
            layers.Dense(10),
        ],
        name="audio_network",
    )
    taps = [{"image": "conv2", "audio": "lstm1"}]
    return data, {"image": image, "audio": audio}, taps


def rgb_depth(
    path: Path,
) -> tuple[dict[str, Any], dict[str, Any], list[Any]]:
    """Data, networks and taps: two MobileNets on the images of a file."""
    with np.load(path, allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    data = {
        split: (
            {
                m: arrays[m][arrays["split"] == split].astype("float32")
                for m in ("rgb", "depth")
            },
            arrays["labels"][arrays["split"] == split],
        )
        for split in ("train", "test")
    }
    networks = {
        m: keras.applications.MobileNet(
            alpha=0.25,
            weights=None,
            input_shape=arrays[m].shape[1:],
            classes=int(arrays["labels"].max()) + 1,
            classifier_activation=None,
        )
        for m in ("rgb", "depth")
    }
    taps = [
        {"rgb": "conv_pw_5_relu", "depth": "conv_pw_5_relu"},
        {"rgb": "conv_pw_11_relu", "depth": "conv_pw_11_relu"},
    ]
    return data, networks, taps


def fit(model: Any, x: Any, y: Any, epochs: int) -> None:
    model.compile(keras.optimizers.Adam(2e-3), LOSS)
    model.fit(x, y, batch_size=32, epochs=epochs, verbose=2)


def accuracy(model: Any, x: Any, y: Any) -> float:
    scores = model.predict(x, batch_size=250, verbose=0)
    return float((scores.argmax(axis=1) == y).mean())


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--data", type=Path)
    parser.add_argument("--out", type=Path, default=Path("out"))
    parser.add_argument("--samples", type=int, default=600)
    parser.add_argument("--epochs", type=int, default=6)
    arguments = parser.parse_args()
    keras.utils.set_random_seed(0)
    if arguments.data is None:
        print("Data: the packaged digits, real recordings and images.")
        data, networks, taps = digits(arguments.samples)
    else:
        try:
            data, networks, taps = rgb_depth(arguments.data)
        except (OSError, KeyError, ValueError) as error:
            parser.error(f"{arguments.data} does not fit --help: {error}")
    (x, y), (x_test, y_test) = data["train"], data["test"]

    for m, network in networks.items():
        print(f"\nThe {m} network alone:")
        fit(network, x[m], y, arguments.epochs)
    found = {
        f"{m} alone": accuracy(network, x_test[m], y_test)
        for m, network in networks.items()
    }
    # The same two networks with nothing but their outputs added up.
    late = mmf.models.fuse(networks, [])
    found["sum of both"] = accuracy(late, x_test, y_test)

    print("\nFused:")
    model = mmf.models.fuse(networks, taps, seed=0)
    fit(model, x, y, arguments.epochs)
    found["fused and trained on"] = accuracy(model, x_test, y_test)
    print(f"\nAccuracy on {len(y_test)} test pairs:")
    for name, value in found.items():
        print(f"  {name:22}{value:.1%}")

    table = class_shares(model.explain(x_test)["fusion1"], y_test)
    print(f"\nShare of the attention by class:\n{table}")
    arguments.out.mkdir(parents=True, exist_ok=True)
    figure = arguments.out / "attention_shares.png"
    plot_class_shares(table).savefig(figure)
    print(f"Plot: {figure.resolve()}")


if __name__ == "__main__":
    main()
