"""Where networks can be cut, and what is said where they cannot."""

import keras
import numpy as np
import pytest

from keras_mmfusion.models.graph_cut import CuttableNetwork

pytestmark = pytest.mark.once
layers = keras.layers


def residual_network() -> keras.Model:
    """Two dense layers, the second with a skip connection around it."""
    inputs = keras.Input((4,))
    first = layers.Dense(4, name="first")(inputs)
    second = layers.Dense(4, name="second")(first)
    joined = layers.Add(name="joined")([first, second])
    return keras.Model(inputs, layers.Dense(3, name="last")(joined))


def masked_network() -> keras.Model:
    return keras.Sequential(
        [
            keras.Input((None, 5)),
            layers.Masking(name="masking"),
            layers.LSTM(4, return_sequences=True, name="lstm1"),
            layers.LSTM(4, return_sequences=True, name="lstm2"),
            layers.LSTM(4, name="lstm3"),
            layers.Dense(3, name="last"),
        ]
    )


def check_parts(network, names, x):
    """The parts give what the network gives; returns the first mask."""
    inputs = keras.Input(network.input_shape[1:])
    y, mask, masks = inputs, None, []
    for stage in CuttableNetwork(network, "m").stages(names):
        if stage is not None:
            y, mask = stage.run(y, mask)
            masks += [] if mask is None else [mask]
    model = keras.Model(
        inputs,
        {"parts": y, "all": network(inputs)}
        | ({"mask": masks[0]} if masks else {}),
    )
    values = model.predict(x, verbose=0)
    np.testing.assert_allclose(values["parts"], values["all"], atol=1e-6)
    return values.get("mask")


@pytest.mark.parametrize("names", [["first", "joined"], ["last"]])
def test_the_parts_make_the_network(names):
    x = np.random.default_rng(0).normal(size=(2, 4)).astype("float32")
    assert check_parts(residual_network(), names, x) is None


@pytest.mark.parametrize("names", [["masking"], ["lstm1", "last"]])
def test_masks_cross_the_cut(names):
    x = np.random.default_rng(0).normal(size=(2, 6, 5)).astype("float32")
    x[0, 3:] = 0
    mask = check_parts(masked_network(), names, x)
    np.testing.assert_array_equal(mask, [[1, 1, 1, 0, 0, 0], [1] * 6])


def test_a_stage_has_the_layers_themselves():
    network = residual_network()
    first, rest = CuttableNetwork(network, "m").stages(["first"])
    assert first.layers[-1] is network.get_layer("first")
    assert network.get_layer("second") in rest.layers


def test_cutting_twice_gives_the_same_parts():
    network = residual_network()
    points = CuttableNetwork(network, "m").layer_names
    CuttableNetwork(network, "m").stages(["first", "joined"])
    assert CuttableNetwork(network, "m").layer_names == points
    assert points == ["first", "joined", "last"]


def refused(network, *names):
    with pytest.raises(ValueError, match="'m'") as error:
        CuttableNetwork(network, "m").stages(names)
    return str(error.value)


def test_an_unknown_layer_lists_the_close_ones():
    assert "Close names: first" in refused(residual_network(), "fist")
    said = refused(residual_network(), "conv4_block1")
    assert "can be cut behind: first, joined, last" in said


def test_a_skip_connection_is_named():
    said = refused(residual_network(), "second")
    assert "output of 'first' goes around it into 'joined'" in said
    assert "can be cut: 'first' and 'joined'" in said


def test_a_mask_is_no_skip_connection():
    assert "lstm2" in CuttableNetwork(masked_network(), "m").layer_names


def test_layers_in_another_order_are_refused():
    assert "'first' after 'last'" in refused(
        residual_network(), "last", "first"
    )
    assert "'last' after 'last'" in refused(residual_network(), "last", "last")


def test_the_input_is_no_layer_to_tap():
    inputs = keras.Input((4,), name="pixels")
    network = keras.Model(inputs, layers.Dense(2)(inputs))
    assert "it is the input" in refused(network, "pixels")


def test_a_layer_used_twice_is_refused():
    inputs = keras.Input((4,))
    dense = layers.Dense(4, name="twice")
    network = keras.Model(inputs, layers.Dense(2)(dense(dense(inputs))))
    assert "used 2 times" in refused(network, "twice")


def test_a_layer_with_several_outputs_is_refused():
    inputs = keras.Input((5, 4))
    steps, h, c = layers.LSTM(
        3, return_sequences=True, return_state=True, name="lstm"
    )(inputs)
    network = keras.Model(
        inputs, layers.Concatenate(axis=1)([steps, h[:, None], c[:, None]])
    )
    assert "3 outputs" in refused(network, "lstm")


def test_a_layer_of_a_nested_model_is_explained():
    inner = residual_network()
    network = keras.Sequential([keras.Input((4,)), inner, layers.Dense(2)])
    said = refused(network, "joined")
    assert f"inside the nested model '{inner.name}'" in said


class Subclassed(keras.Model):
    def __init__(self):
        super().__init__()
        self.dense = layers.Dense(2)

    def call(self, inputs):
        return self.dense(inputs)


class WithOwnCall(keras.Model):
    def call(self, inputs, training=None, mask=None):
        return super().call(inputs, training=training, mask=mask) * 2


def two_inputs():
    a, b = keras.Input((2,)), keras.Input((2,))
    return keras.Model([a, b], layers.Add()([a, b]))


def channels_first():
    inputs = keras.Input((3, 8, 8))
    x = layers.GlobalAveragePooling2D(data_format="channels_first")(inputs)
    return keras.Model(inputs, x)


def own_call():
    inputs = keras.Input((2,))
    return WithOwnCall(inputs, layers.Dense(2)(inputs))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: "vgg16", "must be a Keras model"),
        (Subclassed, "subclassed model Subclassed"),
        (lambda: keras.Sequential([layers.Dense(2)]), "no shapes yet"),
        (two_inputs, "one of its inputs"),
        (channels_first, "channels first"),
        (own_call, "whose own `call`"),
    ],
)
def test_networks_without_a_graph_to_cut_say_why(make, message):
    with pytest.raises(ValueError, match=message):
        CuttableNetwork(make(), "rgb")
