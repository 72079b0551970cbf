"""MEA in float64 NumPy: forward pass, losses and training gradient.

Written from the specification alone (arXiv 2407.04955 and the decisions that
complete it), in evaluation mode: no dropout. `mea_weights` names the weights
and the configuration, `mea_layers` has the blocks, `mea_losses` the terms.

```python
config = Config(input_widths=(7, 5, 3), width=8, latent=6, heads=2)
weights = random_weights(config)
found = forward(inputs, weights, config)  # {"text": (B, T, 7), ...}
found.prediction  # (B, 1)
losses(found, labels, weights, config)["total"]
training_gradient(inputs, labels, weights, config, "head.output.kernel")
```
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np

from tests.reference.differences import Index, central_difference
from tests.reference.mea_layers import (
    Bool,
    Float64,
    Weights,
    extract,
    fuse_graph,
    hierarchical_attention,
    masked_mean,
    perceptron,
    predictive_self_attention,
    weigh_modalities,
)
from tests.reference.mea_losses import (
    Labels,
    discrimination,
    disparity,
    importance_log_probabilities,
    modality_log_probabilities,
    task_loss,
)
from tests.reference.mea_weights import Config

Named = dict[str, Float64]


@dataclass
class Forward:
    """Everything the forward pass computes; by modality name where a dict.

    Attributes:
        masks: (B, T). present: (B,).
        low: extractor outputs Z_m (B, T, d).
        exclusive, agnostic: the branches' sequences (B, T, d).
        maps: self-attention, by layer: (B, heads, T, T).
        psi: modality weights (B, M), by layer that has them.
        cross_maps: by agnostic layer, named as `hierarchical_attention` does.
        latent: by branch: h_m (B, d_h).
        edges: by branch: graph attention (B, M, M).
        fused: by branch: the fused vector.
        prediction: (B, outputs).
    """

    masks: dict[str, Bool]
    present: dict[str, Bool]
    low: Named
    exclusive: Named = field(default_factory=dict)
    agnostic: Named = field(default_factory=dict)
    maps: list[Named] = field(default_factory=list)
    psi: dict[int, Float64] = field(default_factory=dict)
    cross_maps: list[Named] = field(default_factory=list)
    latent: dict[str, Named] = field(default_factory=dict)
    edges: Named = field(default_factory=dict)
    fused: Named = field(default_factory=dict)
    prediction: Float64 = field(default_factory=lambda: np.zeros(0))


def length_mask(x: Float64) -> Bool:
    """True up to the last step with any non-zero value: (B, T) of (B, T, D)."""
    filled = np.any(x != 0, axis=2)
    mask: Bool = np.flip(np.maximum.accumulate(np.flip(filled, 1), axis=1), 1)
    return mask


def forward(
    inputs: Mapping[str, Float64], weights: Weights, config: Config
) -> Forward:
    """The whole network on zero-padded inputs (B, T, D)."""
    masks = {name: length_mask(inputs[name]) for name in config.modalities}
    found = Forward(
        masks=masks,
        present={name: np.any(mask, axis=1) for name, mask in masks.items()},
        low={
            name: extract(inputs[name], mask, weights, f"extractor.{name}.")
            for name, mask in masks.items()
        },
    )
    if config.exclusive:
        _exclusive_branch(found, weights, config)
    if config.agnostic:
        _agnostic_branch(found, weights, config)
    for branch in config.branches:
        _fuse(found, branch, weights, config)
    features = np.concatenate([*found.fused.values()], axis=-1)
    found.prediction = perceptron(features, weights, "head.")
    return found


def _exclusive_branch(found: Forward, weights: Weights, config: Config) -> None:
    """Predictive self-attention per modality, weights between them."""
    sequences = dict(found.low)
    handed_on: Named = {}
    layers = config.exclusive_layers if config.self_attention else 0
    for layer in range(layers):
        maps = {}
        for name in config.modalities:
            sequences[name], maps[name], handed_on[name] = (
                predictive_self_attention(
                    sequences[name],
                    found.masks[name],
                    handed_on.get(name),
                    weights,
                    f"exclusive.{layer}.{name}.",
                    heads=config.heads,
                    mix=config.mix,
                    mixing=config.mixing,
                    chain=config.chain,
                )
            )
        found.maps.append(maps)
        if config.weighting is not None and config.weighs_after(layer):
            sequences, found.psi[layer] = weigh_modalities(
                sequences,
                found.masks,
                weights,
                f"exclusive.{layer}.weighting.",
                config.weighting,
            )
    found.exclusive = sequences
    found.latent["exclusive"] = {
        name: perceptron(
            _pool(z, found.masks[name], config.pool),
            weights,
            f"encoder.exclusive.{name}.",
        )
        for name, z in sequences.items()
    }


def _agnostic_branch(found: Forward, weights: Weights, config: Config) -> None:
    """Hierarchical cross-modal attention and the shared encoder."""
    sequences = dict(found.low)
    for layer in range(config.agnostic_layers):
        sequences, maps = hierarchical_attention(
            sequences,
            found.low if config.low_level_sources else sequences,
            found.masks,
            weights,
            f"agnostic.{layer}.",
            heads=config.heads,
            levels=config.levels,
        )
        found.cross_maps.append(maps)
    found.agnostic = sequences
    found.latent["agnostic"] = {
        name: perceptron(
            _pool(z, found.masks[name], config.pool),
            weights,
            "encoder.agnostic.",
        )
        for name, z in sequences.items()
    }


def _pool(z: Float64, mask: Bool, kind: str) -> Float64:
    """One vector per sample; 0 for a missing modality."""
    if kind == "mean":
        return masked_mean(z, mask)
    last = np.maximum(mask.sum(axis=1) - 1, 0)
    rows = z[np.arange(len(z)), last]
    return np.where(np.any(mask, axis=1)[:, None], rows, 0.0)


def _fuse(
    found: Forward, branch: str, weights: Weights, config: Config
) -> None:
    """One vector from the modalities' vectors of one branch.

    In the fusions that replace the graph an absent modality is left out: 0 in
    a sum or a concatenation, 1 in a product.
    """
    nodes = np.stack([*found.latent[branch].values()], axis=1)
    present = np.stack([*found.present.values()], axis=1)
    kept = np.where(present[..., None], nodes, 0.0)
    if config.fusion == "graph":
        found.fused[branch], found.edges[branch] = fuse_graph(
            nodes, present, weights, f"graph.{branch}.", config.loops
        )
    elif config.fusion == "concat":
        found.fused[branch] = kept.reshape(len(kept), -1)
    elif config.fusion == "add":
        found.fused[branch] = kept.sum(axis=1)
    else:
        factors = np.where(present[..., None], nodes, 1.0)
        found.fused[branch] = factors.prod(axis=1)


def losses(
    found: Forward, labels: Labels, weights: Weights, config: Config
) -> dict[str, float]:
    """Every term, and `total` (Eq. 20):

        task + alpha disparity + beta (agnostic + exclusive + importance)

    A term that the configuration switches off is 0.
    """
    terms = dict.fromkeys(
        ("task", "disparity", "agnostic", "exclusive", "importance"), 0.0
    )
    terms["task"] = task_loss(found.prediction, labels, config.task)
    if len(found.latent) == 2 and config.disparity is not None:
        terms["disparity"] = disparity(
            found.latent["exclusive"],
            found.latent["agnostic"],
            found.present,
            config.disparity,
        )
    if config.adversary:
        for branch in config.branches:
            terms[branch] = discriminator_loss(
                found, branch, found, weights, weights, config
            )
        terms["importance"] = importance_loss(found, weights, config)
    adversary = terms["agnostic"] + terms["exclusive"] + terms["importance"]
    terms["total"] = (
        terms["task"]
        + config.alpha * terms["disparity"]
        + config.beta * adversary
    )
    return terms


def discriminator_loss(
    found: Forward,
    branch: str,
    weighted_by: Forward,
    weights: Weights,
    importance_weights: Weights,
    config: Config,
) -> float:
    """L_exc or L_agn: how badly D_m tells the branch's vectors apart.

    Args:
        found: gives the vectors that D_m judges.
        branch: "exclusive" or "agnostic"; only the latter is weighted by
            1 - D_i.
        weighted_by: gives the vectors that D_i judges.
        weights: of D_m.
        importance_weights: of D_i.
        config: the configuration.
    """
    logs = {
        name: modality_log_probabilities(h, weights, config.bounded)
        for name, h in found.latent[branch].items()
    }
    importance = None
    if branch == "agnostic" and config.importance:
        importance = {}
        for m, (name, h) in enumerate(weighted_by.latent[branch].items()):
            judged = importance_log_probabilities(
                h, importance_weights, config.bounded
            )
            importance[name] = 1.0 - np.exp(judged[:, m])
    return discrimination(logs, found.present, importance)


def importance_loss(found: Forward, weights: Weights, config: Config) -> float:
    """L_imp: how badly D_i tells the agnostic vectors apart."""
    if not (config.importance and config.agnostic):
        return 0.0
    logs = {
        name: importance_log_probabilities(h, weights, config.bounded)
        for name, h in found.latent["agnostic"].items()
    }
    return discrimination(logs, found.present)


def surrogate(
    at: Mapping[str, Float64],
    inputs: Mapping[str, Float64],
    labels: Labels,
    base: Mapping[str, Float64],
    config: Config,
) -> float:
    """A number whose derivative at `at = base` is the training gradient.

    What is behind a stopped gradient is computed from `base`; the reversal
    is a minus sign. Only the derivative means anything, not the value.
    """
    moved, fixed = forward(inputs, at, config), forward(inputs, base, config)
    terms = losses(moved, labels, at, config)
    value = terms["task"] + config.alpha * terms["disparity"]
    if not config.adversary:
        return value
    value += config.beta * terms["exclusive"]
    if config.agnostic:
        judge = discriminator_loss(fixed, "agnostic", fixed, at, base, config)
        judged = discriminator_loss(
            moved, "agnostic", fixed, base, base, config
        )
        value += config.beta * (judge - config.reversal * judged)
        value += config.beta * importance_loss(fixed, at, config)
    return value


def training_gradient(
    inputs: Mapping[str, Float64],
    labels: Labels,
    weights: Mapping[str, Float64],
    config: Config,
    name: str,
    entries: Iterable[Index] | None = None,
) -> Float64:
    """Gradient of the training loss for one weight, by central differences.

    It has the reversed gradient of the adversary and the stopped gradients of
    the importance weights, which differences of the loss itself lack.
    """

    def value(candidate: Float64) -> float:
        at = {**weights, name: candidate}
        return surrogate(at, inputs, labels, weights, config)

    return central_difference(value, weights[name], entries)
