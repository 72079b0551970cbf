import functools
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
from keras import ops

from keras_mmfusion.convert import load_official
from keras_mmfusion.layers import GatedJointCrossAttention
from keras_mmfusion.layers.gated_joint_cross_attention import unit_length
from tests import goldens
from tests.backend import call, input_gradients, numpy_of, relative_error
from tests.layers.streaming import stream
from tests.reference import grjca as reference

GATES = {"grjca": "flat", "hgrjca": "hierarchical"}
ORDER = ("video", "audio")
WIDTHS = {"video": 6, "audio": 4}


def float32(arrays: dict) -> dict:
    return {k: np.asarray(v, "float32") for k, v in arrays.items()}


def features(steps: int = 5, batch: int = 3, seed: int = 0) -> dict:
    rng = np.random.default_rng(seed)
    return float32(
        {m: rng.normal(size=(batch, steps, w)) for m, w in WIDTHS.items()}
    )


def joined(y: dict) -> np.ndarray:
    return np.concatenate([numpy_of(y[m]) for m in ORDER], axis=-1)


@functools.cache
def official(kind: str):
    """The layer with the golden's weights, and the golden."""
    golden = goldens.load(f"{kind}_fusion")
    layer = GatedJointCrossAttention(gate=GATES[kind], modalities=ORDER)
    layer.build({k: v.shape for k, v in golden.inputs().items()})
    load_official(layer, golden.state_dict())
    return layer, golden


@functools.cache
def make(mixing: str = "none", steps: int = 2, **kwargs: Any):
    """A small layer whose every weight is random."""
    layer = GatedJointCrossAttention(
        steps, temporal_mixing=mixing, modalities=ORDER, **kwargs
    )
    layer.build({m: (None, 5, w) for m, w in WIDTHS.items()})
    rng = np.random.default_rng(1)
    for variable in layer.trainable_variables:
        variable.assign(rng.normal(size=variable.shape) / 2)
    return layer


def random_state(steps: int, gate: str | None) -> dict[str, np.ndarray]:
    """Random official weights of any number of steps, T = 5."""
    rng = np.random.default_rng(steps)
    shapes: dict[str, tuple[int, int]] = {}
    for k in range(steps):
        step = f"coattn.dcn_layers.{k}."
        shapes[f"{step}dense_coattn.query_linear"] = (10, 10)
        for i, width in enumerate(WIDTHS.values()):
            shapes[f"{step}dense_coattn.key{i + 1}_linear"] = (5, 5)
            shapes[f"{step}dense_coattn.value{i + 1}_linear"] = (width, width)
            shapes[f"{step}linears.{i}.0"] = (width, 10)
    for m, width in WIDTHS.items():
        name = f"{m}_gating_fc_layer"
        if gate == "flat":
            shapes[name] = (steps + 1, width)
        elif gate == "hierarchical":
            shapes[f"{name}_stage"] = (steps, width)
            for j in range(1, steps + 1):
                shapes[f"{name}_stage{j}"] = (j + 1, width)
    state = {}
    for name, shape in shapes.items():
        state[f"{name}.weight"] = rng.normal(size=shape) / 2
        state[f"{name}.bias"] = rng.normal(size=shape[0]) / 2
    return state


def objective(layer: Any, golden: Any) -> Callable[[Any], Any]:
    cotangent = ops.convert_to_tensor(golden.cotangents()[0].astype("float32"))

    def value(x: Any) -> Any:
        y = layer(x)
        return ops.sum(
            ops.concatenate([y[m] for m in ORDER], axis=-1) * cotangent
        )

    return value


def weight_gradients(function: Callable[[], Any], variables: list) -> list:
    """Gradient of the scalar `function()` with respect to each variable."""
    backend = keras.backend.backend()
    if backend == "jax":
        import jax

        def stateless(values: list) -> Any:
            mapping = list(zip(variables, values, strict=True))
            with keras.StatelessScope(state_mapping=mapping):
                return function()

        grads = jax.jit(jax.grad(stateless))([v.value for v in variables])
    elif backend == "tensorflow":
        import tensorflow as tf

        with tf.GradientTape() as tape:
            value = function()
        grads = tape.gradient(value, [v.value for v in variables])
    else:
        for v in variables:
            v.value.grad = None
        function().backward()
        grads = [v.value.grad for v in variables]
    return [numpy_of(g) for g in grads]


