import keras
import numpy as np
import pytest
from keras import ops

from keras_mmfusion.layers import ResampleTime
from tests.backend import call, input_gradients, numpy_of


def ramp(steps: int, lengths: list[int], width: int = 2) -> np.ndarray:
    """Rises from 1 to 2 over the valid steps of every sample."""
    x = np.zeros((len(lengths), steps, width), "float32")
    for row, n in zip(x, lengths, strict=True):
        row[:n] = np.linspace(1, 2, n)[:, None]
    return x


def masks(x: dict) -> dict:
    return {m: v[..., 0] != 0 for m, v in x.items()}


def test_a_ramp_stays_a_ramp_on_any_grid():
    x = {"a": ramp(9, [9, 4]), "b": ramp(5, [5, 5])}
    layer = ResampleTime(steps=7)
    y, new = call(layer, x, mask=masks(x), return_mask=True)
    for m in x:
        expected = np.repeat(ramp(7, [7])[..., :1], 2, axis=0)
        np.testing.assert_allclose(numpy_of(y[m])[..., :1], expected, rtol=1e-6)
        assert numpy_of(new[m]).all()


def test_the_reference_is_the_grid_and_stays_as_it_is():
    rng = np.random.default_rng(0)
    x = {"a": ramp(9, [9, 3, 1]), "b": rng.normal(size=(3, 5, 4))}
    x["b"] = x["b"].astype("float32")
    x["b"][1, 2:] = 0
    layer = ResampleTime(reference="b")
    y, new = call(layer, x, mask=masks(x), return_mask=True)
    np.testing.assert_array_equal(numpy_of(y["b"]), x["b"])
    expected = ramp(5, [5, 2, 5])
    expected[2] = 1  # a single step is everywhere the same
    np.testing.assert_allclose(numpy_of(y["a"]), expected, rtol=1e-6)
    for m in x:
        np.testing.assert_array_equal(numpy_of(new[m]), masks(x)["b"])


def test_missing_modalities():
    x = {"a": ramp(9, [0, 4, 9]), "b": ramp(6, [5, 0, 0])}
    y, new = call(
        ResampleTime(reference="b"), x, mask=masks(x), return_mask=True
    )
    assert not numpy_of(y["a"])[0].any()
    # Without the reference the others keep their steps, or are squeezed.
    np.testing.assert_allclose(numpy_of(y["a"])[1:], ramp(6, [4, 6]), rtol=1e-6)
    assert numpy_of(new["a"]).sum(axis=1).tolist() == [0, 4, 6]
    assert numpy_of(new["b"]).sum(axis=1).tolist() == [5, 0, 0]
    y, new = call(ResampleTime(steps=3), x, mask=masks(x), return_mask=True)
    assert numpy_of(new["b"]).sum(axis=1).tolist() == [3, 0, 0]
    assert not numpy_of(y["b"])[1:].any()


def test_padding_and_batch_mates_change_nothing():
    rng = np.random.default_rng(0)
    x = {"a": rng.normal(size=(2, 9, 3)), "b": rng.normal(size=(2, 6, 2))}
    x = {m: v.astype("float32") for m, v in x.items()}
    x["a"][0, 5:], x["b"][0, 4:] = 0, 0
    layer = ResampleTime(reference="b")
    batch = call(layer, x, mask=masks(x))
    alone = {"a": x["a"][:1, :5], "b": x["b"][:1, :4]}
    short = call(layer, alone, mask=masks(alone))
    for m in x:
        np.testing.assert_allclose(
            numpy_of(batch[m])[:1, :4], numpy_of(short[m]), atol=1e-6
        )
        assert not numpy_of(batch[m])[0, 4:].any()


def test_gradients_reach_every_step_that_is_read():
    x = {"a": np.ones((1, 5, 1)), "b": np.ones((1, 9, 1))}
    layer = ResampleTime(reference="b")
    layer.build({m: v.shape for m, v in x.items()})
    grads = input_gradients(lambda t: ops.sum(layer(t)["a"]), x)
    np.testing.assert_allclose(
        grads["a"][0, :, 0], [1.5, 2, 2, 2, 1.5], rtol=1e-6
    )


def test_symbolic_inputs_of_any_length():
    inputs = {
        "a": keras.Input((None, 3), name="a"),
        "b": keras.Input((None, 2), name="b"),
    }
    model = keras.Model(inputs, ResampleTime(reference="b")(inputs))
    for steps in (1, 4):
        x = {"a": np.ones((2, 7, 3)), "b": np.ones((2, steps, 2))}
        assert model.predict(x, verbose=0)["a"].shape == (2, steps, 3)


@pytest.mark.parametrize(
    ("arguments", "shapes", "message"),
    [
        ({}, None, "either `steps` or `reference`"),
        ({"steps": 3, "reference": "a"}, None, "either"),
        ({"steps": 0}, None, "at least 1"),
        ({"reference": "c"}, {"a": (1, 5, 8), "b": (1, 5, 8)}, "one of"),
        ({"steps": 3}, {"a": (1, 5, 8), "b": (1, 8)}, "time grid"),
        ({"steps": 3}, {"a": (1, 5, 8)}, "two or more"),
    ],
)
def test_bad_arguments_are_named(arguments, shapes, message):
    with pytest.raises(ValueError, match=message):
        ResampleTime(**arguments).build(shapes)
