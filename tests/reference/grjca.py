"""Joint cross-attention, RJCA to GRJCA, in float64 NumPy from the equations.

Weights keep the official names and the (out, in) layout. Modalities are a dict
in their published order, video first; each is (B, T, D). Evaluation mode only:
no dropout.
"""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

Float64 = npt.NDArray[np.float64]
Weights = Mapping[str, Float64]

BATCH_NORM_EPSILON = 1e-5
LEAKY_SLOPE = 0.01


def joint_cross_attention(
    features: Mapping[str, Float64], weights: Weights
) -> dict[str, Float64]:
    """One step of joint cross-attention.

        J = W_q [x_1 | x_2 | ...] + b_q
        C_m = tanh((W_km x_m + b_km) J / sqrt(d))    W_km mixes time steps
        H_m = ReLU(tanh((W_vm x_m + b_vm) C_m))
        x_m <- x_m + ReLU(W_om H_m + b_om)

    Args:
        features: modality name to (B, T, d_m); d is the sum of all d_m.
        weights: `dense_coattn.query_linear.*` (d, d), and for the i-th
            modality, counted from 1, `dense_coattn.key<i>_linear.*` (T, T),
            `dense_coattn.value<i>_linear.*` (d_m, d_m) and
            `linears.<i - 1>.0.*` (d_m, d).

    Returns:
        The attended features, shaped like `features`.
    """
    joined = np.concatenate(list(features.values()), axis=-1)
    width = joined.shape[-1]
    joint = _linear(joined, weights, "dense_coattn.query_linear.")
    attended = {}
    for i, (name, x) in enumerate(features.items()):
        over_time = np.swapaxes(x, 1, 2)
        keys = _linear(over_time, weights, f"dense_coattn.key{i + 1}_linear.")
        correlation = np.tanh(keys @ joint / np.sqrt(width))
        values = _linear(x, weights, f"dense_coattn.value{i + 1}_linear.")
        hidden = _relu(np.tanh(values @ correlation))
        attended[name] = x + _relu(_linear(hidden, weights, f"linears.{i}.0."))
    return attended


def recursive_attention(
    features: Mapping[str, Float64], weights: Weights, prefix: str = ""
) -> list[dict[str, Float64]]:
    """All iterates [x^0, x^1, ..., x^n] of n steps with their own weights.

    Args:
        features: modality name to (B, T, d_m).
        weights: `<prefix>dcn_layers.<i>.` before the names of one step; as
            many steps are made as there are.
        prefix: what stands before `dcn_layers`.
    """
    iterates = [dict(features)]
    while True:
        step = f"{prefix}dcn_layers.{len(iterates) - 1}."
        step_weights = below(weights, step)
        if not step_weights:
            return iterates
        iterates.append(joint_cross_attention(iterates[-1], step_weights))


def gated_fusion(
    inputs: Mapping[str, Float64],
    weights: Weights,
    *,
    gate: str | None,
    temperature: float = 0.1,
) -> tuple[Float64, dict[str, Float64]]:
    """Gated recursive joint cross-attention (GRJCA and HGRJCA).

    x^0 is the input, normalised to length 1; x^1 ... x^n the attended ones.
    Each gate is softmax((W x + b) / temperature) at every time step.

        flat:          g = ReLU(sum_k w_k x^k),  w from x^n
        hierarchical:  g^j = ReLU(sum_{k <= j} w_k x^k), w from x^j, then
                       g = ReLU(sum_j w_j g^j),  w from x^n
        None:          g = x^n

    The published HGRJCA has n = 2; other n continue its rule.

    Args:
        inputs: modality name to (B, T, d_m).
        weights: `coattn.dcn_layers.<i>...`; `<modality>_gating_fc_layer.*`
            (flat) or `<modality>_gating_fc_layer_stage<j>.*` and
            `<modality>_gating_fc_layer_stage.*` (hierarchical).
        gate: "flat", "hierarchical" or None.
        temperature: of every softmax.

    Returns:
        The fused features (B, T, sum of d_m), modalities one after the other,
        and the gates by the name of their weights, each (B, T, choices).
    """
    normal = {name: l2_normalize(x) for name, x in inputs.items()}
    iterates = recursive_attention(normal, weights, "coattn.")
    gates: dict[str, Float64] = {}

    def choose(name: str, source: Float64, options: list[Float64]) -> Float64:
        scores = _linear(source, weights, f"{name}.") / temperature
        gates[name] = softmax(scores)
        mixed = sum(
            gates[name][..., k, None] * option
            for k, option in enumerate(options)
        )
        return _relu(np.asarray(mixed))

    fused = []
    for modality in inputs:
        x = [iterate[modality] for iterate in iterates]
        layer = f"{modality}_gating_fc_layer"
        if gate is None:
            fused.append(x[-1])
        elif gate == "flat":
            fused.append(choose(layer, x[-1], x))
        else:
            stages = [
                choose(f"{layer}_stage{j}", x[j], x[: j + 1])
                for j in range(1, len(x))
            ]
            fused.append(choose(f"{layer}_stage", x[-1], stages))
    return np.concatenate(fused, axis=-1), gates


