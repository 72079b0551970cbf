import json
from pathlib import Path

import keras
import numpy as np
import pytest

from keras_mmfusion import models
from tests.backend import call, numpy_of
from tests.models.mea_example import config, inputs, model_of

WEIGHTS = Path(__file__).parents[2] / "weights"
SHAPES = {"text": (None, 7), "audio": (None, 5)}
TINY = {
    "width": 8,
    "latent": 6,
    "num_heads": 2,
    "exclusive_layers": 1,
    "agnostic_layers": 1,
    "levels": ["fine"],
}


def parameters(model):
    return sum(int(np.prod(v.shape)) for v in model.trainable_weights)


@pytest.mark.parametrize(
    ("widths", "num_heads", "expected"),
    [((300, 20, 5), 8, 788_038), ((300, 35, 74), 10, 800_074)],
)
def test_published_sizes(widths, num_heads, expected):
    shapes = dict(zip(("text", "video", "audio"), widths, strict=True))
    model = models.MEA(
        {m: (None, width) for m, width in shapes.items()}, num_heads=num_heads
    )
    assert parameters(model) == expected


def test_discriminators_are_no_part_of_the_inference_graph():
    model = model_of(config(levels=("fine",), exclusive_layers=1))
    before = numpy_of(call(model, inputs()))
    assert not any("discriminator" in layer.name for layer in model.operations)
    for weight in model.objective.trainable_weights:
        weight.assign(np.zeros(weight.shape))
    np.testing.assert_array_equal(numpy_of(call(model, inputs())), before)
    assert len(model.objective.trainable_weights) == 5


@pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="TensorFlow's own format"
)
def test_discriminators_are_no_part_of_an_exported_graph(tmp_path):
    import tensorflow as tf

    model = models.MEA(SHAPES, **TINY)
    model.export(tmp_path, verbose=False)
    saved = tf.saved_model.load(tmp_path)  # Its variables live while it does.
    graph = saved.signatures["serving_default"].graph
    for variables in (graph.variables, saved.variables):
        names = [v.name for v in variables]
        assert not any("discriminator" in name for name in names)
        objective = len(model.objective.trainable_weights)
        kept = [name for name in names if "seed" not in name]
        assert len(kept) == len(model.trainable_weights) - objective


def test_a_call_in_training_mode_returns_the_prediction_too():
    model = models.MEA(SHAPES, **TINY)
    x = {"text": np.ones((2, 3, 7), "float32"), "audio": np.ones((2, 4, 5))}
    x["audio"] = x["audio"].astype("float32")
    assert call(model, x, training=True).shape == (2, 1)


def test_labels_of_regression_and_of_binary_heads_are_checked():
    x = {"text": np.ones((4, 3, 7)), "audio": np.ones((4, 4, 5))}
    regression = models.MEA(SHAPES, **TINY)
    with pytest.raises(ValueError, match="shape"):
        regression.fit(x, np.ones((4, 2)), verbose=0)
    heads = models.MEA(SHAPES, binary_heads=3, **TINY)
    assert heads.output_shape == (None, 3, 2)
    with pytest.raises(ValueError, match="shape"):
        heads.fit(x, np.ones((4, 2)), verbose=0)


def test_flat_regression_labels_pair_up_with_the_predictions():
    x = {
        "text": np.random.default_rng(0).normal(size=(4, 3, 7)),
        "audio": np.ones((4, 4, 5)),
    }
    y = np.arange(4.0)
    model = models.MEA(SHAPES, **TINY)
    loss = model.test_on_batch(x, y, return_dict=True)["task_loss"]
    predicted = model.predict_on_batch(x)[:, 0]
    np.testing.assert_allclose(loss, np.mean((predicted - y) ** 2), rtol=1e-5)


@pytest.mark.once
@pytest.mark.parametrize("name", ["mosi", "mosei", "iemocap"])
def test_presets_of_the_paper_are_as_printed_which_is_not_the_default(name):
    path = WEIGHTS / f"mea_{name}" / "config.json"
    published = json.loads(path.read_text())["config"]
    assert published["form"] == "paper"
    assert models.MEA(SHAPES, **TINY).settings.form == "stable"


def test_config_is_plain_and_whole():
    model = models.MEA(SHAPES, form="stable", kernel_sizes=5, seed=1, **TINY)
    data = json.loads(json.dumps(model.get_config()))
    assert models.MEA.from_config(data).get_config() == model.get_config()
    assert data["form"] == "stable"


@pytest.mark.parametrize(
    "wrong",
    [
        {"shapes": {"text": (None, 7)}},
        {"shapes": {"text": (None, 7), "facts": (3,)}},
        {"modalities": ["text", "video"]},
        {"kernel_sizes": {"text": 3}},
        {"form": "printed"},
        {"disparity": "none"},
        {"fusion": "sum"},
        {"pool": "attention"},
        {"levels": ["mixt"]},
        {"width": 9},
        {"num_heads": 3},
        {"latent": 0},
        {"beta": -1.0},
        {"exclusive": False, "agnostic": False},
        {"num_classes": 3, "binary_heads": 2},
        {"num_targets": 3, "binary_heads": 2},
        {"binary_heads": 0},
        {"binary_heads": 1.5},
        {"alpha": float("nan")},
        {"beta": "0.1"},
        {"reversal": -1},
        {"kernel_sizes": 2.5},
        {"kernel_sizes": 0},
        {"exclusive_layers": 1.5},
        {"agnostic_layers": -1},
        {"width": 8.0},
        {"ramp_steps": -1},
    ],
    ids=str,
)
def test_wrong_arguments_are_refused(wrong):
    with pytest.raises(ValueError, match="Received") as error:
        models.MEA(**{"shapes": SHAPES, **TINY, **wrong})
    for argument in wrong:
        assert argument.removesuffix("s") in str(error.value)
