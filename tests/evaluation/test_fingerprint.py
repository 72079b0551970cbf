import keras
import numpy as np
import pytest

from keras_mmfusion.data import ModalityDropout, Padded, Split
from keras_mmfusion.evaluation.fingerprint import (
    describe_environment,
    describe_model,
    describe_split,
    differences,
    plain,
)
from keras_mmfusion.evaluation.study import built
from keras_mmfusion.models import MSAF
from tests.evaluation.tiny import linear, split


def test_a_model_built_twice_looks_the_same():
    first = describe_model(built(linear("audio"), 0))
    assert (
        list(differences(first, describe_model(built(linear("audio"), 0))))
        == []
    )


@pytest.mark.parametrize(
    ("build", "seed", "path"),
    [
        (linear("audio", 0.2), 0, "optimizer.config.learning_rate"),
        (linear("audio"), 1, "initial weights"),
        (linear("image"), 0, "parameters"),
    ],
)
def test_a_model_built_otherwise_looks_otherwise(build, seed, path):
    first = describe_model(built(linear("audio"), 0))
    found = [
        p for p, _, _ in differences(first, describe_model(built(build, seed)))
    ]
    assert path in found


def frozen(model):
    model.encoders["a"].trainable = False


@pytest.mark.once
@pytest.mark.parametrize(
    ("change", "path"),
    [
        (lambda m: m.compile(loss_weights=[3]), "compile.loss_weights"),
        (lambda m: m.compile(metrics=["mae"]), "compile.metrics"),
        (
            lambda m: m.compile(
                weighted_metrics=[keras.metrics.TopKCategoricalAccuracy(2)]
            ),
            "compile.weighted_metrics",
        ),
        (frozen, "trainable weights"),
    ],
)
def test_what_is_compiled_and_frozen_is_seen(change, path):
    def model():
        return MSAF.from_shapes(
            {"a": (3,), "b": (3,)}, num_classes=2, units=8, seed=0
        )

    changed = model()
    change(changed)
    found = differences(describe_model(model()), describe_model(changed))
    assert any(place.startswith(path) for place, _, _ in found)


class Transform:
    def __init__(self, setting):
        self.setting = setting

    def __call__(self, inputs, random):
        return inputs


def closure(scale):
    return lambda inputs, random: {k: scale * v for k, v in inputs.items()}


@pytest.mark.once
@pytest.mark.parametrize(
    ("first", "second"),
    [
        (Transform({"a": 1.0}), Transform({"a": 0.0})),
        (Transform(np.float32(1)), Transform(np.float32(0))),
        (Transform(np.ones(2)), Transform(np.zeros(2))),
        (Transform(ModalityDropout(0.1)), Transform(ModalityDropout(0.9))),
        (closure(1.0), closure(2.0)),
    ],
)
def test_settings_of_transforms_are_seen(first, second):
    assert plain(first) == plain(first)
    assert plain(first) != plain(second)


@pytest.mark.once
def test_a_fusion_model_and_a_subclass_can_be_described():
    model = MSAF.from_shapes({"a": (3,), "b": (3,)}, num_classes=2, units=8)
    described = describe_model(model)
    assert described["config"]["num_classes"] == 2

    class Own(keras.Model):
        def __init__(self):
            super().__init__()
            self.head = keras.layers.Dense(2)

        def call(self, x):
            return self.head(x["a"])

    own = Own()
    own.compile("sgd", "mse")
    own({"a": np.ones((1, 3), "float32")})
    assert describe_model(own)["parameters"] == 8


@pytest.mark.once
def test_a_split_is_told_by_labels_ids_and_content():
    first = describe_split(split(0))
    assert first == describe_split(split(0))
    other = split(0)
    scaled = Split(
        {
            "audio": Padded(2 * other.arrays()[0]["audio"]),
            "image": other.features["image"],
        },
        other.labels,
        ids=other.ids,
    )
    found = [path for path, _, _ in differences(first, describe_split(scaled))]
    assert found == ["content.audio"]


@pytest.mark.once
def test_settings_become_plain():
    assert plain(ModalityDropout(0.3)) == {
        "class": "ModalityDropout",
        "rate": 0.3,
    }
    assert plain(np.float32(0.5)) == 0.5
    assert plain(np.mean) == "numpy.mean"
    assert plain("dense_12") == "dense"
    assert plain(np.ones(2)) != plain(np.zeros(2))
    schedule = keras.optimizers.schedules.ExponentialDecay(0.1, 10, 0.5)
    assert plain(keras.optimizers.SGD(schedule))["config"]["momentum"] == 0.0


@pytest.mark.once
def test_the_environment_names_the_backend():
    environment = describe_environment()
    backend = keras.backend.backend()
    assert environment["backend"] == backend
    assert environment[f"{backend} version"] != "unknown"


@pytest.mark.once
def test_differences_name_the_place():
    old = {"a": {"b": [1, 2]}, "c": 1}
    new = {"a": {"b": [1, 3]}, "d": 1}
    assert list(differences(old, new)) == [
        ("a.b[1]", "2", "3"),
        ("c", "1", "nothing"),
        ("d", "nothing", "1"),
    ]
