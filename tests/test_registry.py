"""Classes by plain name; configs that may come from anywhere."""

import json
from typing import Any

import keras
import pytest

from keras_mmfusion import registry


@registry.register()
class RegisteredThing:
    def __init__(
        self, size: int, parts: Any = (), rate: float = 0.5, name: str = "x"
    ) -> None:
        self.size, self.parts, self.rate = size, parts, rate

    def get_config(self) -> dict[str, Any]:
        return {"size": self.size, "parts": self.parts, "rate": self.rate}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "RegisteredThing":
        return cls(**config)


@registry.register("RegisteredDense")
class DenseWithKwargs(keras.layers.Layer):
    def __init__(self, units: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.units = units

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "units": self.units}


def thing(**config: Any) -> dict[str, Any]:
    return {"class_name": "RegisteredThing", "config": config}


def test_registered_classes_are_found_by_plain_name_and_by_keras():
    assert registry.lookup("RegisteredThing") is RegisteredThing
    assert registry.registered()["RegisteredDense"] is DenseWithKwargs
    name = keras.saving.get_registered_name(DenseWithKwargs)
    assert name == "keras_mmfusion>RegisteredDense"


def test_registered_returns_a_copy():
    registry.registered().clear()
    assert registry.lookup("RegisteredThing") is RegisteredThing


def test_inner_parts_are_known_to_keras_alone():
    @registry.register_inner
    class InnerPart(keras.layers.Layer):
        pass

    name = keras.saving.get_registered_name(InnerPart)
    assert name == "keras_mmfusion>test_registry.InnerPart"
    assert keras.saving.get_registered_object(name) is InnerPart
    with pytest.raises(ValueError, match="Unknown class name"):
        registry.lookup("InnerPart")
    with pytest.raises(ValueError, match="is not registered"):
        registry.to_config(InnerPart())
    with pytest.raises(ValueError, match=r"'test_registry\.InnerPart' is alr"):
        registry.register_inner(InnerPart)


def test_unknown_name_lists_the_known_and_the_closest():
    with pytest.raises(ValueError, match="Did you mean 'RegisteredThing'"):
        registry.lookup("RegisterdThing")
    with pytest.raises(ValueError, match=r"Known: .*RegisteredDense"):
        registry.lookup("Nothing")


@pytest.mark.parametrize("name", [None, 3, ["MSAF"], "os.system", ""])
def test_lookup_takes_only_registered_text(name):
    with pytest.raises(ValueError, match="Unknown class name"):
        registry.lookup(name)


def test_a_taken_name_is_an_error():
    with pytest.raises(ValueError, match=r"already registered by .*Thing"):
        registry.register("RegisteredThing")(type("Other", (), {}))


@pytest.mark.parametrize("name", ["a/b", "keras.Model", "..", "a b"])
def test_a_name_must_be_plain(name):
    with pytest.raises(ValueError, match="plain identifier"):
        registry.register(name)(type("Other", (), {}))


def test_round_trip_through_json_text():
    data = registry.to_config(RegisteredThing(3, parts=("a", "b")))
    assert data == thing(size=3, parts=["a", "b"], rate=0.5)
    again = registry.from_config(json.loads(json.dumps(data)))
    assert (again.size, again.parts, again.rate) == (3, ["a", "b"], 0.5)


def test_layer_config_holds_its_dtype_as_a_name():
    layer = DenseWithKwargs(2, name="score", dtype="mixed_bfloat16")
    data = registry.to_config(layer)
    assert data["config"]["dtype"] == "mixed_bfloat16"
    again = registry.from_config(data)
    assert again.name == "score"
    assert again.compute_dtype == "bfloat16"


def test_an_unregistered_object_has_no_config():
    with pytest.raises(ValueError, match="Dense is not registered"):
        registry.to_config(keras.layers.Dense(2))


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({1: "one"}, "string keys"),
        (float("nan"), "must be plain JSON"),
        (len, "must be plain JSON"),
        ([{"deep": object()}], r"\['parts'\]\[0\]\['deep'\]"),
    ],
)
def test_configs_hold_plain_json_only(value, message):
    with pytest.raises(ValueError, match=message):
        registry.to_config(RegisteredThing(1, parts=value))


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"size": 1, "sise": 2}, "unknown key 'sise'. Did you mean 'size'"),
        ({}, "missing key 'size'"),
        ({"size": 1, "self": 2}, "unknown key 'self'"),
        (
            {"size": 1, "parts": {"module": "os", "class_name": "system"}},
            "names a module",
        ),
        ({"size": 1, "parts": [{"registered_name": "x"}]}, "names a module"),
        (
            {"size": 1, "parts": [{"class_name": "Lambda", "config": {}}]},
            "Unknown class name 'Lambda'",
        ),
    ],
)
def test_a_config_that_does_not_fit_is_refused(config, message):
    with pytest.raises(ValueError, match=message):
        registry.from_config(thing(**config))


@pytest.mark.parametrize(
    "data",
    [
        None,
        [],
        {"class_name": "RegisteredThing"},
        {**thing(size=1), "module": "os"},
    ],
)
def test_other_forms_are_refused(data):
    with pytest.raises(ValueError, match=r'Expected \{"class_name"'):
        registry.from_config(data)


def test_config_must_be_an_object():
    with pytest.raises(ValueError, match="must be an object"):
        registry.from_config({"class_name": "RegisteredThing", "config": []})


def test_arguments_of_the_layer_base_are_known_only_behind_kwargs():
    registry.check_arguments(DenseWithKwargs, {"units": 1, "trainable": True})
    with pytest.raises(ValueError, match="unknown key 'trainable'"):
        registry.check_arguments(RegisteredThing, {"size": 1, "trainable": 1})
