"""One weight file, three backends."""

import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from keras_mmfusion import data, models

GOLDEN = Path(__file__).parent / "msaf_av_digits_test.npz"

TRAIN = """
import sys
import numpy as np
import keras_mmfusion as mmf
x = dict(np.load("inputs.npz"))
model = mmf.models.MSAF.from_shapes(
    {"audio": (None, 5), "facts": (3,)}, num_classes=3, units=8,
    block_channels=4, segments=2, seed=0)
model.fit(x, np.arange(12) % 3, epochs=3, batch_size=4, verbose=0)
model.save_to_preset("preset")
np.save("trained.npy", model.predict(x, verbose=0))
"""
OTHER = {"jax": "tensorflow", "tensorflow": "torch", "torch": "jax"}


def preset_logits() -> tuple[data.Split, np.ndarray]:
    test = data.load("av_digits").test
    model = models.MSAF.from_preset("av_digits")
    return test, model.predict(test.batches(500, buckets=4), verbose=0)


def test_trained_on_another_backend_runs_on_this_one(tmp_path):
    rng = np.random.default_rng(0)
    x = {
        "audio": rng.normal(size=(12, 6, 5)).astype("float32"),
        "facts": rng.normal(size=(12, 3)).astype("float32"),
    }
    np.savez(tmp_path / "inputs.npz", **x)
    subprocess.run(
        [sys.executable, "-c", TRAIN],
        check=True,
        cwd=tmp_path,
        env={**os.environ, "KERAS_BACKEND": OTHER[keras.backend.backend()]},
    )
    model = models.MSAF.from_preset(tmp_path / "preset")
    np.testing.assert_allclose(
        np.load(tmp_path / "trained.npy"),
        model.predict(x, verbose=0),
        atol=1e-5,
    )


def test_the_preset_predicts_the_same_on_every_backend():
    """All test pairs, against the logits that were stored under JAX.

    After a new training: KERAS_BACKEND=jax python -m
    tests.models.test_across_backends
    """
    stored = np.load(GOLDEN)
    test, logits = preset_logits()
    assert logits.shape == stored["logits"].shape == (len(test), 10)
    assert np.abs(logits - stored["logits"]).max() < 1e-4
    accuracy = (logits.argmax(1) == test.labels).mean()
    assert accuracy == pytest.approx(float(stored["accuracy"]), abs=1e-3)


if __name__ == "__main__":
    split, found = preset_logits()
    accuracy = (found.argmax(1) == split.labels).mean()
    np.savez_compressed(GOLDEN, logits=found, accuracy=accuracy)
