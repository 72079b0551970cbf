"""The self-check by input and output."""

import keras
import numpy as np
import pytest

from keras_mmfusion import presets
from keras_mmfusion.presets import PresetFileError, golden
from tests.presets.tiny import TinyTwins, tiny


def test_the_input_is_the_same_everywhere():
    model = tiny()
    made = golden.inputs(model, golden.default_shapes(model))
    assert made["audio"].shape == (2, 16, 3)
    assert made["audio"].dtype == np.float32
    # Computed once by hand from the formula; guards against a change of it,
    # which would make every published preset unreadable.
    count = 1
    mixed = (count * 2654435761) % 2**64
    mixed = ((mixed ^ (mixed >> 15)) * 2246822519) % 2**64
    mixed = ((mixed ^ (mixed >> 13)) >> 8) % 65536
    assert made["audio"][0, 0, 0] == mixed / 32768 - 1


def test_the_input_is_spread_and_differs_by_modality():
    model = tiny()
    made = golden.inputs(model, golden.default_shapes(model))
    for array in made.values():
        assert array.min() < -0.9
        assert array.max() > 0.9
    flat = [made[m][0].ravel() for m in ("audio", "text")]
    assert abs(np.corrcoef(*flat)[0, 1]) < 0.5


def test_the_second_sample_is_padded():
    model = tiny()
    made = golden.inputs(model, golden.default_shapes(model))["text"]
    assert (made[1, 12:] == 0).all()
    assert (made[1, :12] != 0).any(axis=-1).all()
    assert (made[0] != 0).any(axis=-1).all()


def test_whole_number_inputs_stay_whole():
    tokens = keras.Input((4,), name="text", dtype="int32")
    embedded = keras.layers.Embedding(2, 3)(tokens)
    model = keras.Model({"text": tokens}, embedded)
    made = golden.inputs(model, {"text": [2, 4]})["text"]
    assert made.dtype == np.int32
    assert set(made.ravel()) <= {0, 1}


@pytest.mark.parametrize(
    "twin", ["projection/kernel", "encoder/lstm_cell/kernel", "norm/gamma"]
)
def test_exchanged_twins_are_noticed(twin):
    model = tiny()
    expected = golden.make(model, None)
    assert golden.check(model, expected, "m") < 1e-5
    weights = presets.named_weights(model)
    audio, text = weights[f"audio_{twin}"], weights[f"text_{twin}"]
    values = [np.array(keras.ops.convert_to_numpy(v)) for v in (audio, text)]
    audio.assign(values[1])
    text.assign(values[0])
    with pytest.raises(PresetFileError, match="exchanged"):
        golden.check(model, expected, "m")


def test_nan_outputs_are_noticed():
    model = tiny()
    expected = golden.make(model, None)
    head = presets.named_weights(model)["head/bias"]
    head.assign(np.array([np.nan, 0.0], "float32"))
    with pytest.raises(PresetFileError, match="difference nan"):
        golden.check(model, expected, "m")
    with pytest.raises(ValueError, match="NaN or infinite"):
        golden.make(model, None)


def test_small_outputs_are_compared_by_their_own_size():
    model = tiny()
    weights = presets.named_weights(model)
    for part in ("head/kernel", "head/bias"):
        value = keras.ops.convert_to_numpy(weights[part])
        weights[part].assign(value * 1e-4)
    expected = golden.make(model, None)
    bias = weights["head/bias"]
    bias.assign(keras.ops.convert_to_numpy(bias) + 1e-4)
    with pytest.raises(PresetFileError, match="golden output"):
        golden.check(model, expected, "m")


def test_half_precision_is_given_more_room():
    model = tiny()
    expected = golden.make(model, None)
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        mixed = TinyTwins()
    finally:
        keras.config.set_dtype_policy("float32")
    for name, weight in presets.named_weights(mixed).items():
        weight.assign(presets.named_weights(model)[name])
    assert golden.check(mixed, expected, "m") < 0.1


@pytest.mark.parametrize(
    "shapes",
    [
        {"audio": [2, 16, 3]},
        {"audio": [2, 16, 3], "text": [2, 16, 3], "video": [1]},
        {"audio": [2, 16, 3], "text": [2, 16, 4]},
        {"audio": [2, 16, 3], "text": [2, 0, 3]},
        {"audio": [2, 16, 3], "text": [2, 2**40, 3]},
        {"audio": [2, 16, 3], "text": "233"},
        {"audio": [2, 16, 3], "text": [2, 16.0, 3]},
    ],
)
def test_bad_input_shapes_are_refused_before_memory_is_used(shapes):
    with pytest.raises(ValueError, match="golden input"):
        golden.inputs(tiny(), shapes)


def test_a_model_without_symbolic_inputs_is_refused():
    class Subclassed(keras.Model):
        pass

    with pytest.raises(ValueError, match="functional models"):
        golden.default_shapes(Subclassed())


def test_outputs_may_be_nested():
    inputs = keras.Input((3,), name="audio")
    first = keras.layers.Dense(2, name="first")(inputs)
    second = keras.layers.Dense(1, name="second")(inputs)
    model = keras.Model({"audio": inputs}, {"a": first, "b": [second]})
    found = golden.outputs(model, {"audio": [2, 3]})
    assert {n: v.shape for n, v in found.items()} == {
        "output/a": (2, 2),
        "output/b/0": (2, 1),
    }
