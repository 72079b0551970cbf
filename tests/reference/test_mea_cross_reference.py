"""MEA's cross-modal blocks and graph keep the specification's properties."""

import numpy as np
import pytest

from tests.reference.mea_layers import (
    Bool,
    Float64,
    feed_forward,
    fuse_graph,
    hierarchical_attention,
    layer_norm,
    reinforce,
    softmax_over_present,
)
from tests.reference.mea_weights import Config, random_weights

pytestmark = pytest.mark.once
SMALL = Config(input_widths=(7, 5, 3), width=8, latent=6, heads=2)
WEIGHTS = random_weights(SMALL)


def normal(*shape: int, seed: int = 0) -> Float64:
    return np.random.default_rng(seed).normal(size=shape)


def prefix_mask(lengths: list[int], steps: int) -> Bool:
    return np.arange(steps) < np.array(lengths)[:, None]


def test_reinforcement_equals_torch_attention() -> None:
    torch = pytest.importorskip("torch")
    source, target = normal(2, 9, 8), normal(2, 4, 8, seed=1)
    mask, valid = prefix_mask([9, 5], 9), np.ones((2, 4), bool)
    prefix = "agnostic.0.text.mixed."
    names = [f"{prefix}{n}." for n in ("query", "key", "value", "output")]
    kernels = [torch.tensor(WEIGHTS[f"{n}kernel"].T) for n in names]
    biases = [torch.tensor(WEIGHTS[f"{n}bias"]) for n in names]
    judge = torch.nn.MultiheadAttention(8, 2, batch_first=True).double()
    judge.load_state_dict(
        {
            "in_proj_weight": torch.cat(kernels[:3]),
            "in_proj_bias": torch.cat(biases[:3]),
            "out_proj.weight": kernels[3],
            "out_proj.bias": biases[3],
        }
    )
    normal_source = torch.tensor(
        layer_norm(source, WEIGHTS, f"{prefix}source_norm.")
    )
    normal_target = layer_norm(target, WEIGHTS, f"{prefix}target_norm.")
    context, expected_map = judge(
        torch.tensor(normal_target),
        normal_source,
        normal_source,
        key_padding_mask=torch.tensor(~mask),
        average_attn_weights=False,
    )
    residual = normal_target + context.detach().numpy()
    expected = feed_forward(residual, WEIGHTS, prefix) + residual
    output, attention = reinforce(
        source, mask, target, valid, WEIGHTS, prefix, 2
    )
    np.testing.assert_allclose(output, expected)
    np.testing.assert_allclose(
        attention, expected_map.detach().numpy(), atol=1e-15
    )


def test_reinforcement_keeps_the_targets_length() -> None:
    source, target = normal(2, 9, 8), normal(2, 4, 8, seed=1)
    output, attention = reinforce(
        source,
        prefix_mask([9, 5], 9),
        target,
        prefix_mask([2, 4], 4),
        WEIGHTS,
        "agnostic.0.text.mixed.",
        heads=2,
    )
    assert output.shape == target.shape
    assert attention.shape == (2, 2, 4, 9)
    np.testing.assert_allclose(attention.sum(axis=-1), 1.0)
    assert np.all(attention[1, :, :, 5:] == 0.0)
    assert np.all(output[0, 2:] == 0.0)


def test_reinforcement_from_nothing_is_the_normalised_target() -> None:
    target, valid = normal(1, 4, 8), np.ones((1, 4), bool)
    prefix = "agnostic.0.text.coarse."
    output, _ = reinforce(
        np.zeros((1, 3, 8)), ~valid[:, :3], target, valid, WEIGHTS, prefix, 2
    )
    expected = layer_norm(target, WEIGHTS, f"{prefix}target_norm.")
    np.testing.assert_array_equal(output, expected)


def test_reinforcement_does_not_see_the_order_of_the_source() -> None:
    source, target = normal(2, 9, 8), normal(2, 4, 8, seed=1)
    valid, valid_target = np.ones((2, 9), bool), np.ones((2, 4), bool)
    results = [
        reinforce(s, valid, target, valid_target, WEIGHTS, prefix, 2)[0]
        for prefix in ("agnostic.0.text.mixed.",)
        for s in (source, source[:, ::-1])
    ]
    np.testing.assert_allclose(results[0], results[1])


