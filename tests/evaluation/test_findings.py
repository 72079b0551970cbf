"""Sentences for cards say what the numbers say."""

from types import SimpleNamespace

import pytest

from keras_mmfusion.evaluation import (
    Curve,
    Robustness,
    comparison_in_words,
    corruption_in_words,
)
from tests.evaluation.test_robustness_difference import made

pytestmark = pytest.mark.once


def result(main="accuracy"):
    def test(difference, low, high):
        return SimpleNamespace(difference=difference, low=low, high=high)

    paired = [
        ("audio", "grjca", test(-0.2, -0.3, -0.1)),
        ("concat", "grjca", test(0.01, -0.02, 0.03)),
        ("late", "grjca", test(0.05, 0.02, 0.08)),
        ("grjca", "grjca of another run", test(0.5, 0.4, 0.6)),
    ]
    first = SimpleNamespace(name="grjca")
    return SimpleNamespace(first=first, main=main, paired=paired)


def test_what_beats_what():
    said = comparison_in_words(result())
    assert "grjca beats audio (+0.200 [+0.100, +0.300])." in said
    assert "grjca is beaten by late (-0.050 [-0.080, -0.020])." in said
    assert "between grjca and concat (-0.010 [-0.030, +0.020])." in said
    assert "another run" not in said


def test_a_model_alone_is_said_to_be_alone():
    alone = result()
    alone.paired = alone.paired[3:]
    said = "grjca was compared with no other model."
    assert comparison_in_words(alone) == said


def test_less_is_better_of_an_error():
    said = comparison_in_words(result("mae"))
    assert "grjca beats late (-0.050" in said
    assert "grjca is beaten by audio (+0.200" in said


def test_the_direction_of_a_metric_of_ones_own_is_said():
    assert "grjca beats audio" in comparison_in_words(result("kappa"), "max")
    assert "grjca beats late" in comparison_in_words(result("kappa"), "min")
    with pytest.raises(ValueError, match='mode="max"'):
        comparison_in_words(result("kappa"))


def test_corruption():
    curves = {
        "gated": {k: made(0.9, 0.7 + k / 100) for k in range(4)},
        "plain": {k: made(0.9, 0.5 + k / 99) for k in range(4)},
    }
    said = corruption_in_words(curves, "gated", "plain")
    assert "over 4 seeds: in 1 of 1 cases the area" in said
    assert "in 0 smaller; in 1 gated loses less" in said
    assert "    - noise of audio: area +0.100" in said
    turned = corruption_in_words(curves, "plain", "gated")
    assert "in 0 of 1 cases" in turned
    assert "in 1 smaller; in 0 plain loses less" in turned
    assert turned.count("in 1 more") == 1


def test_an_error_that_grows_less_is_said_to_lose_less():
    def error(worst):
        curve = Curve("noise", "audio", (0.0, 1.0), (0.5, worst), (0.0, 0.0))
        return Robustness("mae", 0.5, 10, 1, 0, (curve,))

    curves = {
        "gated": {k: error(0.6 + k / 100) for k in range(3)},
        "plain": {k: error(1.0 + k / 99) for k in range(3)},
    }
    said = corruption_in_words(curves, "gated", "plain")
    assert "in 1 gated loses less of its clean score, in 0 more" in said
