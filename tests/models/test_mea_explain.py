"""What `explain` shows is what the prediction was made of."""

import numpy as np
import pytest

from tests.backend import call, numpy_of
from tests.models.mea_example import NAMES, config, inputs, model_of


@pytest.fixture(scope="module")
def model():
    # Few units, for they take long to compile under JAX.
    return model_of(config(levels=("coarse", "fine")))


@pytest.fixture(scope="module")
def seen(model):
    return model.explain(inputs(padding=1), average_heads=False)


X = inputs(padding=1)
MASKS = {m: np.any(x != 0, axis=2) for m, x in X.items()}


def test_maps_are_shares_of_valid_steps(seen):
    for layer in seen["self_attention"].values():
        for m, maps in layer.items():
            assert_shares(maps["used"], MASKS[m], MASKS[m])
            assert_shares(maps["current"], MASKS[m], MASKS[m])
    units = seen["cross_attention"]["layer1"]
    assert len(units) == 9
    for name, maps in units.items():
        target, level = name.split("_")[:2]
        sources = [m for m in NAMES if m != target]
        if level == "fine":
            sources = [name.rsplit("_", 1)[1]]
        assert_shares(
            maps,
            MASKS[target],
            np.concatenate([MASKS[m] for m in sources], axis=1),
        )


def assert_shares(maps, queries, keys):
    valid = queries & keys.any(axis=1, keepdims=True)
    total = np.broadcast_to(valid[:, None], maps.shape[:3])
    np.testing.assert_allclose(maps.sum(axis=3), total, atol=1e-5)
    assert not (maps * ~keys[:, None, None]).any()


def test_the_used_map_is_the_mixture_of_predicted_and_current(seen):
    first, second = seen["self_attention"].values()
    for m in NAMES:
        assert "predicted" not in first[m]
        np.testing.assert_array_equal(first[m]["used"], first[m]["current"])
        maps = second[m]
        score = 0.4 * maps["predicted"] + 0.6 * maps["current"]
        share = np.exp(score) * MASKS[m][:, None, None]
        share /= np.maximum(share.sum(axis=3, keepdims=True), 1e-9)
        share = share * MASKS[m][:, None, :, None]
        np.testing.assert_allclose(maps["used"], share, atol=1e-5)


def test_weights_and_edges_leave_out_the_missing(seen):
    present = {m: mask.any(axis=1) for m, mask in MASKS.items()}
    for layer in seen["weights"].values():
        np.testing.assert_allclose(sum(layer.values()), 1, atol=1e-5)
        for m in NAMES:
            assert ((layer[m] > 0) == present[m]).all()
            np.testing.assert_array_equal(seen["present"][m], present[m])
    for edges in seen["graph"].values():
        sends = np.stack([present[m] for m in NAMES], axis=1)[:, None]
        there = sends & ~np.eye(3, dtype=bool)
        assert ((edges > 0) == there).all()


def test_vectors_are_those_of_the_losses_and_all_are_judged(model, seen):
    with model._all_representations():
        found = call(model, X)
    for branch, vectors in found["latent"].items():
        for m, h in vectors.items():
            np.testing.assert_allclose(
                seen["latent"][branch][m], numpy_of(h), atol=1e-5
            )
        counts = [int(seen["present"][m].sum()) for m in NAMES]
        assert seen["confusion"][branch].sum(axis=1).tolist() == counts
    for weight in seen["importance"].values():
        assert ((weight > 0) & (weight < 1)).all()


def test_heads_are_averaged_and_absent_parts_left_out():
    small = model_of(
        config(agnostic=False, adversary=False, weighting=None, fusion="add")
    )
    seen = small.explain(X)
    assert set(seen) == {"self_attention", "latent", "present"}
    steps = X["text"].shape[1]
    maps = seen["self_attention"]["layer2"]["text"]["used"]
    assert maps.shape == (4, steps, steps)


def test_the_judge_counts_what_it_takes_vectors_for(model):
    latent = {m: np.eye(3, 6, dtype="float32") for m in NAMES}
    present = {m: np.array([True, True, m != "video"]) for m in NAMES}
    logs = numpy_of(
        model.objective._log_probabilities(
            model.objective.modality_discriminator,
            [latent[m] for m in NAMES],
        )
    )
    said = model.objective.judgements(
        {"exclusive": latent, "agnostic": latent}, present
    )["confusion"]["exclusive"]
    for i, m in enumerate(NAMES):
        expected = np.bincount(logs[i].argmax(axis=1)[present[m]], minlength=3)
        np.testing.assert_array_equal(said[i], expected)


def test_it_follows_the_weights(model):
    before = model.explain(X, average_heads=False)["weights"]["layer2"]
    layer = model.get_layer("exclusive1_weighting")
    weights = layer.get_weights()
    layer.set_weights([0 * w for w in weights])
    equal = model.explain(X, average_heads=False)["weights"]["layer2"]
    layer.set_weights(weights)
    # The first sample has all three modalities.
    assert [equal[m][0] for m in NAMES] == pytest.approx([1 / 3] * 3)
    assert np.ptp([before[m][0] for m in NAMES]) > 0.01
