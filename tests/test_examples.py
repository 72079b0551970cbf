"""The examples run as a user runs them, on the packaged data."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from keras_mmfusion import models

# Every example runs under one backend, where it takes least time; what it
# calls is tested under all.
EXAMPLES = Path(__file__).parent.parent / "examples"


def run(name, folder, *arguments):
    return subprocess.run(
        [sys.executable, str(EXAMPLES / name), *arguments],
        check=True,
        cwd=folder,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONIOENCODING": "utf-8"},
    ).stdout


@pytest.mark.once
def test_evaluate_preset(tmp_path):
    printed = run("evaluate_preset.py", tmp_path)
    assert "accuracy" in printed
    assert (tmp_path / "out" / "robustness.png").stat().st_size > 1000


@pytest.mark.once("torch")
def test_your_own_data(tmp_path):
    run("your_own_data.py", tmp_path, "--epochs", "2")
    preset = tmp_path / "out" / "own" / "preset"
    assert models.MSAF.from_preset(preset).num_classes == 10
    assert (tmp_path / "out/own/run/report.html").stat().st_size < 1e6


@pytest.mark.once("torch")
def test_sentiment_mosei(tmp_path):
    """Simulated here, and read back as a user's own file is."""
    printed = run("sentiment_mosei.py", tmp_path, "--epochs", "1")
    assert "SIMULATED data" in printed
    assert "Acc7" in printed
    folder = tmp_path / "out" / "sentiment_mosei"
    for name in ("vectors", "maps", "cross_attention", "graph"):
        assert (folder / f"{name}.png").stat().st_size > 1000


@pytest.mark.once  # JAX, as `make demo` has it.
def test_demo(tmp_path):
    printed = run("demo.py", tmp_path)
    assert "Accuracy on 6000 test pairs" in printed
    for name in ("cross_attention", "representations"):
        assert (tmp_path / "out" / f"{name}.png").stat().st_size > 1000


@pytest.mark.once("torch")
def test_valence_arousal_affwild2(tmp_path):
    printed = run("valence_arousal_affwild2.py", tmp_path, "--epochs", "2")
    printed = " ".join(printed.split())
    assert "This data is simulated" in printed
    assert printed.count("CCC valence") == 4  # scores and floors, twice
    assert "smoothing: none" in printed
    assert "smoothing: moving average" in printed
    found = re.search(r"at most (\S+) from the prediction", printed)
    assert float(found[1]) < 1e-5
    picture = tmp_path / "out" / "affwild2" / "timeline.png"
    assert picture.stat().st_size > 10_000
