"""Every recipe starts and learns on a small slice of its data."""

import importlib.util
import json
import sys
from pathlib import Path

import pytest

from keras_mmfusion import data, models, presets
from keras_mmfusion.data.formats import write_file
from keras_mmfusion.data.simulated import simulated_sentiment
from keras_mmfusion.data.simulated_affect import simulated_affect
from keras_mmfusion.encoders import TCNEncoder

# Several networks, a few epochs each: PyTorch, which compiles nothing, is
# many times faster, and what is tested here is the same on every backend.
pytestmark = pytest.mark.once("torch")
RECIPES = Path(__file__).parent.parent / "weights" / "recipes"


def load_recipe(name):
    if str(RECIPES) not in sys.path:  # They import each other, as scripts do.
        sys.path.append(str(RECIPES))
    spec = importlib.util.spec_from_file_location(name, RECIPES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_msaf_av_digits(tmp_path):
    recipe = load_recipe("msaf_av_digits")
    digits = data.load("av_digits")
    small = data.MultimodalDataset(
        digits.train.subset(range(480)),
        digits.valid.subset(range(120)),
        digits.test.subset(range(120)),
        digits.name,
        digits.task,
    )
    result = recipe.train(
        small, tmp_path / "preset", tmp_path / "work", seeds=1, epochs=10
    )
    learnt = result.models["msaf"].scores["accuracy"].mean
    assert learnt > 0.3  # chance is 0.1
    report = presets.verify_preset(tmp_path / "preset")
    assert report.trained
    card = (tmp_path / "preset" / "README.md").read_text()
    assert "Robustness" in card
    assert "concat" in card
    assert models.MSAF.from_preset(tmp_path / "preset").num_classes == 10


def sentiment_file(folder, layout="mult", **arguments):
    """A simulated file with the true widths, read back."""
    shapes = {"text": (6, 300), "audio": (9, 74), "video": (8, 35)}
    made = simulated_sentiment((48, 12, 15), shapes, **arguments)
    write_file(made, folder / "data.pkl", layout)
    return data.load(folder / "data.pkl")


SMALL_MEA = {
    "width": 8,
    "latent": 8,
    "num_heads": 2,
    "exclusive_layers": 1,
    "agnostic_layers": 1,
    "levels": ["coarse"],
}


def test_mea_mosei(tmp_path):
    result = load_recipe("mea_mosei").train(
        sentiment_file(tmp_path),
        "mosei",
        tmp_path / "preset",
        tmp_path / "work",
        seeds=1,
        epochs=8,
        buckets=1,
        **SMALL_MEA,
    )
    assert presets.verify_preset(tmp_path / "preset").trained
    model = models.MEA.from_preset(tmp_path / "preset")
    assert model.settings.mix == 0.15  # Table I
    assert model.sample_shapes["audio"] == (None, 74)
    history = result.first.runs[0].history
    assert min(history["task_loss"]) < 0.7 * history["task_loss"][0]
    card = (tmp_path / "preset" / "README.md").read_text()
    assert "GloVe" in card
    # F1 with exchanged arguments, and as it should be.
    assert "f1_non0" in card
    assert "protocol mmsa, f1_non0" in card
    assert "corr" in card


def test_mea_iemocap(tmp_path):
    recipe = load_recipe("mea_mosei")
    emotions = sentiment_file(tmp_path, binary_heads=True)
    result = recipe.train(
        emotions,
        "iemocap",
        tmp_path / "preset",
        tmp_path / "work",
        seeds=1,
        epochs=1,
        buckets=1,
        **SMALL_MEA,
    )
    assert set(result.first.scores) >= {"accuracy_happy", "f1_angry"}
    model = models.MEA.from_preset(tmp_path / "preset")
    assert model.output_shape == (None, 4, 2)
    with pytest.raises(ValueError, match="--dataset"):
        recipe.train(emotions, "mosi", tmp_path / "no", tmp_path / "no_work")


def small_grjca():
    encoders = {
        m: TCNEncoder(width, [8], steps=40, name=m, seed=0)
        for m, width in (("video", 512), ("audio", 128))
    }
    return models.GRJCA(
        encoders, temporal_mixing="dense", steps=1, hidden_units=8, seed=0
    )


def test_grjca_affwild2(tmp_path):
    frames = {"train": [200] * 8, "valid": [150, 30]}
    folder = simulated_affect(tmp_path / "aff-wild2", frames)
    recipe = load_recipe("grjca_affwild2")
    small = {"build": small_grjca, "window": 40, "hop": 25}
    for protocol in recipe.PROTOCOLS[::-1]:
        parts = recipe.three_parts(folder, 0, protocol, 40, 25)
        videos = {k: {*p.groups["video"]} for k, p in parts.items()}
        official = protocol == "official"
        assert len(videos["train"]) == (8 if official else 5)
        assert (videos["choose"] == videos["test"]) == official
        assert not videos["train"] & (videos["choose"] | videos["test"])
        annotated = (parts["train"].labels != -5).all(axis=2).sum()
        steps = parts["train"].features["audio"].lengths().sum()
        assert (annotated == steps) == official
    (found,) = recipe.train(
        folder, tmp_path, [0], epochs=20, rate=5e-3, **small
    )
    assert found.results["affwild2"]["ccc_mean"].value > 0.2
    work = tmp_path / "fold0_seed3407"
    written = json.loads((work / "result.json").read_text())
    assert "smoothing: none" in written["report"]["summary"]
    assert written["videos"] == {"train": 5, "choose": 3, "test": 2}
    assert presets.verify_preset(work / "arousal").trained
    card = (work / "arousal" / "README.md").read_text()
    assert "--protocol corrected" in card
    official = recipe.train_fold(
        folder, tmp_path / "o", protocol="official", epochs=1, **small
    )
    assert official.samples < 180  # frames without a label are dropped
    with pytest.raises(ValueError, match="protocol"):
        recipe.train_fold(folder, tmp_path, protocol="best", **small)


def test_grjca_affwild2_warm_up():
    """The published one: from 0 in each of five epochs, at last to a fifth."""
    model = small_grjca()
    callback = load_recipe("grjca_affwild2").WarmUp(0.1)
    callback.set_model(model)
    callback.set_params({"steps": 10})
    for epoch, batch, rate in (
        (0, 0, 0.0),
        (0, 5, 0.1 * 0.5 / 25),
        (4, 0, 0.0),
        (4, 10, 0.1 / 5),
        (5, 0, 0.1),
        (5, 3, 0.1),
    ):
        callback.on_epoch_begin(epoch)
        callback.on_train_batch_begin(batch)
        found = float(model.optimizer.learning_rate)
        assert found == pytest.approx(rate, rel=1e-6)
