"""The whole published network of 118 million parameters."""

import numpy as np
import pytest

from keras_mmfusion.convert import load_official
from keras_mmfusion.models import GRJCA
from tests import goldens
from tests.backend import relative_error
from tests.goldens.fill import fill

pytestmark = pytest.mark.slow


def test_equals_the_official_network():
    golden = goldens.load("grjca_network")
    model = GRJCA.from_preset("affwild2", load_weights=False)
    shapes = golden.meta["state_dict"]
    state = {k: fill(k, v).astype("float32") for k, v in shapes.items()}
    assert load_official(model, state) == [
        "spatial.visual.logits.weight",
        "spatial.visual.logits.bias",
    ]
    logits = sum(state[k].size for k in state if "visual.logits" in k)
    trainable = sum(np.prod(v.shape) for v in model.trainable_variables)
    assert trainable + logits == golden.meta["parameters"] == 118_323_391
    del state

    x = golden.inputs()
    inputs = {
        "video": x["video"].transpose(0, 1, 3, 4, 2).astype("float32"),
        "audio": x["logmel"].transpose(0, 2, 3, 1).astype("float32"),
    }
    output = model.predict(inputs, verbose=0)
    assert relative_error(output, golden.outputs[0]) < 1e-5