def temporal_convolution(x: Float64, weights: Weights) -> Float64:
    """The causal temporal convolutional network of one modality.

    Block i has dilation 2^i and two weight-normalised convolutions:

        y = leaky(conv2(leaky(conv1(x))));  x <- leaky(y + shortcut(x))

    with a 1x1 convolution as shortcut where the width changes.

    Args:
        x: (B, T, D).
        weights: `network.<i>.conv1.weight_g` and so on.

    Returns:
        (B, T, width of the last block).
    """
    level = 0
    while f"network.{level}.conv1.weight_v" in weights:
        block = below(weights, f"network.{level}.")
        dilation = 2**level
        y = _leaky(_causal_conv(x, below(block, "conv1."), dilation))
        y = _leaky(_causal_conv(y, below(block, "conv2."), dilation))
        shortcut = x
        if "downsample.weight" in block:
            kernel = block["downsample.weight"][..., 0]
            shortcut = x @ kernel.T + block["downsample.bias"]
        x = _leaky(y + shortcut)
        level += 1
    return x


def _causal_conv(x: Float64, weights: Weights, dilation: int) -> Float64:
    """y_t = sum_j W_j x_{t - (k - 1 - j) dilation} + b, zeros before t = 0."""
    direction = weights["weight_v"]
    norm = np.sqrt(np.sum(direction**2, axis=(1, 2), keepdims=True))
    kernel = weights["weight_g"] * direction / norm
    taps, steps = kernel.shape[2], x.shape[1]
    y = np.zeros((x.shape[0], steps, kernel.shape[0])) + weights["bias"]
    for j in range(taps):
        delay = (taps - 1 - j) * dilation
        if delay < steps:
            y[:, delay:] += x[:, : steps - delay] @ kernel[:, :, j].T
    return y


def head(x: Float64, weights: Weights) -> Float64:
    """tanh(linear(leaky(BatchNorm(linear(x))))), (B, T, D) to (B, T, 1)."""
    hidden = batch_norm(
        _linear(x, weights, "regressor1."), below(weights, "bn1.")
    )
    return np.tanh(_linear(_leaky(hidden), weights, "regressor2."))


def feature_network(inputs: Mapping[str, Float64], weights: Weights) -> Float64:
    """The published network after its backbones: TCN, fusion, head.

    Args:
        inputs: `video` (B, T, 512) and `logmel` (B, T, 128), the backbones'
            features; the official order is video first.
        weights: official names of the whole network, `temporal.<name>.*`,
            `bn.<name>.*`, `GRJCA.*`, `regressor1.*`, ...; others are ignored.

    Returns:
        (B, T, 1) in (-1, 1).
    """
    official = {"video": "video", "logmel": "audio"}
    features = {}
    for name, x in inputs.items():
        y = temporal_convolution(x, below(weights, f"temporal.{name}."))
        features[official[name]] = batch_norm(y, below(weights, f"bn.{name}."))
    fused, _ = gated_fusion(features, below(weights, "GRJCA."), gate="flat")
    return head(fused, weights)


def batch_norm(x: Float64, weights: Weights) -> Float64:
    """Batch normalisation with the running statistics, over the last axis."""
    deviation = np.sqrt(weights["running_var"] + BATCH_NORM_EPSILON)
    normal = (x - weights["running_mean"]) / deviation
    return normal * weights["weight"] + weights["bias"]


def l2_normalize(x: Float64) -> Float64:
    """x / max(|x|, 1e-12) over the last axis."""
    length: Float64 = np.sqrt(np.sum(x**2, axis=-1, keepdims=True))
    return x / np.maximum(length, 1e-12)


def softmax(x: Float64) -> Float64:
    """Softmax over the last axis."""
    exponentials = np.exp(x - x.max(axis=-1, keepdims=True))
    probabilities: Float64 = exponentials / exponentials.sum(-1, keepdims=True)
    return probabilities


def below(weights: Weights, prefix: str) -> dict[str, Float64]:
    """The weights whose names start with `prefix`, without it."""
    return {
        name.removeprefix(prefix): value
        for name, value in weights.items()
        if name.startswith(prefix)
    }


def _linear(x: Float64, weights: Weights, prefix: str) -> Float64:
    return x @ weights[f"{prefix}weight"].T + weights[f"{prefix}bias"]


def _relu(x: Float64) -> Float64:
    return np.maximum(x, 0.0)


def _leaky(x: Float64) -> Float64:
    return np.where(x >= 0.0, x, LEAKY_SLOPE * x)
