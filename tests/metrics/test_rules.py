"""One definition serves NumPy and Keras; every name leads to its rule."""

import keras
import numpy as np
import pytest

from keras_mmfusion import metrics
from keras_mmfusion.metrics.additive import additive_form
from keras_mmfusion.metrics.rules import ACCURACIES, F1_SCORES, RULES
from tests.backend import numpy_of
from tests.metrics.expected import P, Y

# Every edge: zeros of both signs, ties, cuts, beyond the range.
_EDGES = [-3.6, -3.0, -2.5, -1.5, -1.0, -0.7, -0.5, -0.1, -0.0]
EDGES = np.array([*_EDGES, *(-edge for edge in _EDGES)], "float32")


@pytest.mark.parametrize("name", RULES)
def test_numpy_and_keras_decide_alike(name):
    y, p = (a.reshape(-1) for a in np.meshgrid(EDGES, EDGES))
    expected = RULES[name].decide(np, y, p)
    tensors = [keras.ops.convert_to_tensor(a) for a in (y, p)]
    for ours, theirs in zip(
        RULES[name].decide(keras.ops, *tensors), expected, strict=True
    ):
        np.testing.assert_array_equal(numpy_of(ours), theirs)
    assert expected[0].min() >= 0
    assert max(e.max() for e in expected[:2]) == RULES[name].classes - 1


@pytest.mark.once
@pytest.mark.parametrize("name", [*ACCURACIES, *F1_SCORES])
def test_names_lead_to_the_rule_the_function_uses(name):
    function = getattr(metrics, name)
    scale = 3.0 if name.startswith("sims") else 1.0
    y, p = Y / scale, P / scale
    rule = RULES[ACCURACIES[name] if name in ACCURACIES else F1_SCORES[name][0]]
    truth, predicted, kept = rule.decide(np, y, p)
    if name in ACCURACIES:
        kept = kept & (predicted >= 0)
        assert function(y, p) == (truth == predicted)[kept].mean()
    else:
        assert additive_form(function).statistics(y, p).shape == (121, 6)


@pytest.mark.once
def test_a_score_on_a_cut_falls_into_the_lower_interval():
    scores = np.array([-2, -0.7, -0.69, -0.1, 0, 0.1, 0.11, 0.7, 0.71, 2])
    numbers = RULES["sims_five"].decide(np, scores, scores)[0]
    assert numbers.tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]
