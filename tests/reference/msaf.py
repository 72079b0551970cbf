"""MSAF in float64 NumPy, written from the published equations alone.

Channels are last everywhere; `weights` keep the official names and the
official (out, in) layout. Nothing here is fast: it is the yardstick.

Modalities are a dict in their published order. Each is (B, C), (B, T, C) or
(B, T, ..., C); its mask is boolean, (B, T) for rank >= 3 and (B,) for vectors.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Float64 = npt.NDArray[np.float64]
Bool = npt.NDArray[np.bool_]

BATCH_NORM_EPSILON = 1e-5


@dataclass(frozen=True)
class _Blocks:
    """One modality, cut into channel blocks.

    Attributes:
        values: (B, T, R, n, C); T is 1 for vectors, R the other positions.
        membership: (B, S, T), true where step t counts in segment s.
    """

    values: Float64
    membership: Bool


def split_attention_fusion(
    inputs: Mapping[str, Float64],
    weights: Mapping[str, Float64],
    *,
    block_channels: int,
    attention_floor: float = 0.0,
    segments: int = 1,
    masks: Mapping[str, Bool | None] | None = None,
    training: bool = False,
    block_mask: Float64 | None = None,
    official_dropout: bool = False,
) -> tuple[dict[str, Float64], Float64]:
    """Multimodal split attention between the channel blocks of all modalities.

    With x the blocks, m the block-dropout mask and s a segment:

        g = sum over modalities of (mean over the segment's valid positions of
            (sum over the modality's blocks of m x))
        z = ReLU(BatchNorm(W g + b))
        a_k = softmax over blocks k of (W_k z + b_k), per channel
        output_k = x_k m_k (floor + (1 - floor) a_k)

    Args:
        inputs: modality name to values.
        weights: official names, `blocks.<s>.joint_features.0.weight` and so
            on, for every segment s.
        block_channels: channels C of one block. The last block of a modality
            is filled up with zero channels, which take part in the softmax
            and are cropped from the output.
        attention_floor: lower bound of the attention.
        segments: number S of segments in time. Step t of a sample whose last
            valid step is n - 1 belongs to segment
            min(t // max(n // S, 1), S - 1); a vector belongs to all.
        masks: modality name to validity; None, or a missing name: all valid.
        training: normalise with the statistics of the batch.
        block_mask: (B, S, N), block-dropout factors 0 or 1 / (1 - rate).
        official_dropout: multiply the output by the mask twice.

    Returns:
        The outputs, shaped like the inputs and exactly 0 at invalid steps,
        and the attention (B, S, N, C) after the floor. A modality without
        valid step in a segment has attention 0 before the floor there; if all
        modalities lack it, the attention is uniform.
    """
    masks = masks or {}
    parts = {
        name: _cut(x, masks.get(name), block_channels, segments)
        for name, x in inputs.items()
    }
    counts = [part.values.shape[3] for part in parts.values()]
    batch = next(iter(inputs.values())).shape[0]
    if block_mask is None:
        block_mask = np.ones((batch, segments, sum(counts)))
    edges = np.cumsum(counts)[:-1]
    block_masks = np.split(block_mask, edges, axis=2)

    joint = np.zeros((batch, segments, block_channels))
    present = []
    for part, factors in zip(parts.values(), block_masks, strict=True):
        means, has_steps = _segment_means(part)
        joint += np.sum(factors[..., None] * means, axis=2)
        present.append(np.repeat(has_steps, means.shape[2], axis=2))
    attention = np.stack(
        [
            _attend(
                joint[:, s],
                np.concatenate(present, axis=2)[:, s],
                _below(weights, f"blocks.{s}."),
                training,
            )
            for s in range(segments)
        ],
        axis=1,
    )
    attention = attention_floor + (1.0 - attention_floor) * attention

    power = 2 if official_dropout else 1
    gates = np.split(attention * block_mask[..., None] ** power, edges, axis=2)
    outputs = {
        name: _highlight(inputs[name], part, gate)
        for (name, part), gate in zip(parts.items(), gates, strict=True)
    }
    return outputs, attention


def _cut(
    x: Float64, mask: Bool | None, block_channels: int, segments: int
) -> _Blocks:
    """Cuts channels into blocks and steps into segments."""
    batch, channels = x.shape[0], x.shape[-1]
    is_vector = x.ndim == 2
    steps = 1 if is_vector else x.shape[1]
    valid = (
        np.ones((batch, steps), bool)
        if mask is None
        else np.reshape(mask, (batch, steps))
    )
    blocks = -(-channels // block_channels)
    missing = blocks * block_channels - channels
    positions = np.reshape(x, (batch, steps, -1, channels))
    positions = np.where(valid[:, :, None, None], positions, 0.0)
    padded = np.pad(positions, [(0, 0), (0, 0), (0, 0), (0, missing)])
    values = padded.reshape(batch, steps, -1, blocks, block_channels)

    membership = np.zeros((batch, segments, steps), bool)
    for b in range(batch):
        for t in np.flatnonzero(valid[b]):
            if is_vector:
                membership[b, :, t] = True
            else:
                length = int(np.flatnonzero(valid[b])[-1]) + 1
                segment = int(t) // max(length // segments, 1)
                membership[b, min(segment, segments - 1), t] = True
    return _Blocks(values, membership)


def _segment_means(part: _Blocks) -> tuple[Float64, Bool]:
    """Mean of every block over a segment (B, S, n, C), and if it has steps."""
    counts = part.membership.sum(axis=2)[:, :, None, None]
    totals = np.einsum(
        "bst,btnc->bsnc",
        part.membership.astype(np.float64),
        part.values.mean(axis=2),
    )
    return totals / np.maximum(counts, 1), counts[..., 0] > 0


def _attend(
    joint: Float64,
    present: Bool,
    weights: Mapping[str, Float64],
    training: bool,
) -> Float64:
    """Softmax over blocks (B, N, C) from the joint descriptor (B, C)."""
    reduced = _linear(joint, weights, "joint_features.0.")
    hidden = np.maximum(
        _batch_norm(reduced, weights, "joint_features.1.", training), 0.0
    )
    scores = np.stack(
        [
            _linear(hidden, weights, f"dense_group.{k}.")
            for k in range(present.shape[1])
        ],
        axis=1,
    )
    # All blocks take part where nothing is present: equal scores, so uniform.
    anything: Bool = np.any(present, axis=1, keepdims=True)
    scores = np.where(anything[..., None], scores, 0.0)
    takes_part = (present | ~anything)[..., None]
    scores = np.where(takes_part, scores, -np.inf)
    exponentials = np.exp(scores - scores.max(axis=1, keepdims=True))
    attention: Float64 = exponentials / exponentials.sum(axis=1, keepdims=True)
    return attention


def _batch_norm(
    x: Float64, weights: Mapping[str, Float64], prefix: str, training: bool
) -> Float64:
    if training:
        mean, variance = x.mean(axis=0), x.var(axis=0)
    else:
        mean = weights[f"{prefix}running_mean"]
        variance = weights[f"{prefix}running_var"]
    normal: Float64 = (x - mean) / np.sqrt(variance + BATCH_NORM_EPSILON)
    return normal * weights[f"{prefix}weight"] + weights[f"{prefix}bias"]


def _highlight(x: Float64, part: _Blocks, gates: Float64) -> Float64:
    """Multiplies blocks by the gates (B, S, n, C) of the steps' segments."""
    share = part.membership.astype(np.float64)
    # A vector is in all segments: it takes the mean of their gates.
    share /= np.maximum(share.sum(axis=1, keepdims=True), 1.0)
    step_gates = np.einsum("bst,bsnc->btnc", share, gates)
    highlighted = part.values * step_gates[:, :, None]
    batch, steps, rest = part.values.shape[:3]
    flat: Float64 = highlighted.reshape(batch, steps, rest, -1)
    return flat[..., : x.shape[-1]].reshape(x.shape)


def recurrent_network(
    inputs: Mapping[str, Float64],
    weights: Mapping[str, Float64],
    *,
    block_channels: int,
    attention_floor: float = 0.0,
    segments: int = 1,
    masks: Mapping[str, Bool | None] | None = None,
) -> Float64:
    """LSTM, split attention, LSTM, last valid steps, one linear layer.

    Args:
        inputs: modality name to (B, T, D), in the published order.
        weights: official names, `<modality>_model.0.weight_ih_l0`,
            `msaf.0.blocks...`, `multimodal_classifier.0.weight`.
        block_channels: see `split_attention_fusion`.
        attention_floor: see `split_attention_fusion`.
        segments: see `split_attention_fusion`.
        masks: modality name to (B, T) prefix mask; padding is on the right.

    Returns:
        (B, outputs). A modality without valid step contributes zeros.
    """
    masks = masks or {}
    hidden = {
        name: lstm(x, _below(weights, f"{name}_model.0."))
        for name, x in inputs.items()
    }
    fused, _ = split_attention_fusion(
        hidden,
        _below(weights, "msaf.0."),
        block_channels=block_channels,
        attention_floor=attention_floor,
        segments=segments,
        masks=masks,
    )
    features = [
        last_valid(
            lstm(x, _below(weights, f"{name}_model.1.")), masks.get(name)
        )
        for name, x in fused.items()
    ]
    joined = np.concatenate(features, axis=-1)
    return _linear(joined, weights, "multimodal_classifier.0.")


def lstm(x: Float64, weights: Mapping[str, Float64]) -> Float64:
    """One LSTM layer, all its outputs, zero initial state.

        i, f, g, o = W_ih x_t + b_ih + W_hh h + b_hh   (in this order)
        c = sigmoid(f) c + sigmoid(i) tanh(g);   h = sigmoid(o) tanh(c)

    Right padding needs no mask: outputs at valid steps don't see it.

    Args:
        x: (B, T, D).
        weights: `weight_ih_l0`, `weight_hh_l0`, `bias_ih_l0`, `bias_hh_l0`.

    Returns:
        (B, T, units).
    """
    units = weights["weight_hh_l0"].shape[1]
    h = np.zeros((x.shape[0], units))
    c = np.zeros_like(h)
    outputs = []
    for t in range(x.shape[1]):
        gates = (
            x[:, t] @ weights["weight_ih_l0"].T
            + weights["bias_ih_l0"]
            + h @ weights["weight_hh_l0"].T
            + weights["bias_hh_l0"]
        )
        i, f, g, o = np.split(gates, 4, axis=-1)
        c = _sigmoid(f) * c + _sigmoid(i) * np.tanh(g)
        h = _sigmoid(o) * np.tanh(c)
        outputs.append(h)
    return np.stack(outputs, axis=1)


def last_valid(x: Float64, mask: Bool | None) -> Float64:
    """The last valid step (B, C) of (B, T, C); zeros if there is none."""
    if mask is None:
        return x[:, -1]
    lengths = prefix_lengths(mask)
    rows = x[np.arange(len(x)), np.maximum(lengths - 1, 0)]
    return np.where(lengths[:, None] > 0, rows, 0.0)


def prefix_lengths(mask: Bool) -> npt.NDArray[np.int64]:
    """Index of the last true step plus one, per row of (B, T)."""
    steps = np.arange(1, mask.shape[1] + 1)
    lengths: npt.NDArray[np.int64] = np.where(mask, steps, 0).max(axis=1)
    return lengths


def nonzero_mask(x: Float64) -> Bool:
    """The mask that the library derives from a zero-padded input.

    Steps up to the last one with any non-zero value are valid; a vector is
    present if any of its values is non-zero.
    """
    is_vector = x.ndim == 2
    axes = (1,) if is_vector else tuple(range(2, x.ndim))
    filled: Bool = np.any(x != 0, axis=axes)
    if is_vector:
        return filled
    return np.arange(x.shape[1]) < prefix_lengths(filled)[:, None]


def _linear(x: Float64, weights: Mapping[str, Float64], prefix: str) -> Float64:
    return x @ weights[f"{prefix}weight"].T + weights[f"{prefix}bias"]


def _sigmoid(x: Float64) -> Float64:
    return 0.5 * (1.0 + np.tanh(0.5 * x))


def _below(weights: Mapping[str, Float64], prefix: str) -> dict[str, Float64]:
    """The weights whose names start with `prefix`, without it."""
    return {
        name.removeprefix(prefix): value
        for name, value in weights.items()
        if name.startswith(prefix)
    }
