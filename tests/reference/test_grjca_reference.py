"""The GRJCA reference equals the official numbers."""

from functools import partial

import numpy as np
import pytest

from tests.goldens import grjca_backbone_features, load, small_case
from tests.goldens.fill import fill
from tests.reference.differences import central_difference, some_entries
from tests.reference.grjca import (
    Float64,
    below,
    feature_network,
    gated_fusion,
    head,
    joint_cross_attention,
    l2_normalize,
    recursive_attention,
    temporal_convolution,
)

pytestmark = pytest.mark.once
GATES = {"grjca": "flat", "hgrjca": "hierarchical"}


def fusion_weights(
    name: str = "grjca_cam",
) -> tuple[dict[str, Float64], dict[str, Float64]]:
    case = small_case(name)
    inputs = dict(zip(("video", "audio"), case["x"], strict=True))
    return inputs, case["state_dict"]


def test_steps_equal_the_small_case() -> None:
    case = small_case("rja_dcnlayer")
    inputs = dict(zip(("video", "audio"), case["x"], strict=True))
    iterates = recursive_attention(inputs, case["state_dict"])
    assert len(iterates) == case["config"]["num_seq"] + 1
    for y, expected in zip(iterates[-1].values(), case["y"], strict=True):
        np.testing.assert_allclose(y, expected, rtol=0, atol=1e-10)


@pytest.mark.parametrize("kind", GATES)
def test_gated_fusion_equals_the_small_case(kind: str) -> None:
    inputs, weights = fusion_weights(f"{kind}_cam")
    y, gates = gated_fusion(inputs, weights, gate=GATES[kind])
    expected = small_case(f"{kind}_cam")["y"]
    np.testing.assert_allclose(y, expected, rtol=0, atol=1e-10)
    for gate in gates.values():
        np.testing.assert_allclose(gate.sum(axis=-1), 1.0)


@pytest.mark.parametrize("kind", GATES)
def test_gated_fusion_equals_official_outputs_and_gradients(kind: str) -> None:
    golden = load(f"{kind}_fusion")
    values = golden.inputs() | golden.state_dict()
    cotangent = golden.cotangents()[0]

    def output(key: str = "", value: Float64 | None = None) -> Float64:
        changed = values if value is None else {**values, key: value}
        inputs = {k: changed[k] for k in ("video", "audio")}
        return gated_fusion(inputs, changed, gate=GATES[kind])[0]

    def objective(key: str, value: Float64) -> float:
        return float(np.sum(output(key, value) * cotangent))

    np.testing.assert_allclose(
        golden.stored_steps(output()), golden.outputs[0], rtol=1e-7, atol=1e-7
    )
    expected = golden.input_gradients | golden.parameter_gradients
    for key, gradient in expected.items():
        entries = some_entries(gradient, 2)
        stored = [gradient[entry] for entry in entries]
        if key in golden.input_gradients:
            entries = [(b, 7 * t, c) for b, t, c in entries]
        elif "query_linear" in key:
            entries = [(16 * row, column) for row, column in entries]
        found = central_difference(
            partial(objective, key), values[key], entries
        )
        np.testing.assert_allclose(found, stored, rtol=1e-5, atol=1e-5)


def test_feature_network_equals_the_official_whole_network() -> None:
    golden = load("grjca_network")
    weights = {
        name: fill(name, shape)
        for name, shape in golden.meta["state_dict"].items()
        if not name.startswith("spatial.")
    }
    y = feature_network(grjca_backbone_features(), weights)
    np.testing.assert_allclose(y, golden.outputs[0], rtol=0, atol=1e-6)


def test_no_gate_hands_on_the_last_iterate() -> None:
    inputs, weights = fusion_weights()
    y, gates = gated_fusion(inputs, weights, gate=None)
    normal = {name: l2_normalize(x) for name, x in inputs.items()}
    last = recursive_attention(normal, weights, "coattn.")[-1]
    np.testing.assert_array_equal(y, np.concatenate([*last.values()], axis=-1))
    assert gates == {}


def test_low_temperature_chooses_one_candidate() -> None:
    inputs, weights = fusion_weights()
    y, gates = gated_fusion(inputs, weights, gate="flat", temperature=1e-6)
    chosen = gates["video_gating_fc_layer"].argmax(axis=-1)
    normal = {name: l2_normalize(x) for name, x in inputs.items()}
    candidates = recursive_attention(normal, weights, "coattn.")
    for b, t in np.ndindex(*chosen.shape):
        expected = candidates[chosen[b, t]]["video"][b, t]
        np.testing.assert_allclose(y[b, t, :6], np.maximum(expected, 0.0))


def test_step_without_attention_weights_is_the_identity_plus_bias() -> None:
    inputs, weights = fusion_weights()
    step = below(weights, "coattn.dcn_layers.0.")
    step = {
        name: np.zeros_like(value) if name.startswith("linears") else value
        for name, value in step.items()
    }
    step["linears.0.0.bias"] = np.arange(6.0) - 2.0
    attended = joint_cross_attention(inputs, step)
    np.testing.assert_allclose(
        attended["video"] - inputs["video"],
        np.broadcast_to([0, 0, 0, 1, 2, 3], (2, 5, 6)),
        atol=1e-15,
    )
    np.testing.assert_array_equal(attended["audio"], inputs["audio"])


def test_temporal_convolution_sees_no_future() -> None:
    prefix = "temporal.logmel."
    filled = {
        name.removeprefix(prefix): fill(name, shape)
        for name, shape in load("grjca_network").meta["state_dict"].items()
        if name.startswith(prefix)
    }
    x = fill("input", (1, 40, 128))
    changed = x.copy()
    changed[:, 25:] = 0.0
    y, y_changed = (temporal_convolution(v, filled) for v in (x, changed))
    np.testing.assert_array_equal(y[:, :25], y_changed[:, :25])
    assert np.all(np.abs(y[:, 25:] - y_changed[:, 25:]).max(axis=-1) > 1e-3)


def test_temporal_convolution_by_hand() -> None:
    # One channel, taps (1, 10) at dilation 1: y_t = g/|v| (x_{t-1} + 10 x_t).
    conv = {
        "weight_v": np.array([[[1.0, 10.0]]]),
        "weight_g": np.full((1, 1, 1), np.sqrt(101.0)),
        "bias": np.zeros(1),
    }
    weights = {
        f"network.0.conv{i}.{leaf}": value
        for i in (1, 2)
        for leaf, value in conv.items()
    }
    x = np.array([[[1.0], [2.0]]])
    # conv1: 10, 21; conv2: 100, 220; plus the shortcut: 101, 222.
    np.testing.assert_allclose(
        temporal_convolution(x, weights)[0, :, 0], [101.0, 222.0]
    )


def test_head_by_hand() -> None:
    weights = {
        "regressor1.weight": np.array([[2.0], [1.0]]),
        "regressor1.bias": np.array([0.0, -3.0]),
        "bn1.weight": np.full(2, np.sqrt(1.0 + 1e-5)),
        "bn1.bias": np.zeros(2),
        "bn1.running_mean": np.array([1.0, 0.0]),
        "bn1.running_var": np.ones(2),
        "regressor2.weight": np.array([[0.5, 1.0]]),
        "regressor2.bias": np.array([0.1]),
    }
    # Hidden: 2 - 1 = 1 and 1 - 3 = -2, leaky -0.02.
    y = head(np.ones((1, 1, 1)), weights)
    np.testing.assert_allclose(y, np.tanh([[[0.5 - 0.02 + 0.1]]]))
