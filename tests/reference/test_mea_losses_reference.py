"""MEA's loss terms keep the specification's properties."""

import numpy as np
import pytest

from tests.reference.mea_layers import Float64
from tests.reference.mea_losses import (
    discrimination,
    disparity,
    hsic,
    orthogonality,
    scale_free_hsic,
    task_loss,
)

pytestmark = pytest.mark.once


def normal(*shape: int, seed: int = 0) -> Float64:
    return np.random.default_rng(seed).normal(size=shape)


def test_hsic_forms_agree() -> None:
    first, second = normal(7, 3), normal(7, 5, seed=1)
    centring = np.eye(7) - 1.0 / 7.0
    kernels = [h @ h.T for h in (first, second)]
    trace = np.trace(centring @ kernels[0] @ centring @ kernels[1]) / 36.0
    np.testing.assert_allclose(hsic(first, second), trace)
    assert hsic(first[:1], second[:1]) == 0.0
    assert hsic(first[:0], second[:0]) == 0.0


def test_hsic_of_independent_features_has_its_floor() -> None:
    pairs = normal(200, 2, 32, 64)
    floor = np.mean([hsic(first, second) for first, second in pairs])
    # d^2 / (n - 1) for d features of n rows with unit variance.
    np.testing.assert_allclose(floor, 64**2 / 31, rtol=0.02)
    same = np.mean([hsic(first, first) for first, _ in pairs])
    np.testing.assert_allclose(same, 64 + 64 * 65 / 31, rtol=0.02)


def test_scale_free_hsic_is_one_for_equal_and_zero_for_constant() -> None:
    h = normal(9, 4)
    np.testing.assert_allclose(scale_free_hsic(h, -3.0 * h + 1.0), 1.0)
    assert scale_free_hsic(h, np.full((9, 4), 0.1)) == 0.0
    assert 0.0 < scale_free_hsic(h, normal(9, 4, seed=1)) < 1.0
    assert scale_free_hsic(h[:1], h[:1]) == 0.0


def test_orthogonality_ignores_scale_and_offset() -> None:
    first, second = normal(9, 4), normal(9, 4, seed=1)
    np.testing.assert_allclose(
        orthogonality(first, second), orthogonality(5.0 * first + 2.0, second)
    )
    assert orthogonality(first, first) > orthogonality(first, second)


def test_disparity_counts_present_samples_only() -> None:
    first = {"a": normal(6, 3), "b": normal(6, 3, seed=1)}
    second = {"a": normal(6, 3, seed=2), "b": normal(6, 3, seed=3)}
    rows = np.arange(6) < 4
    present = {"a": rows, "b": np.arange(6) < 1}
    found = disparity(first, second, present, "hsic")
    expected = hsic(first["a"][:4], second["a"][:4]) / 2.0
    np.testing.assert_allclose(found, expected)


def test_discrimination_by_hand() -> None:
    logs = {
        "a": np.log([[0.5, 0.5], [0.1, 0.9]]),
        "b": np.log([[0.2, 0.8], [0.5, 0.5]]),
    }
    present = {"a": np.array([True, False]), "b": np.array([True, True])}
    expected = np.log(2.0) + 0.5 * (-np.log(0.8) + np.log(2.0))
    np.testing.assert_allclose(discrimination(logs, present), expected)
    importance = {"a": np.array([0.5, 9.0]), "b": np.array([0.0, 1.0])}
    np.testing.assert_allclose(
        discrimination(logs, present, importance),
        0.5 * np.log(2.0) + 0.5 * np.log(2.0),
    )
    nobody = dict.fromkeys(logs, np.zeros(2, bool))
    assert discrimination(logs, nobody) == 0.0


def test_task_losses_by_hand() -> None:
    # Labels (B,) against predictions (B, 1) must not broadcast to (B, B).
    prediction = np.array([[1.0], [2.0]])
    labels = np.array([0.0, 2.0])
    np.testing.assert_allclose(task_loss(prediction, labels, "regression"), 0.5)
    scores = np.log([[0.2, 0.8, 0.5, 0.5], [0.9, 0.1, 0.75, 0.25]])
    np.testing.assert_allclose(
        task_loss(scores, np.array([[1, 0], [0, 1]]), "binary_heads"),
        -np.mean(np.log([0.8, 0.5, 0.9, 0.25])),
    )
    np.testing.assert_allclose(
        task_loss(scores[:, :2], np.array([1, 1]), "classification"),
        -np.mean(np.log([0.8, 0.1])),
    )
