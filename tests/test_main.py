"""The commands of `python -m keras_mmfusion`."""

import hashlib
import subprocess
import sys

import numpy as np
import pytest

from keras_mmfusion import models, presets
from keras_mmfusion.__main__ import main
from tests import goldens
from tests.backend import numpy_of, relative_error

torch = pytest.importorskip("torch")


@pytest.fixture
def checkpoint(tmp_path):
    """A file like the official one of CMU-MOSEI."""
    golden = goldens.load("msaf_mosei_network")
    state = {
        k: torch.tensor(v.astype("float32"))
        for k, v in golden.state_dict().items()
    }
    content = {"epoch": 6, "model_state_dict": state, "test_loss": 0.5}
    torch.save(content, tmp_path / "msaf_mosei_epoch6.pth")
    return tmp_path / "msaf_mosei_epoch6.pth"


def convert(file, preset, out):
    return main(["convert", str(file), "--preset", preset, "--out", str(out)])


def test_a_checkpoint_becomes_a_preset(checkpoint, tmp_path, capsys):
    out = tmp_path / "preset"
    assert convert(checkpoint, "mosei", out) == 0
    assert str(out) in capsys.readouterr().out
    golden = goldens.load("msaf_mosei_network")
    x = {k: v.astype("float32") for k, v in golden.inputs().items()}
    model = models.MSAF.from_preset(out)
    output = model.predict(x, verbose=0)
    assert relative_error(output, golden.outputs[0]) < 1e-5

    metadata = presets.read_metadata(out)
    digest = hashlib.sha256(checkpoint.read_bytes()).hexdigest()
    assert metadata["converted"] == {
        "network": "MSAF on CMU-MOSEI",
        "file": "msaf_mosei_epoch6.pth",
        "sha256": digest,
        "size": checkpoint.stat().st_size,
    }
    assert "metrics" not in metadata
    card = (out / "README.md").read_text()
    assert digest in card
    assert f'from_preset("path/to/{out.name}")' in card


def test_a_part_of_a_network_reads_the_file_of_the_whole(tmp_path):
    golden = goldens.load("grjca_network")
    state = {
        k: torch.tensor(v.astype("float32"))
        for k, v in golden.state_dict().items()
        if not k.startswith("spatial.")
    }
    torch.save(state, tmp_path / "a.pth")
    out = tmp_path / "preset"
    assert convert(tmp_path / "a.pth", "affwild2_features", out) == 0
    model = models.GRJCA.from_preset(out)
    assert model.sample_shapes["video"] == (300, 512)
    np.testing.assert_array_equal(
        numpy_of(model.head.hidden.bias), state["regressor1.bias"]
    )


def test_errors_are_one_line_and_an_exit_code(checkpoint, tmp_path, capsys):
    full = tmp_path / "full"
    full.mkdir()
    (full / "mine.txt").write_text("keep me")
    notes = tmp_path / "notes.pth"
    notes.write_text("not a checkpoint")
    other = tmp_path / "other.pth"
    torch.save({"video_model_blocks.0.0.weight": torch.ones(1)}, other)
    strange = tmp_path / "strange.pth"
    torch.save({"fc.weight": torch.ones(1)}, strange)
    new = tmp_path / "new"
    cases = {
        "There is no checkpoint file": (tmp_path / "none.pth", "mosei", new),
        "is no PyTorch checkpoint": (notes, "mosei", new),
        "'msaf_ravdess'": (other, "mosei", new),
        "unexpected: ['fc.weight']": (strange, "mosei", new),
        "a preset 'mosi'": (checkpoint, "mosi", new),
        "not an empty directory": (checkpoint, "mosei", full),
    }
    for message, arguments in cases.items():
        assert convert(*arguments) == 1
        error = capsys.readouterr().err
        assert error.startswith("error: ")
        assert message in error
        assert error.count("\n") == 1
    assert not new.exists()
    assert [path.name for path in full.iterdir()] == ["mine.txt"]


@pytest.mark.once
def test_it_runs_as_a_module(tmp_path):
    command = [sys.executable, "-m", "keras_mmfusion", "convert", "none.pth"]
    command += ["--preset", "mosei", "--out", str(tmp_path / "new")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("error: There is no")
    assert "Traceback" not in done.stderr


def test_a_changed_checkpoint_gives_another_preset(checkpoint, tmp_path):
    content = torch.load(checkpoint, weights_only=True)
    content["model_state_dict"]["multimodal_classifier.0.bias"] += 1.0
    torch.save(content, tmp_path / "changed.pth")
    convert(tmp_path / "changed.pth", "msaf_mosei", tmp_path / "preset")
    golden = goldens.load("msaf_mosei_network")
    x = {k: v.astype("float32") for k, v in golden.inputs().items()}
    model = models.MSAF.from_preset(tmp_path / "preset")
    output = model.predict(x, verbose=0)
    np.testing.assert_allclose(output, golden.outputs[0] + 1, rtol=1e-4)