@pytest.mark.parametrize(
    ("kind", "count"), [("grjca", 1118326), ("hgrjca", 1119870)]
)
def test_every_parameter_is_a_live_one_of_the_official_module(kind, count):
    layer, golden = official(kind)
    parameters = sum(np.prod(v.shape) for v in layer.trainable_variables)
    assert parameters == golden.meta["parameters"] == count


@pytest.mark.parametrize("kind", GATES)
def test_equals_the_official_outputs(kind):
    layer, golden = official(kind)
    output = joined(call(layer, float32(golden.inputs())))
    assert relative_error(golden.stored_steps(output), golden.outputs[0]) < 1e-5


@pytest.mark.parametrize("kind", GATES)
def test_equals_the_official_input_gradients(kind):
    layer, golden = official(kind)
    grads = input_gradients(objective(layer, golden), golden.inputs())
    for name, expected in golden.input_gradients.items():
        assert relative_error(golden.stored_steps(grads[name]), expected) < 1e-5


@pytest.mark.parametrize("kind", GATES)
def test_equals_the_official_weight_gradients(kind):
    layer, golden = official(kind)
    variables = {
        "coattn.dcn_layers.0.dense_coattn.query_linear.weight": layer.attention[
            0
        ].joint.kernel
    }
    for level, gates in layer.gates.items():
        for m, gate in zip(layer.order, gates, strict=True):
            suffix = "" if kind == "grjca" else level.replace("gate", "_stage")
            name = f"{m}_gating_fc_layer{suffix}.weight"
            variables[name] = gate.kernel
    assert set(variables) == set(golden.parameter_gradients)
    x = float32(golden.inputs())
    value = objective(layer, golden)
    found = weight_gradients(lambda: value(x), list(variables.values()))
    for name, gradient in zip(variables, found, strict=True):
        expected = golden.parameter_gradients[name]
        gradient = golden.stored_rows(name, gradient.T)
        assert relative_error(gradient, expected) < 1e-5


@pytest.mark.parametrize("kind", GATES)
def test_equals_the_small_official_cases(kind):
    case = goldens.small_case(f"{kind}_cam")
    layer = GatedJointCrossAttention(gate=GATES[kind])
    x = [np.asarray(v, "float32") for v in case["x"]]
    layer.build([v.shape for v in x])
    load_official(layer, case["state_dict"])
    y = [numpy_of(v) for v in call(layer, x)]
    assert relative_error(np.concatenate(y, axis=-1), case["y"]) < 1e-5


def test_steps_without_gates_equal_the_small_official_case():
    case = goldens.small_case("rja_dcnlayer")
    layer = GatedJointCrossAttention(gate=None, normalize=False)
    x = [np.asarray(v, "float32") for v in case["x"]]
    layer.build([v.shape for v in x])
    load_official(layer, case["state_dict"])
    for y, expected in zip(call(layer, x), case["y"], strict=True):
        assert relative_error(y, expected) < 1e-5


@pytest.mark.parametrize("gate", ["flat", "hierarchical", None])
@pytest.mark.parametrize("steps", [1, 3])
def test_any_number_of_steps_equals_the_reference(steps, gate):
    layer, x = make("dense", steps, gate=gate), features()
    state = random_state(steps, gate)
    expected, gates = reference.gated_fusion(x, state, gate=gate)
    if gate == "hierarchical" and steps == 1:
        # A choice of one has no weights in our layer.
        state = {k: v for k, v in state.items() if "_stage." not in k}
    load_official(layer, state)
    y, seen = call(layer, x, return_attention=True)
    assert relative_error(joined(y), expected) < 1e-5
    for level, weights in seen["gates"].items():
        suffix = "" if gate == "flat" else level.replace("gate", "_stage")
        for m in ORDER:
            name = f"{m}_gating_fc_layer{suffix}"
            assert relative_error(weights[m], gates[name]) < 1e-5


