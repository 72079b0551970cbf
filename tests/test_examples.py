"""The examples run as a user runs them, on the packaged data."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from keras_mmfusion import models

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


@pytest.mark.once
def test_your_own_data(tmp_path):
    run("your_own_data.py", tmp_path, "--epochs", "2")
    preset = tmp_path / "out" / "own" / "preset"
    assert models.MSAF.from_preset(preset).num_classes == 10
    assert (tmp_path / "out/own/run/report.html").stat().st_size < 1e6


def test_demo(tmp_path):
    printed = run("demo.py", tmp_path)
    assert "Accuracy on 6000 test pairs" in printed
    assert (tmp_path / "out" / "block_attention.png").stat().st_size > 1000
