"""Largest differences to the official numbers under the current backend.

KERAS_BACKEND=torch python -m tests.golden_differences
"""

import json

import keras
import numpy as np

from keras_mmfusion.convert import load_official
from tests import goldens
from tests.backend import call, input_gradients, relative_error
from tests.layers.test_split_attention_fusion import (
    GOLDENS,
    channels_last,
    layer_of,
)
from tests.models.test_msaf import float32, mosei_network
from tests.models.test_msaf_ntu import golden_inputs, ntu_network
from tests.models.test_msaf_ravdess import official_difference


def fusion_layer(name: str) -> tuple[float, float]:
    """Largest relative difference of outputs and of input gradients."""
    golden = goldens.load(name)
    layer = layer_of(golden.meta["config"])
    x = {k: channels_last(v) for k, v in golden.inputs().items()}
    layer.build([v.shape for v in x.values()])
    load_official(layer, golden.state_dict())
    outputs = call(layer, [v.astype("float32") for v in x.values()])
    cotangents = [
        channels_last(c).astype("float32") for c in golden.cotangents()
    ]
    grads = input_gradients(
        lambda t: sum(
            keras.ops.sum(y * keras.ops.convert_to_tensor(c))
            for y, c in zip(layer([t[k] for k in x]), cotangents, strict=True)
        ),
        x,
    )
    return (
        max(
            relative_error(y, channels_last(e))
            for y, e in zip(outputs, golden.outputs, strict=True)
        ),
        max(
            relative_error(grads[k], channels_last(v))
            for k, v in golden.input_gradients.items()
        ),
    )


def small_case(name: str) -> float:
    case = json.loads((goldens.FOLDER / "small_cases.json").read_text())[name]
    layer = layer_of(case["config"])
    x = [channels_last(np.array(v)).astype("float32") for v in case["x"]]
    layer.build([v.shape for v in x])
    load_official(
        layer, {k: np.array(v) for k, v in case["state_dict"].items()}
    )
    return max(
        relative_error(y, channels_last(np.array(e)))
        for y, e in zip(call(layer, x), case["y_eval"], strict=True)
    )


def mosei() -> tuple[float, float]:
    golden = goldens.load("msaf_mosei_network")
    model = mosei_network()
    load_official(model, golden.state_dict())
    output = model.predict(float32(golden.inputs()), verbose=0)
    cotangent = golden.cotangents()[0].astype("float32")
    grads = input_gradients(
        lambda x: keras.ops.sum(keras.ops.multiply(model(x), cotangent)),
        golden.inputs(),
    )
    return relative_error(output, golden.outputs[0]), max(
        relative_error(grads[k], v) for k, v in golden.input_gradients.items()
    )


def ntu() -> float:
    golden = goldens.load("msaf_ntu_network")
    model = ntu_network()
    load_official(model, golden.state_dict())
    outputs = model.predict(golden_inputs(golden), verbose=0)
    return max(
        relative_error(outputs[m], expected)
        for m, expected in zip(
            ("video", "skeleton"), golden.outputs, strict=True
        )
    )


def main() -> None:
    print(f"{keras.backend.backend()}: golden, outputs, gradients")
    for name in GOLDENS:
        print("{:24} {:.1e} {:.1e}".format(name, *fusion_layer(name)))
    for name in ("msaf_block", "msaf_split3"):
        print(f"{name:24} {small_case(name):.1e}")
    print("{:24} {:.1e} {:.1e}".format("msaf_mosei_network", *mosei()))
    print(f"{'msaf_ravdess_network':24} {official_difference():.1e}")
    print("{:24} {:.1e}".format("msaf_ntu_network", ntu()))


if __name__ == "__main__":
    main()