def test_shared_weights_are_the_same_step_again():
    layer, x = make("dense", 2, gate=None, share_weights=True), features()
    state = random_state(1, None)
    twice = {
        k.replace(".0.", f".{i}.", 1): v
        for k, v in state.items()
        for i in range(2)
    }
    single = make("dense", 1, gate=None)
    load_official(single, state)
    layer.set_weights(single.get_weights())
    expected, _ = reference.gated_fusion(x, twice, gate=None)
    assert relative_error(joined(call(layer, x)), expected) < 1e-5
    assert len(layer.weights) == len(single.weights)
    with pytest.raises(ValueError, match="share_weights"):
        load_official(layer, state)


def test_dead_entries_are_skipped_and_others_are_not():
    layer, state = make("dense"), random_state(2, "flat")
    dead = {
        "text_gating_fc_layer.weight": np.ones((3, 4)),
        "vregressor.0.weight": np.ones((128, 512)),
        "aregressor.3.bias": np.ones(1),
        "Joint.rnn.weight_ih_l0": np.ones((4, 4)),
    }
    assert load_official(layer, {**state, **dead}) == list(dead)
    with pytest.raises(ValueError, match=r"unexpected: .*regressor9"):
        load_official(layer, {**state, "regressor9.weight": np.ones(1)})
    del state["audio_gating_fc_layer.bias"]
    with pytest.raises(ValueError, match=r"Missing: .*audio_gating"):
        load_official(layer, state)


def test_gates_sum_to_one_and_are_zero_where_masked():
    x = features()
    mask = {m: np.ones((3, 5), bool) for m in ORDER}
    mask["audio"][1, 2:] = False
    layer = make("none", gate="hierarchical")
    y, seen = call(layer, x, mask=mask, return_attention=True)
    for level in ("gate1", "gate2", "gate"):
        for m in ORDER:
            total = numpy_of(seen["gates"][level][m]).sum(axis=-1)
            np.testing.assert_allclose(total, mask[m], rtol=1e-5)
    assert not numpy_of(y["audio"])[1, 2:].any()
    assert seen["attention"]["attention2"]["video"].shape == (3, 6, 10)


def test_a_cold_gate_takes_the_input_where_its_logit_is_highest():
    layer, x = make(temperature=1e-3), features()
    for gate in layer.gates["gate"]:
        gate.kernel.assign(np.zeros(gate.kernel.shape))
        gate.bias.assign([1.0, 0.0, 0.0])
    y = call(layer, x)
    for m in ORDER:
        unit = x[m] / np.linalg.norm(x[m], axis=-1, keepdims=True)
        np.testing.assert_allclose(
            numpy_of(y[m]), np.maximum(unit, 0), atol=1e-6
        )


@pytest.mark.parametrize("mixing", ["conv", "none"])
def test_padding_and_batch_mates_change_nothing(mixing):
    layer, x = make(mixing), features(9)
    mask = {m: np.ones((3, 9), bool) for m in ORDER}
    mask["video"][1, 4:] = False
    mask["audio"][1, 6:] = False
    mask["audio"][2] = False
    batch = call(layer, x, mask=mask)
    short = call(
        layer,
        {m: v[1:2, :6] for m, v in x.items()},
        mask={m: v[1:2, :6] for m, v in mask.items()},
    )
    for m in ORDER:
        y = numpy_of(batch[m])
        np.testing.assert_allclose(numpy_of(short[m]), y[1:2, :6], atol=1e-6)
        assert not y[~mask[m]].any()


