"""Checkpoint files of all forms, and those that must not be loaded."""

import pickle

import numpy as np
import pytest

from keras_mmfusion.convert import load_official
from keras_mmfusion.convert.checkpoint_file import read_weights

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.once

WEIGHTS = {"a.weight": torch.arange(6.0).reshape(2, 3), "a.bias": torch.ones(2)}


class Runs:
    """Creates a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


def wrapped(**more):
    return {"epoch": 6, "model_state_dict": WEIGHTS, **more}


@pytest.mark.parametrize(
    "content",
    [
        WEIGHTS,
        wrapped(),
        wrapped(optimizer_state_dict={"state": {0: {"step": 3}}}),
        # Scores beside the weights may be NumPy numbers.
        wrapped(test_loss=np.float64(0.6), test_score=[np.float32(0.5)]),
        {"state_dict": {f"module.{k}": v for k, v in WEIGHTS.items()}},
        {"state_dict": {"model": WEIGHTS}},
    ],
)
@pytest.mark.parametrize("zipped", [True, False])
def test_the_state_dict_is_found(tmp_path, content, zipped):
    path = tmp_path / "network.checkpoint"
    torch.save(content, path, _use_new_zipfile_serialization=zipped)
    for source in (path, str(path), content):
        found = read_weights(source)
        assert list(found) == list(WEIGHTS)
        np.testing.assert_array_equal(found["a.weight"], WEIGHTS["a.weight"])


@pytest.mark.parametrize("zipped", [True, False])
def test_nothing_in_a_file_is_run(tmp_path, zipped):
    made = tmp_path / "made"
    path = tmp_path / "bad.pth"
    content = wrapped(extra=Runs(made))
    torch.save(content, path, _use_new_zipfile_serialization=zipped)
    with pytest.raises(ValueError, match="asks for code to be run"):
        read_weights(path)
    assert not made.exists()
    torch.load(path, weights_only=False)
    assert made.exists()  # the file is as bad as it was meant to be


def test_a_plain_pickle_is_not_run(tmp_path):
    made = tmp_path / "made"
    path = tmp_path / "bad.pth"
    path.write_bytes(pickle.dumps({"a": Runs(made)}))
    with pytest.raises(ValueError, match="was not loaded"):
        read_weights(path)
    assert not made.exists()


def test_a_whole_network_is_not_loaded(tmp_path):
    torch.save(torch.nn.Linear(2, 3), tmp_path / "network.pth")
    with pytest.raises(ValueError, match="pass its state dict"):
        read_weights(tmp_path / "network.pth")


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.99])
def test_damaged_files_are_refused(tmp_path, share):
    path = tmp_path / "network.pth"
    torch.save(WEIGHTS, path)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(ValueError, match=r"network\.pth is no PyTorch"):
        read_weights(path)


def test_other_files_are_refused(tmp_path):
    (tmp_path / "notes.pth").write_text("not a checkpoint")
    with pytest.raises(ValueError, match="damaged"):
        read_weights(tmp_path / "notes.pth")
    with pytest.raises(ValueError, match="There is no checkpoint file"):
        read_weights(tmp_path / "none.pth")
    with pytest.raises(ValueError, match="There is no checkpoint file"):
        read_weights(tmp_path)


@pytest.mark.parametrize("content", [3, [1.0], {"epoch": 3}, {1: np.ones(2)}])
def test_what_is_no_state_dict_is_named(content):
    with pytest.raises(ValueError, match="should hold a state dict"):
        read_weights(content)


def test_without_pytorch_a_file_says_what_to_do(tmp_path, monkeypatch):
    torch.save(WEIGHTS, tmp_path / "network.pth")
    monkeypatch.setitem(__import__("sys").modules, "torch", None)
    with pytest.raises(ValueError, match=r"keras_mmfusion\[torch\]"):
        read_weights(tmp_path / "network.pth")
    assert read_weights({"a": np.ones(2)}).keys() == {"a"}


@pytest.mark.parametrize(
    "value", [[np.nan, 1.0], [np.inf, 1.0], np.array(["a", "b"]), [1j, 2]]
)
def test_weights_that_are_no_finite_numbers_are_refused(value):
    with pytest.raises(ValueError, match="finite real numbers"):
        load_official(None, {"a.weight": np.asarray(value)})


def test_a_tensor_without_numbers_is_refused():
    with pytest.raises(ValueError, match=r"'a.weight' should be an array"):
        load_official(None, {"a.weight": torch.ones(2, device="meta")})


def test_half_precision_is_read():
    half = {"a": torch.ones(2, dtype=torch.bfloat16)}
    with pytest.raises(ValueError, match="NoneType"):
        load_official(None, half)
