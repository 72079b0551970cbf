"""Names of weights: explicit, stable, independent of order."""

from typing import Any

import keras
import pytest

from keras_mmfusion import presets, registry
from tests.presets.tiny import TinyTwins, tiny


@registry.register("CarelessModel")
class Careless(keras.Model):
    """Leaves one layer without a name."""

    def __init__(self) -> None:
        inputs = keras.Input((3,), name="audio", dtype="float32")
        x = keras.layers.Dense(2, name="named")(inputs)
        super().__init__({"audio": inputs}, keras.layers.Dense(2)(x))

    def get_config(self) -> dict[str, Any]:
        return {}

    @classmethod
    def from_config(cls, config: Any, custom_objects: Any = None) -> "Careless":
        return cls(**config)


def test_names_are_layer_paths_of_exactly_the_weights():
    model = TinyTwins()
    names = presets.named_weights(model)
    assert len(names) == len(model.weights)
    assert {id(w) for w in names.values()} == {id(w) for w in model.weights}
    assert "audio_encoder/lstm_cell/recurrent_kernel" in names
    assert "text_norm/moving_variance" in names
    assert list(names) == sorted(names)


def test_seeds_metrics_and_optimizer_are_left_out():
    model = TinyTwins()
    before = list(presets.named_weights(model))
    model.compile("adam", metrics=["mae"])
    model.optimizer.build(model.trainable_variables)
    assert list(presets.named_weights(model)) == before
    assert not [n for n in before if "seed" in n or "adam" in n]


def test_counters_inside_layers_are_included():
    inputs = keras.Input((3,))
    layer = keras.layers.Normalization(name="norm")
    layer.build((None, 3))
    model = keras.Model(inputs, layer(inputs))
    assert "norm/count" in presets.named_weights(model)


def test_order_of_construction_does_not_matter():
    forward = TinyTwins(order=("audio", "text"))
    backward = TinyTwins(order=("text", "audio"))
    assert list(presets.named_weights(forward)) == list(
        presets.named_weights(backward)
    )


def test_nested_models_and_bidirectional_layers():
    inner_input = keras.Input((None, 3))
    recurrent = keras.layers.LSTM(2, name="lstm")
    inner = keras.Model(
        inner_input,
        keras.layers.Bidirectional(recurrent, name="both")(inner_input),
        name="encoder",
    )
    outer_input = keras.Input((None, 3))
    names = presets.named_weights(keras.Model(outer_input, inner(outer_input)))
    assert "encoder/both/forward_lstm/lstm_cell/kernel" in names
    assert "encoder/both/backward_lstm/lstm_cell/kernel" in names


def test_a_shared_layer_has_its_shortest_name():
    inputs = keras.Input((3,))
    shared = keras.layers.Dense(3, name="shared")
    inner_input = keras.Input((3,))
    inner = keras.Model(inner_input, shared(inner_input), name="inner")
    model = keras.Model(inputs, shared(inner(inputs)))
    assert list(presets.named_weights(model)) == [
        "shared/bias",
        "shared/kernel",
    ]


def test_equal_names_are_an_error():
    inputs = keras.Input((3,))
    cells = keras.layers.RNN(
        [
            keras.layers.LSTMCell(2, name="c"),
            keras.layers.LSTMCell(2, name="c"),
        ],
        name="rnn",
    )
    sequence = keras.layers.Reshape((1, 3))(inputs)
    model = keras.Model(inputs, cells(sequence))
    with pytest.raises(ValueError, match=r"both named 'rnn/.*/c/\w+'"):
        presets.named_weights(model)


def test_automatic_names_are_found():
    assert presets.automatic_names(tiny()) == []
    names = presets.automatic_names(Careless())
    assert len(names) == 2
    assert not [n for n in names if n.startswith("named")]


def test_a_model_with_automatic_names_is_not_saved(tmp_path):
    with pytest.raises(ValueError, match="explicit name"):
        presets.save_preset(Careless(), tmp_path / "p")
    assert not (tmp_path / "p").exists()
