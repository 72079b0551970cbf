"""Networks whose config nobody vouches for."""

import resource
from typing import Any

import keras
import numpy as np
import pytest

from keras_mmfusion import presets, registry
from keras_mmfusion.presets import building
from tests.presets.tiny import TinyTwins, batch

HUGE = {"class_name": "TinyTwins", "config": {"units": 2_000_000}}
SMALL = {"class_name": "TinyTwins", "config": {"units": 3}}


def refuse(model: Any) -> None:
    raise ValueError(f"{len(model.weights)} weights seen")


def test_a_huge_network_is_refused_before_it_takes_memory():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(ValueError, match="20 weights seen"):
        building.build(HUGE, refuse)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    # One of its matrices alone would need 64 TB.
    assert grown < 2**20, f"grew by {grown} kB"


def test_refused_variables_are_never_filled():
    with pytest.raises(ValueError, match="weights seen"):
        building.build(HUGE, refuse)
    with keras.StatelessScope():
        layer = keras.layers.Dense(2)
        layer.build((None, 3))
    assert layer.kernel.numpy().shape == (3, 2)


def test_shapes_are_told_without_building():
    specs = building.weight_specs(HUGE, presets.named_weights)
    kernel = specs["audio_encoder/lstm_cell/recurrent_kernel"]
    assert kernel.shape == (2_000_000, 8_000_000)
    assert kernel.dtype == "float32"


def test_a_model_that_passes_is_whole():
    model = building.build(SMALL, lambda built: None)
    assert np.isfinite(model.predict_on_batch(batch())).all()
    losses = model.train_on_batch(batch(), np.zeros((2, 2), "float32"))
    assert np.isfinite(losses)


def test_initial_weights_are_random_and_not_shared():
    model = building.build(SMALL, lambda built: None)
    weights = presets.named_weights(model)
    kernels = [
        keras.ops.convert_to_numpy(weights[f"{m}_projection/kernel"])
        for m in ("audio", "text")
    ]
    assert np.std(kernels[0]) > 0
    assert not np.array_equal(kernels[0], kernels[1])


def test_a_start_value_is_copied():
    array = np.full((8, 2), 0.25, "float32")
    array.flags.writeable = False

    def begin(model: Any) -> None:
        kernel = presets.named_weights(model)["head/kernel"]
        building.start_from(kernel, array)

    config = {"class_name": "TinyTwins", "config": {}}
    model = building.build(config, begin)
    kernel = presets.named_weights(model)["head/kernel"]
    np.testing.assert_array_equal(kernel.numpy(), array)
    model.train_on_batch(batch(), np.ones((2, 2), "float32"))
    assert not np.array_equal(kernel.numpy(), array)
    assert (array == 0.25).all()


def test_calls_are_postponed_only_while_building():
    calls = []
    assert not presets.postpone(lambda: calls.append("never"))
    building.build(SMALL, lambda _: presets.postpone(lambda: calls.append(1)))
    assert calls == [1]
    with pytest.raises(ValueError, match="seen"):
        building.build(
            SMALL,
            lambda m: (presets.postpone(lambda: calls.append(2)), refuse(m)),
        )
    assert calls == [1]
    assert not presets.postpone(lambda: None)


@registry.register("CompilesAtOnce")
class CompilesAtOnce(TinyTwins):
    """Makes its optimizer in the constructor, which cannot be deferred."""

    def __init__(self) -> None:
        super().__init__()
        self.optimizer = keras.optimizers.Adam()


def test_an_optimizer_in_the_constructor_is_explained():
    with pytest.raises(ValueError, match="stateless scope") as caught:
        building.build(
            {"class_name": "CompilesAtOnce", "config": {}}, lambda _: None
        )
    assert "presets.postpone" in caught.value.__notes__[0]


def test_differences_are_all_listed():
    spec = building.WeightSpec
    found = {"a": spec((1,), "float32"), "b": spec((2,), "float32")}
    expected = {"b": spec((3,), "int32"), "c": spec((), "float32")}
    assert building.differences(found, expected) == [
        "missing 'c'",
        "unexpected 'a'",
        "'b' is float32 (2,), expected int32 (3,)",
    ]
    assert building.differences(found, found) == []
