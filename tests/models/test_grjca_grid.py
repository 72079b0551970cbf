"""Encoders of different kinds on the time grid of `GRJCA`."""

import numpy as np
import pytest

from keras_mmfusion.encoders import (
    DenseEncoder,
    TCNEncoder,
    TemporalConvEncoder,
)
from keras_mmfusion.models import GRJCA
from tests.models.test_grjca import float32


def encoders_of_three_kinds(stride=2):
    return {
        "audio": TemporalConvEncoder(
            5, [4], strides=[stride], pooling=None, name="audio"
        ),
        "image": DenseEncoder(3, 4, name="image"),
        "video": TCNEncoder(6, [4], causal=False, name="video"),
    }


@pytest.mark.parametrize(("grid", "steps"), [("audio", 4), (5, 5)])
def test_vectors_are_held_and_encoders_may_shorten_time(grid, steps):
    model = GRJCA(encoders_of_three_kinds(), resample=grid, seed=0)
    rng = np.random.default_rng(0)
    x = float32(
        {
            "audio": rng.normal(size=(4, 8, 5)),
            "image": rng.normal(size=(4, 3)),
            "video": rng.normal(size=(4, 6, 6)),
        }
    )
    x["audio"][1, 5:] = 0
    x["video"][1, 3:] = 0
    x["image"][2] = 0
    y = model.predict(x, verbose=0)
    assert y.shape == (4, steps, 1)
    assert np.isfinite(y).all()
    # Half of five steps are three; padding and batch mates change nothing.
    part = {"audio": x["audio"][1:2, :5], "image": x["image"][1:2]}
    z = model.predict({**part, "video": x["video"][1:2, :3]}, verbose=0)
    valid = 3 if grid == "audio" else 5
    np.testing.assert_allclose(y[1, :valid], z[0], atol=1e-6)
    model.evaluate(x, np.zeros((4, steps)), verbose=0)
    with pytest.raises(ValueError, match="Labels of every time step"):
        model.evaluate(x, np.zeros((4, 8)), verbose=0)


def test_a_vector_is_the_same_as_the_same_step_all_the_time():
    model = GRJCA(
        {
            "audio": TCNEncoder(5, [4], causal=False, name="audio"),
            "image": DenseEncoder(3, 4, name="image"),
        },
        resample="audio",
        per_step=False,
    )
    seen = []
    for image in ([[1.0, 2, 3]], [[0.0, 0, 0]]):
        x = {"audio": np.ones((1, 6, 5)), "image": np.array(image)}
        gates = model.explain(float32(x))["gates"]["gate"]["image"][0]
        seen.append(gates.sum(axis=-1))
    np.testing.assert_allclose(seen[0], np.ones(6), rtol=1e-5)
    assert not seen[1].any()  # A missing image is at no step.


def test_a_vector_cannot_be_the_time_grid():
    with pytest.raises(ValueError, match="gives one vector"):
        GRJCA(encoders_of_three_kinds(), resample="image")