def test_levels_read_the_right_sources() -> None:
    sequences = {
        name: normal(1, 4 + i, 8, seed=i)
        for i, name in enumerate(SMALL.modalities)
    }
    masks = {k: np.ones((1, z.shape[1]), bool) for k, z in sequences.items()}
    prefix = "agnostic.0."

    def unit(source: list[str], target: Float64, name: str) -> Float64:
        joined = np.concatenate([sequences[s] for s in source], axis=1)
        return reinforce(
            joined,
            np.ones(joined.shape[:2], bool),
            target,
            np.ones(target.shape[:2], bool),
            WEIGHTS,
            f"{prefix}audio.{name}.",
            2,
        )[0]

    results = {
        levels: hierarchical_attention(
            sequences,
            sequences,
            masks,
            WEIGHTS,
            prefix,
            heads=2,
            levels=levels,
        )[0]["audio"]
        for levels in (
            (),
            ("mixed",),
            ("mixed", "coarse"),
            ("mixed", "coarse", "fine"),
        )
    }
    mixed = unit(["text", "audio", "video"], sequences["audio"], "mixed")
    coarse = unit(["text", "video"], mixed, "coarse")
    fine = unit(["text"], coarse, "fine.text") + unit(
        ["video"], coarse, "fine.video"
    )
    expected = [sequences["audio"], mixed, coarse, fine]
    for found, wanted in zip(results.values(), expected, strict=True):
        np.testing.assert_allclose(found, wanted)


def test_graph_output_lies_between_zero_and_the_number_of_nodes() -> None:
    nodes, present = 30.0 * normal(9, 3, 6), np.ones((9, 3), bool)
    fused, edges = fuse_graph(
        nodes, present, WEIGHTS, "graph.exclusive.", False
    )
    assert np.all(fused >= 0.0)
    assert np.all(fused <= 3.0)
    np.testing.assert_allclose(edges.sum(axis=-1), 1.0)
    assert np.all(np.diagonal(edges, axis1=1, axis2=2) == 0.0)
    _, loops = fuse_graph(nodes, present, WEIGHTS, "graph.exclusive.", True)
    assert np.all(np.diagonal(loops, axis1=1, axis2=2) > 0.0)


def test_absent_node_sends_nothing_and_still_receives() -> None:
    nodes = normal(2, 3, 6)
    present = np.array([[True, True, False], [False, True, False]])
    fused, edges = fuse_graph(
        nodes, present, WEIGHTS, "graph.exclusive.", False
    )
    assert np.all(edges[~np.broadcast_to(present[:, None], edges.shape)] == 0)
    np.testing.assert_allclose(edges[0].sum(axis=-1), 1.0)
    # A lone node reaches the two others and gets nothing itself.
    np.testing.assert_allclose(edges[1], [[0, 1, 0], [0, 0, 0], [0, 1, 0]])
    message = nodes[1, 1] @ WEIGHTS["graph.exclusive.node.kernel"]
    np.testing.assert_allclose(fused[1], 2.0 / (1.0 + np.exp(-message)) + 0.5)


def test_edges_are_scored_by_receiver_then_sender() -> None:
    nodes = np.array([[[1.0], [2.0], [4.0]]])
    weights = {
        "node.kernel": np.ones((1, 1)),
        "edge.kernel": np.array([[-10.0], [0.5]]),
        "edge.bias": np.array([30.0]),
    }
    _, edges = fuse_graph(nodes, np.ones((1, 3), bool), weights, "", False)
    # delta_ij = 30 - 10 h_i + h_j / 2; GeLU leaves large values as they are
    # and flattens those of receiver 2 (about -10) to 0.
    share = 1.0 / (1.0 + np.exp(-1.0))
    np.testing.assert_allclose(edges[0, 0], [0.0, 1.0 - share, share])
    np.testing.assert_allclose(edges[0, 2], [0.5, 0.5, 0.0])


def test_two_nodes_without_loops_do_not_need_the_edge_function() -> None:
    nodes, present = normal(4, 2, 6), np.ones((4, 2), bool)
    _, edges = fuse_graph(nodes, present, WEIGHTS, "graph.exclusive.", False)
    expected = np.broadcast_to(1.0 - np.eye(2), (4, 2, 2))
    np.testing.assert_array_equal(edges, expected)


def test_softmax_over_present() -> None:
    scores = np.array([[1.0, 1.0, 9e9], [5.0, 0.0, 0.0]])
    present = np.array([[True, True, False], [False, False, False]])
    np.testing.assert_array_equal(
        softmax_over_present(scores, present), [[0.5, 0.5, 0.0], [0.0] * 3]
    )
