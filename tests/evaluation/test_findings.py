"""Sentences for cards say what the numbers say."""

from types import SimpleNamespace

import pytest

from keras_mmfusion.evaluation import (
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