@pytest.mark.parametrize("gate", ["flat", "hierarchical"])
def test_missing_modalities_have_finite_gradients(gate):
    mask = {m: np.zeros((3, 5), bool) for m in ORDER}
    mask["video"][0] = True
    x = {m: v * mask[m][..., None] for m, v in features().items()}
    layer = make(gate=gate)
    grads = input_gradients(
        lambda t: sum(
            ops.sum(ops.square(y)) for y in layer(t, mask=mask).values()
        ),
        x,
    )
    assert all(np.isfinite(g).all() for g in grads.values())
    assert np.abs(grads["video"][0]).max() > 0


@pytest.mark.parametrize("mixing", ["conv", "none"])
def test_scale_does_not_drift_with_the_length(mixing):
    """From 16 to 4096 steps, where a plain sum over time grows 256-fold."""
    layer = make(mixing, gate=None)
    if mixing == "conv":
        for key in layer.attention[0].key:
            key.kernel.assign(np.full(5, 0.2))
    mean = {m: np.linspace(-1, 1, w) for m, w in WIDTHS.items()}
    maps, added = [], []
    for steps in (16, 256, 4096):
        x = {
            m: v + mean[m].astype("float32")
            for m, v in features(steps, batch=4).items()
        }
        y, seen = call(layer, x, return_attention=True)
        length = np.linalg.norm(x["video"], axis=-1, keepdims=True)
        unit = x["video"] / length
        added.append(np.sqrt(np.mean((numpy_of(y["video"]) - unit) ** 2)))
        correlation = numpy_of(seen["attention"]["attention1"]["video"])
        maps.append(np.sqrt(np.mean(correlation**2)))
    for statistic in (maps, added):
        assert max(statistic) < 1.15 * min(statistic)


def test_a_causal_output_sees_no_future():
    layer, x = make("conv", causal=True), features(8)
    changed = {m: v.copy() for m, v in x.items()}
    for v in changed.values():
        v[:, 5:] += 1
    y, z = call(layer, x), call(layer, changed)
    difference = np.abs(joined(y) - joined(z)).max(axis=(0, 2))
    assert not difference[:5].any()
    assert (difference[5:] > 1e-4).all()


@pytest.mark.parametrize("share", [False, True])
def test_streaming_equals_the_whole_sequence(share):
    layer = make("conv", causal=True, gate="hierarchical", share_weights=share)
    x = features(8)
    mask = {m: np.ones((3, 8), bool) for m in ORDER}
    mask["audio"][1] = False
    whole = call(layer, x, mask=mask)
    streamed = stream(layer, x, [1] * 8, mask)
    for m in ORDER:
        assert relative_error(streamed[m], numpy_of(whole[m])) < 1e-5


def test_unit_length_of_zero_is_zero_with_zero_gradient():
    x = np.array([[3.0, 4.0], [0.0, 0.0]])
    y = numpy_of(unit_length(ops.convert_to_tensor(x, "float32")))
    np.testing.assert_allclose(y, [[0.6, 0.8], [0, 0]], rtol=1e-6)
    grads = input_gradients(lambda t: ops.sum(unit_length(t["x"])), {"x": x})
    assert not grads["x"][1].any()
    assert np.isfinite(grads["x"]).all()


def test_training_drops_differently_in_every_step():
    layer = make(dropout=0.5, seed=3)
    assert len({a.seed for a in layer.attention}) == len(layer.attention)
    y, z = (call(layer, features(), training=t) for t in (False, True))
    assert np.abs(joined(y) - joined(z)).max() > 1e-3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"steps": 0}, "steps"),
        ({"steps": 1.5}, "steps"),
        ({"gate": "soft"}, "gate"),
        ({"temperature": 0.0}, "temperature"),
        ({"temporal_mixing": "fft"}, "temporal_mixing"),
        ({"causal": True}, "cannot be causal"),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        GatedJointCrossAttention(**arguments)


def test_modalities_at_different_rates_are_refused_with_the_way_out():
    layer = GatedJointCrossAttention(temporal_mixing="none")
    with pytest.raises(ValueError, match="ResampleTime"):
        layer.build({"a": (None, 5, 3), "b": (None, 9, 3)})
