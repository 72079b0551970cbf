"""The examples on clips run as a user runs them, on simulated ones."""

import pytest

from tests.test_examples import run

# Convolutions over time and space train many times slower on JAX' CPU.
pytestmark = pytest.mark.once("torch")


def test_emotion_ravdess(tmp_path):
    printed = run("emotion_ravdess.py", tmp_path, "--epochs", "2")
    assert "Simulated clips" in printed
    assert "accuracy" in printed
    assert (tmp_path / "out/ravdess/attention.png").stat().st_size > 1000
    assert (tmp_path / "out/ravdess/confusion.png").stat().st_size > 1000


def test_action_ntu(tmp_path):
    printed = run("action_ntu.py", tmp_path, "--epochs", "2")
    assert "Simulated clips" in printed
    assert "accuracy" in printed
    assert (tmp_path / "out/ntu/attention.png").stat().st_size > 1000
