"""What GRJCA is compared with has the same encoders and head."""

import keras
import numpy as np
import pytest

from keras_mmfusion.encoders import DenseEncoder, TCNEncoder
from keras_mmfusion.evaluation import attention_ladder
from keras_mmfusion.models import GRJCA

# Layers and models are tested under each backend; eight networks a test are
# many to compile.
pytestmark = pytest.mark.once("torch")


def encoders(seed):
    return {
        "audio": TCNEncoder(5, [4], causal=False, name="audio", seed=seed),
        "image": DenseEncoder(3, 6, name="image"),
    }


def finish(model):
    model.compile("sgd", "mse")
    return model


def ladder(**changes):
    arguments = {
        "num_classes": 3,
        "per_step": False,
        "hidden_units": 8,
        "resample": 4,
        **changes,
    }
    return attention_ladder(encoders, finish, **arguments)


def test_every_rung_takes_its_modalities_and_gives_classes():
    x = {"audio": np.ones((2, 7, 5), "float32"), "image": np.ones((2, 3))}
    models = {name: build(0) for name, build in ladder().items()}
    for name, model in models.items():
        part = {k: x[k] for k in model.input}
        assert sorted(part) == ([name] if name in x else sorted(x))
        assert model.predict(part, verbose=0).shape == (2, 3)
        assert type(model.optimizer).__name__ == "SGD"
    rungs = [m for m in models.values() if isinstance(m, GRJCA)]
    assert [(m.fusion.steps, m.fusion.gate) for m in rungs] == [
        (2, "flat"),
        (2, "hierarchical"),
        (2, None),
        (1, None),
    ]
    width = {m: models[m].get_layer("head").hidden.kernel.shape for m in models}
    assert width["concat"] == width["grjca"] == (10, 8)
    assert (width["audio"], width["image"]) == ((4, 8), (6, 8))


def test_regression_at_every_step_without_a_common_grid():
    def twins(seed):
        return {m: TCNEncoder(5, [4], causal=False, name=m) for m in "ab"}

    builds = attention_ladder(twins, finish, output_range=2.0)
    x = {m: np.ones((2, 7, 5), "float32") for m in "ab"}
    for build in builds.values():
        model = build(0)
        y = model.predict({k: x[k] for k in model.input}, verbose=0)
        assert y.shape == (2, 7, 1)


def test_padding_and_a_missing_modality_change_nothing_else():
    model = ladder(resample="audio")["concat"](0)
    random = np.random.default_rng(0)
    x = {
        "audio": random.normal(size=(2, 7, 5)).astype("float32"),
        "image": random.normal(size=(2, 3)).astype("float32"),
    }
    x["audio"][1, 4:] = 0
    x["image"][0] = 0
    y = model.predict(x, verbose=0)
    short = {"audio": x["audio"][1:, :4], "image": x["image"][1:]}
    np.testing.assert_allclose(y[1:], model.predict(short, verbose=0), 1e-5)
    assert np.isfinite(y).all()


def test_a_modality_must_not_have_the_name_of_a_model():
    def named(seed):
        return {m: TCNEncoder(5, [4], name=m) for m in ("rjca", "b")}

    with pytest.raises(ValueError, match=r"Received: \['rjca'\]"):
        attention_ladder(named, keras.Model)


def test_a_modality_alone_has_no_steps_of_the_common_grid():
    with pytest.raises(ValueError, match="per_step=False"):
        ladder(per_step=True)
