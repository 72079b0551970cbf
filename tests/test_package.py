"""The built wheel holds all it needs; importing it costs no other backend."""

import os
import subprocess
import sys
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PROBE = """
import sys
import keras_mmfusion as mmf
assert "site-packages" in mmf.__file__, mmf.__file__
model = mmf.models.MSAF.from_preset("av_digits")
digits = mmf.data.load("av_digits")
x, _ = digits.test.subset(range(8)).arrays()
print(model.predict(x, verbose=0).argmax(1).tolist())
"""


@pytest.mark.once
def test_the_wheel_works_in_an_empty_environment(tmp_path):
    """Only the installed wheel is on the path; dependencies are borrowed."""
    run = {"check": True, "cwd": tmp_path, "capture_output": True, "text": True}
    subprocess.run(
        [
            sys.executable,
            "-m",
            "build",
            "--wheel",
            "--no-isolation",
            "--outdir",
            str(tmp_path),
            str(ROOT),
        ],
        **run,
    )
    (wheel,) = tmp_path.glob("*.whl")
    assert wheel.stat().st_size < 30e6
    venv.create(tmp_path / "env", with_pip=False)
    python = tmp_path / "env" / "bin" / "python"
    site = next((tmp_path / "env").glob("lib/*/site-packages"))
    subprocess.run(
        [
            sys.executable,
            "-m",
            "pip",
            "install",
            "-q",
            "--no-deps",
            "--target",
            str(site),
            str(wheel),
        ],
        **run,
    )
    # The dependencies' folder, but not the checkout that is linked there.
    import keras

    borrowed = str(Path(keras.__file__).parent.parent)
    environment = {**os.environ, "PYTHONPATH": f"{site}{os.pathsep}{borrowed}"}
    result = subprocess.run([str(python), "-c", PROBE], env=environment, **run)
    assert len(result.stdout.split(",")) == 8


def test_import_adds_nothing_heavy_to_keras():
    heavy = (
        "jax",
        "tensorflow",
        "torch",
        "matplotlib",
        "huggingface_hub",
        "scipy",
        "sklearn",
        "PIL",
        "hypothesis",
    )
    code = (
        f"import sys, keras\nheavy = {heavy}\n"
        "before = {m for m in heavy if m in sys.modules}\n"
        "import keras_mmfusion\n"
        "print(sorted(m for m in heavy if m in sys.modules"
        " and m not in before))\n"
        "print('tensorflow' in sys.modules)"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    )
    is_tensorflow = os.environ["KERAS_BACKEND"] == "tensorflow"
    assert result.stdout.splitlines()[:2] == ["[]", str(is_tensorflow)]
