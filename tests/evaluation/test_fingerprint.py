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
