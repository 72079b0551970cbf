"""The building blocks of MEA in float64 NumPy, from the specification alone.

Every function takes the flat dict of all weights and the prefix of its own
names. Kernels are (in, out), as in Keras; masks are boolean (B, T), true at
valid steps, which come first. Sequences that are returned are exactly 0 at
padded steps. Evaluation mode only: no dropout.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
from scipy.special import erf

Float64 = npt.NDArray[np.float64]
Bool = npt.NDArray[np.bool_]
Weights = Mapping[str, Float64]

NORM_EPSILON = 1e-5
MASKED_SCORE = -1e9


def extract(x: Float64, mask: Bool, weights: Weights, prefix: str) -> Float64:
    """Convolution, positions, bidirectional LSTM: (B, T, D) to (B, T, d)."""
    kernel = weights[f"{prefix}conv.kernel"]
    taps, steps = kernel.shape[0], x.shape[1]
    before = (taps - 1) // 2
    padded = np.pad(
        np.where(mask[..., None], x, 0.0),
        [(0, 0), (before, taps - 1 - before), (0, 0)],
    )
    convolved = sum(
        padded[:, tap : tap + steps] @ kernel[tap] for tap in range(taps)
    )
    positioned = convolved + sine_positions(steps, kernel.shape[2])
    units = weights[f"{prefix}forward.recurrent"].shape[0]
    z = np.zeros((len(x), steps, 2 * units))
    for b, length in enumerate(mask.sum(axis=1)):
        sample = positioned[b, :length]
        forward = lstm(sample, weights, f"{prefix}forward.")
        backward = lstm(sample[::-1], weights, f"{prefix}backward.")
        z[b, :length] = np.concatenate([forward, backward[::-1]], axis=-1)
    return z


def sine_positions(steps: int, width: int) -> Float64:
    """P[t, 2i] = sin(t / 10000^(2i / d)), P[t, 2i + 1] = cos(the same)."""
    channel = np.arange(width)
    rate = 10000.0 ** (-2.0 * (channel // 2) / width)
    angle = np.arange(steps)[:, None] * rate
    return np.where(channel % 2 == 0, np.sin(angle), np.cos(angle))


def lstm(x: Float64, weights: Weights, prefix: str) -> Float64:
    """All outputs (T, units) of an LSTM over one sample (T, D).

    Gates in the order input, forget, candidate, output; one bias.
    """
    recurrent = weights[f"{prefix}recurrent"]
    h = np.zeros(recurrent.shape[0])
    c = np.zeros_like(h)
    outputs = np.zeros((len(x), len(h)))
    for t, step in enumerate(x):
        gates = step @ weights[f"{prefix}kernel"] + h @ recurrent
        i, f, g, o = np.split(gates + weights[f"{prefix}bias"], 4)
        c = _sigmoid(f) * c + _sigmoid(i) * np.tanh(g)
        h = _sigmoid(o) * np.tanh(c)
        outputs[t] = h
    return outputs


def predictive_self_attention(
    z: Float64,
    mask: Bool,
    previous: Float64 | None,
    weights: Weights,
    prefix: str,
    *,
    heads: int,
    mix: float,
    mixing: str,
    chain: str | None,
) -> tuple[Float64, Float64, Float64]:
    """One predictive self-attention layer (Eq. 2-4).

        S = Q K^T / sqrt(d_k),  P = GeLU(conv3x3(previous))
        first layer, or no chain:  A = softmax(S)
        paper:   A = softmax(mix P + (1 - mix) softmax(S))
        logits:  A = softmax(mix P + (1 - mix) S)
        R = LN(z) + A V W_o;   out = F(LN(R)) + R

    Args:
        z: (B, T, d).
        mask: (B, T).
        previous: what the layer before handed on, (B, heads, T, T), or None.
        weights: all weights.
        prefix: of this layer's names.
        heads: number of heads.
        mix: weight of the predicted map.
        mixing: "paper" or "logits".
        chain: what to hand on: "logits" (S), "mixed" (the scores before the
            outer softmax); None predicts nothing.

    Returns:
        The output (B, T, d), the map A (B, heads, query, key), and what the
        next layer gets, zero in the rows and columns of padded steps.
    """
    normal = layer_norm(z, weights, f"{prefix}norm.")
    query, key, value = (
        split_heads(dense(normal, weights, f"{prefix}{name}."), heads)
        for name in ("query", "key", "value")
    )
    logits = scaled_products(query, key)
    mixed = logits
    if previous is not None and chain is not None:
        predicted = gelu(convolve_maps(previous, weights, f"{prefix}predict."))
        current = masked_softmax(logits, mask) if mixing == "paper" else logits
        mixed = mix * predicted + (1.0 - mix) * current
    attention = masked_softmax(mixed, mask)
    context = dense(join_heads(attention @ value), weights, f"{prefix}output.")
    residual = normal + context
    output = feed_forward(residual, weights, prefix) + residual
    valid = mask[:, None, :, None] & mask[:, None, None, :]
    handed_on = (mixed if chain == "mixed" else logits) * valid
    return output * mask[..., None], attention, handed_on


def convolve_maps(maps: Float64, weights: Weights, prefix: str) -> Float64:
    """3x3 convolution over (B, heads, T, T), heads as channels, zero-padded."""
    kernel = weights[f"{prefix}kernel"]
    steps = maps.shape[2]
    padded = np.pad(maps, [(0, 0), (0, 0), (1, 1), (1, 1)])
    result = np.zeros_like(maps) + weights[f"{prefix}bias"][:, None, None]
    for i in range(3):
        for j in range(3):
            window = padded[:, :, i : i + steps, j : j + steps]
            result += np.einsum("bcqk,co->boqk", window, kernel[i, j])
    return result


def weigh_modalities(
    sequences: Mapping[str, Float64],
    masks: Mapping[str, Bool],
    weights: Weights,
    prefix: str,
    mode: str,
) -> tuple[dict[str, Float64], Float64]:
    """The weighted attention layer across modalities (Eq. 5-6).

        gamma_m = p_m^T tanh(W_m v_m + b_m);  psi = softmax over present m
        z_m <- psi_m z_m

    v_m is the masked mean over time ("pooled") or the whole sequence laid out
    flat ("full"). A missing modality has psi 0.

    Returns:
        The weighted sequences and psi (B, M).
    """
    scores = []
    for name, z in sequences.items():
        vector = z.reshape(len(z), -1)
        if mode == "pooled":
            vector = masked_mean(z, masks[name])
        hidden = np.tanh(dense(vector, weights, f"{prefix}{name}."))
        scores.append(hidden @ weights[f"{prefix}{name}.score"][:, 0])
    present = np.stack([masks[name].any(axis=1) for name in sequences], axis=1)
    psi = softmax_over_present(np.stack(scores, axis=1), present)
    weighted = {
        name: psi[:, m, None, None] * z
        for m, (name, z) in enumerate(sequences.items())
    }
    return weighted, psi


def reinforce(
    source: Float64,
    source_mask: Bool,
    target: Float64,
    target_mask: Bool,
    weights: Weights,
    prefix: str,
    heads: int,
) -> tuple[Float64, Float64]:
    """The modality reinforcement unit (Eq. 7-9).

        R = LN(target) + softmax(Q K^T / sqrt(d_k)) V W_o;  F(LN(R)) + R

    with queries from the target, keys and values from the source. For samples
    whose source has no valid step the result is LN(target).

    Returns:
        The reinforced target (B, T, d) and the map (B, heads, T, source T).
    """
    normal = layer_norm(target, weights, f"{prefix}target_norm.")
    normal_source = layer_norm(source, weights, f"{prefix}source_norm.")
    query = split_heads(dense(normal, weights, f"{prefix}query."), heads)
    key, value = (
        split_heads(dense(normal_source, weights, f"{prefix}{name}."), heads)
        for name in ("key", "value")
    )
    attention = masked_softmax(scaled_products(query, key), source_mask)
    context = join_heads(attention @ value)
    residual = normal + dense(context, weights, f"{prefix}output.")
    output = feed_forward(residual, weights, prefix) + residual
    has_source: Bool = np.any(source_mask, axis=1, keepdims=True)
    output = np.where(has_source[..., None], output, normal)
    return output * target_mask[..., None], attention


def hierarchical_attention(
    targets: Mapping[str, Float64],
    sources: Mapping[str, Float64],
    masks: Mapping[str, Bool],
    weights: Weights,
    prefix: str,
    *,
    heads: int,
    levels: Sequence[str],
) -> tuple[dict[str, Float64], dict[str, Float64]]:
    """One hierarchical cross-modal attention layer (Eq. 10).

        mixed:   from all modalities, joined over time
        coarse:  from the other modalities, joined over time
        fine:    from each other modality by its own unit, summed

    A level that is off passes its input on.

    Returns:
        The new sequences, and the maps by "<target>.<level>" (fine:
        "<target>.fine.<source>").
    """
    results, maps = {}, {}
    for name, target in targets.items():
        others = [other for other in targets if other != name]
        groups = {"mixed": list(targets), "coarse": others}
        z = target
        for level, group in groups.items():
            if level in levels:
                z, maps[f"{name}.{level}"] = reinforce(
                    np.concatenate([sources[g] for g in group], axis=1),
                    np.concatenate([masks[g] for g in group], axis=1),
                    z,
                    masks[name],
                    weights,
                    f"{prefix}{name}.{level}.",
                    heads,
                )
        if "fine" in levels:
            total = np.zeros_like(z)
            for other in others:
                unit = f"{name}.fine.{other}"
                reinforced, maps[unit] = reinforce(
                    sources[other],
                    masks[other],
                    z,
                    masks[name],
                    weights,
                    f"{prefix}{unit}.",
                    heads,
                )
                total += reinforced
            z = total
        results[name] = z
    return results, maps


def fuse_graph(
    nodes: Float64,
    present: Bool,
    weights: Weights,
    prefix: str,
    self_loops: bool,
) -> tuple[Float64, Float64]:
    """Attention over the graph of modalities (Eq. 17-19).

        delta_ij = Q [W h_i ; W h_j] + b;  xi = softmax_j(GeLU(delta))
        h = sum_i sigmoid(sum_j xi_ij W h_j)

    An absent modality sends nothing and still receives; a node without any
    edge has message 0.

    Args:
        nodes: (B, M, d_h).
        present: (B, M).
        weights: all weights.
        prefix: of this graph's names.
        self_loops: whether a node is its own neighbour.

    Returns:
        The fused vector (B, d_h), in (0, M), and xi (B, M, M).
    """
    count = nodes.shape[1]
    messages = nodes @ weights[f"{prefix}node.kernel"]
    batch, _, width = messages.shape
    receiver = np.broadcast_to(
        messages[:, :, None], (batch, count, count, width)
    )
    sender = np.broadcast_to(messages[:, None, :], (batch, count, count, width))
    pairs = np.concatenate([receiver, sender], axis=-1)
    delta = dense(pairs, weights, f"{prefix}edge.")[..., 0]
    neighbours = np.ones((count, count), bool)
    if not self_loops:
        np.fill_diagonal(neighbours, False)
    edges = neighbours & present[:, None, :]
    xi = softmax_over_present(gelu(delta), edges)
    return _sigmoid(xi @ messages).sum(axis=1), xi


def perceptron(
    x: Float64, weights: Weights, prefix: str, last: str = "output"
) -> Float64:
    """dense(GeLU(dense(x))) with the layers `hidden` and `last`."""
    hidden = gelu(dense(x, weights, f"{prefix}hidden."))
    return dense(hidden, weights, f"{prefix}{last}.")


def feed_forward(x: Float64, weights: Weights, prefix: str) -> Float64:
    """F(LN(x)) with F two dense layers, GeLU between them."""
    normal = layer_norm(x, weights, f"{prefix}feed_norm.")
    return perceptron(normal, weights, f"{prefix}feed.")


def dense(x: Float64, weights: Weights, prefix: str) -> Float64:
    """x W + b."""
    return x @ weights[f"{prefix}kernel"] + weights[f"{prefix}bias"]


def layer_norm(x: Float64, weights: Weights, prefix: str) -> Float64:
    """Layer normalisation over the last axis with gain and offset."""
    gain, offset = weights[f"{prefix}gain"], weights[f"{prefix}offset"]
    return standardize(x) * gain + offset


def standardize(x: Float64) -> Float64:
    """(x - mean) / sqrt(variance + 1e-5) over the last axis."""
    centred = x - x.mean(axis=-1, keepdims=True)
    variance = np.mean(centred**2, axis=-1, keepdims=True)
    normal: Float64 = centred / np.sqrt(variance + NORM_EPSILON)
    return normal


def masked_mean(z: Float64, mask: Bool) -> Float64:
    """Mean over the valid steps (B, d); 0 if there is none."""
    lengths = np.maximum(mask.sum(axis=1), 1)
    mean: Float64 = np.sum(z * mask[..., None], axis=1) / lengths[:, None]
    return mean


def split_heads(x: Float64, heads: int) -> Float64:
    """(B, T, d) to (B, heads, T, d / heads); a head is a run of channels."""
    batch, steps, width = x.shape
    return x.reshape(batch, steps, heads, width // heads).swapaxes(1, 2)


def join_heads(x: Float64) -> Float64:
    """The inverse of `split_heads`."""
    batch, heads, steps, size = x.shape
    return x.swapaxes(1, 2).reshape(batch, steps, heads * size)


def scaled_products(query: Float64, key: Float64) -> Float64:
    """Q K^T / sqrt(d_k) for every head."""
    products: Float64 = query @ key.swapaxes(2, 3) / np.sqrt(query.shape[-1])
    return products


def masked_softmax(scores: Float64, key_mask: Bool) -> Float64:
    """Softmax over the keys of (B, heads, T, S) that the mask (B, S) leaves."""
    kept = np.where(key_mask[:, None, None, :], scores, MASKED_SCORE)
    exponentials = np.exp(kept - kept.max(axis=-1, keepdims=True))
    attention: Float64 = exponentials / exponentials.sum(-1, keepdims=True)
    return attention


def softmax_over_present(scores: Float64, present: Bool) -> Float64:
    """Softmax over the last axis of what is present; all 0 if nothing is."""
    largest = np.max(
        scores, axis=-1, keepdims=True, initial=-np.inf, where=present
    )
    shift = np.where(np.isfinite(largest), largest, 0.0)
    exponentials = np.exp(np.where(present, scores - shift, -np.inf))
    total = exponentials.sum(axis=-1, keepdims=True)
    shares: Float64 = exponentials / np.where(total > 0.0, total, 1.0)
    return shares


def gelu(x: Float64) -> Float64:
    """x times the normal distribution function of x, exact."""
    result: Float64 = 0.5 * x * (1.0 + erf(x / np.sqrt(2.0)))
    return result


def _sigmoid(x: Float64) -> Float64:
    return 0.5 * (1.0 + np.tanh(0.5 * x))
