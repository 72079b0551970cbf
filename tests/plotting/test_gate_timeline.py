import numpy as np
import pytest

from keras_mmfusion.plotting import iterate_weights, plot_gate_timeline

pytestmark = pytest.mark.once


def softmax(shape, seed):
    x = np.random.default_rng(seed).normal(size=shape)
    return np.exp(x) / np.exp(x).sum(axis=-1, keepdims=True)


def flat(steps=20):
    return {"gate": {m: softmax((2, steps, 3), i) for i, m in enumerate("av")}}


def hierarchical():
    sizes = {"gate1": 2, "gate2": 3, "gate3": 4, "gate": 3}
    return {
        level: {m: softmax((2, 5, n), i) for i, m in enumerate("av")}
        for level, n in sizes.items()
    }


def test_weights_of_a_flat_gate_are_its_own():
    gates = flat()
    np.testing.assert_array_equal(
        iterate_weights(gates)["v"], gates["gate"]["v"]
    )


def test_weights_of_a_hierarchical_gate_are_those_of_the_mixture():
    gates = hierarchical()
    x = np.random.default_rng(9).normal(size=(4, 2, 5))  # x^0 ... x^3
    weights = iterate_weights(gates)["a"]
    np.testing.assert_allclose(weights.sum(axis=-1), 1)
    levels = [
        np.einsum("btk,kbt->bt", gates[f"gate{j}"]["a"], x[: j + 1])
        for j in (1, 2, 3)
    ]
    mixture = np.einsum("btj,jbt->bt", gates["gate"]["a"], np.stack(levels))
    np.testing.assert_allclose(np.einsum("btk,kbt->bt", weights, x), mixture)


def test_one_step_has_one_level():
    gate = softmax((1, 4, 2), 0)
    found = iterate_weights({"gate1": {"a": gate}})
    np.testing.assert_array_equal(found["a"], gate)


def test_no_gates_are_an_error():
    with pytest.raises(ValueError, match="gate=None"):
        iterate_weights({})


def test_the_timeline_shows_valid_steps_of_outputs_and_modalities():
    gates = flat()
    for gate in gates["gate"].values():
        gate[1, 12:] = 0
    rng = np.random.default_rng(0)
    prediction, truth = rng.uniform(-1, 1, (2, 2, 20, 2))
    truth[1, 3] = -5
    figure = plot_gate_timeline(gates, prediction, truth, sample=1, rate=4)
    axes = figure.axes
    assert [a.get_ylabel() for a in axes] == ["valence", "arousal", "a", "v"]
    assert axes[-1].get_xlabel() == "seconds"
    drawn, label = axes[0].lines[0], axes[0].lines[1].get_ydata()
    np.testing.assert_allclose(drawn.get_xdata(), np.arange(12) / 4)
    np.testing.assert_allclose(drawn.get_ydata(), prediction[1, :12, 0])
    assert np.isnan(label[3])
    assert np.isfinite(np.delete(label, 3)).all()


def test_one_output_without_truth():
    figure = plot_gate_timeline(flat(), np.zeros((2, 20)))
    assert len(figure.axes) == 3
    assert figure.axes[-1].get_xlabel() == "step"
