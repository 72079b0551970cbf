import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from keras_mmfusion.data import MultimodalDataset, Split, Vectors
from keras_mmfusion.evaluation import Result, run, trained_model
from keras_mmfusion.metrics import accuracy, paired_test
from tests.evaluation.conftest import BUILDS
from tests.evaluation.tiny import (
    FIT,
    dataset,
    linear,
    same,
    small_run,
    split,
)

ROOT = Path(__file__).parents[2]


def test_the_test_split_is_read_after_the_seal_only(result, folder):
    # The fixture's data set raises otherwise.
    sealed = json.loads((folder / "sealed.json").read_text())
    assert sealed["models"].keys() == {"image", "audio"}
    assert result.times["sealed"] <= result.times["test opened"]


def test_the_best_candidate_on_validation_is_tested(result):
    image = result.models["image"]
    assert image.candidate == "fast"
    means = {k: np.mean(v) for k, v in image.candidates.items()}
    assert means["fast"] < means["slow"]
    assert image.candidates["fast"] == [run.value for run in image.runs]


def test_the_epoch_kept_is_the_best_on_validation(result):
    for model in result.models.values():
        for one in model.runs:
            losses = one.history["val_loss"]
            assert one.epoch == np.argmin(losses) + 1
            assert one.value == min(losses)


def test_scores_are_those_of_the_stored_predictions(result):
    test = split(2)
    for model in result.models.values():
        values = [accuracy(test.labels, p) for p in model.predictions]
        assert model.scores["accuracy"].values == tuple(values)
        assert model.scores["accuracy"].mean == pytest.approx(np.mean(values))
        assert model.predictions.shape == (2, 48, 3)
        assert values == [one.test["accuracy"] for one in model.runs]
    assert result.ids == test.ids


def test_each_model_is_tested_against_the_first(result):
    name, reference, test = result.paired[0]
    assert (name, reference) == ("audio", "image")
    y = result.labels
    right = {
        k: (m.predictions.argmax(-1) == y).mean(axis=0)
        for k, m in result.models.items()
    }
    groups = split(2).groups["recording"]
    assert test == paired_test(right["audio"], right["image"], groups=groups)
    assert test.units == 8


def test_a_trained_model_gives_the_stored_predictions(result, folder):
    best = result.models["image"].best_seed(lower=True)
    index = [one.seed for one in result.models["image"].runs].index(best)
    model = trained_model(BUILDS["image"]["fast"], folder)
    inputs, _ = split(2).arrays()
    found = model.predict({"image": inputs["image"]}, verbose=0)
    expected = result.models["image"].predictions[index]
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
    with pytest.raises(ValueError, match="Received: seed=7"):
        trained_model(BUILDS["image"]["fast"], folder, seed=7)
    with pytest.raises(ValueError, match="does not fit what `build` returns"):
        trained_model(BUILDS["audio"], folder, model="image")


def test_a_finished_run_is_read_and_not_repeated(result, folder, monkeypatch):
    def refuse(*args, **kwargs):
        raise AssertionError("Trained again.")

    monkeypatch.setattr(keras.Model, "fit", refuse)
    again = small_run(BUILDS, dataset(), folder, groups="recording")
    same(again, result)


def test_a_finished_run_is_not_that_of_another_test_split(result, folder):
    for other in (dataset(test_samples=24), dataset()):
        other.test.labels[0] += 1 - 2 * (other.test.labels[0] == 2)
        with pytest.raises(ValueError, match="test split has other samples"):
            small_run(BUILDS, other, folder, groups="recording")
    other = dataset()
    image = Vectors(-other.test.arrays()[0]["image"])
    other.test.features["image"] = image
    with pytest.raises(ValueError, match="test split has other inputs"):
        small_run(BUILDS, other, folder, groups="recording")


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"seeds": [0, 1, 2]}, "seeds"),
        ({"fit": {**FIT, "epochs": 4}}, "fit.epochs: was 3, is 4"),
        ({"groups": None}, "groups: was 'recording'"),
        ({"metric": "f1_macro"}, "metric: was 'accuracy'"),
        (
            {"build": {**BUILDS, "audio": linear("audio", 0.3)}},
            "models.audio.audio.optimizer.config.learning_rate",
        ),
        ({"build": {"audio": BUILDS["audio"]}}, "models.image"),
        ({"dataset": dataset(train_seed=5)}, "train.labels"),
    ],
)
@pytest.mark.once
def test_other_choices_are_refused(result, folder, changes, named):
    arguments = {"build": BUILDS, "data": dataset(), "groups": "recording"}
    changes = dict(changes)
    arguments["data"] = changes.pop("dataset", arguments["data"])
    with pytest.raises(ValueError, match="other choices") as error:
        small_run(**{**arguments, **changes}, directory=folder)
    assert named in str(error.value)


def test_equal_seeds_give_equal_results_and_other_seeds_others(result):
    again = small_run(BUILDS["audio"], dataset(), seeds=[1])
    expected = result.models["audio"].predictions[1]
    np.testing.assert_array_equal(again.first.predictions[0], expected)
    assert not np.array_equal(expected, result.models["audio"].predictions[0])


KILLED = """
import os, signal, sys
import keras
from tests.evaluation.tiny import dataset, linear, small_run
from tests.evaluation.test_runner import interrupted

interrupted.kill = True
small_run(
    linear(), dataset(), sys.argv[1],
    fit={"epochs": 3, "batch_size": 16, "callbacks": interrupted},
)
"""


def interrupted(seed):
    """Callbacks of which one kills the process within an epoch."""

    class Kill(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            epoch = int(self.model.optimizer.iterations) // 3
            if interrupted.kill and seed == 1 and epoch == 1:
                os.kill(os.getpid(), signal.SIGKILL)

    return [Kill()]


interrupted.kill = False


@pytest.mark.once
def test_a_killed_run_continues_to_the_same_result(tmp_path):
    child = subprocess.run(
        [sys.executable, "-c", KILLED, str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        timeout=200,
        check=False,
    )
    assert child.returncode == -signal.SIGKILL, child.stderr.decode()[-2000:]
    done = sorted(path.name for path in tmp_path.rglob("seed-*"))
    assert done == ["seed-0.json", "seed-0.npz"]
    first = tmp_path / "trained/model/model/seed-0.json"
    before = first.read_bytes()
    fit = {**FIT, "callbacks": interrupted}
    resumed = small_run(linear(), dataset(), tmp_path, fit=fit)
    assert first.read_bytes() == before
    same(resumed, small_run(linear(), dataset(), fit=fit))

    # Killed between the weights of a seed and their record.
    record = first.with_name("seed-1.json")
    for path in (record, tmp_path / "sealed.json", tmp_path / "result.json"):
        path.unlink()
    record.with_suffix(".npz").write_bytes(b"half")
    same(small_run(linear(), dataset(), tmp_path, fit=fit), resumed)


@pytest.mark.once
def test_a_run_killed_after_the_seal_opens_without_training(
    result, folder, tmp_path, monkeypatch
):
    def refuse(*args, **kwargs):
        raise AssertionError("Trained again.")

    copy = tmp_path / "run"
    shutil.copytree(folder, copy)
    (copy / "result.json").unlink()
    monkeypatch.setattr(keras.Model, "fit", refuse)
    same(small_run(BUILDS, dataset(), copy, groups="recording"), result)


def test_weights_changed_after_the_seal_are_refused(result, folder, tmp_path):
    copy = tmp_path / "run"
    shutil.copytree(folder, copy)
    (copy / "result.json").unlink()
    path = copy / "trained/audio/audio/seed-1.npz"
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(ValueError, match=r"seed-1\.npz was changed"):
        small_run(BUILDS, dataset(), copy, groups="recording")


@pytest.mark.once
def test_records_changed_after_the_seal_are_refused(result, folder, tmp_path):
    copy = tmp_path / "run"
    shutil.copytree(folder, copy)
    (copy / "result.json").unlink()
    path = copy / "trained/audio/audio/seed-1.json"
    record = json.loads(path.read_text())
    path.write_text(json.dumps({**record, "epoch": 1, "value": 0.0}))
    with pytest.raises(ValueError, match="sealed with other choices"):
        small_run(BUILDS, dataset(), copy, groups="recording")


def test_a_higher_accuracy_can_select(capsys):
    result = run(
        linear("image", metrics=("accuracy",)),
        dataset(),
        seeds=1,
        fit={**FIT, "patience": 1},
        select="val_accuracy",
    )
    one = result.first.runs[0]
    assert one.value == max(one.history["val_accuracy"])
    lines = capsys.readouterr().out.splitlines()
    epochs = [line for line in lines if "seed 0 epoch" in line]
    assert len(epochs) == len(one.history["loss"])
    assert all(line.endswith(" s") for line in epochs)
    assert any("sealed" in line for line in lines)


def test_regression_has_its_own_metrics_and_floors():
    def values(seed):
        random = np.random.default_rng(seed)
        x = random.normal(size=(40, 4))
        return Split({"image": x}, labels=x[:, 0] * 5 + 3)

    def build(seed):
        inputs = keras.Input((4,), name="image")
        outputs = keras.layers.Dense(1)(inputs)
        model = keras.Model({"image": inputs}, outputs)
        model.compile(keras.optimizers.SGD(0.05), "mse")
        return model

    data = MultimodalDataset(
        values(0), values(1), values(2), "line", "regression"
    )
    result = small_run(build, data, seeds=1, fit={"epochs": 5})
    scores = result.first.scores
    assert list(scores) == ["mae", "pearson", "concordance"]
    mean = values(0).labels.mean()
    expected = np.abs(values(2).labels - mean).mean()
    floor = result.floors["mean of train"]["mae"]
    assert floor == pytest.approx(expected, rel=1e-5)
    assert scores["mae"].mean < floor
    assert np.isnan(scores["mae"].std)


@pytest.mark.once
def test_an_output_of_a_dict_is_scored():
    class Second(keras.Model):
        def compute_loss(self, x, y, y_pred, sample_weight=None, training=True):
            return super().compute_loss(x, y, y_pred["b"], sample_weight)

    def build(seed):
        inputs = keras.Input((4,), name="image")
        outputs = {k: keras.layers.Dense(3, name=k)(inputs) for k in "ab"}
        model = Second({"image": inputs}, outputs)
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile("sgd", loss)
        return model

    with pytest.raises(ValueError, match=r"\['a', 'b'\].*with `output`"):
        small_run(build, dataset(), seeds=1)
    first, second, both = (
        small_run(build, dataset(), seeds=1, output=output).first.predictions
        for output in ("a", "b", "sum")
    )
    assert second.shape == (1, 48, 3)
    np.testing.assert_allclose(both, first + second, rtol=1e-5, atol=1e-6)
    # Beside models with several outputs there may be some with one.
    small_run(linear(), dataset(), seeds=1, output="sum")


@pytest.mark.once
def test_an_earlier_result_is_compared_by_ids(result, folder, tmp_path):
    data = dataset()
    order = np.random.default_rng(0).permutation(48)
    data.test = data.test.subset(order)
    later = small_run(
        BUILDS["audio"], data, seeds=1, compare=folder, groups="recording"
    )
    name, reference, test = later.paired[0]
    assert (name, reference) == ("model", "image of A run")
    y = data.test.labels
    mine = (later.first.predictions.argmax(-1) == y).mean(axis=0)
    theirs = (result.first.predictions.argmax(-1) == result.labels).mean(0)
    expected = paired_test(
        mine, theirs[order], groups=data.test.groups["recording"]
    )
    assert test.difference == pytest.approx(expected.difference)
    assert test.p_value == expected.p_value
    with pytest.raises(ValueError, match="same test samples"):
        small_run(BUILDS["audio"], dataset(36), seeds=1, compare=result)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"seeds": []}, "`seeds` must be"),
        ({"seeds": [1, 1]}, "`seeds` must be"),
        ({"select": "loss"}, "must begin with 'val_'"),
        ({"select": "val_quality"}, "mode="),
        ({"mode": "best"}, "`mode` must be"),
        ({"select": "val_accuracy"}, r"one of \['loss', 'val_loss'\]"),
        ({"fit": {"epoch": 3}}, r"Received: \['epoch'\]"),
        ({"fit": {"epochs": 0}}, r"fit\['epochs'\] must be"),
        ({"fit": {"callbacks": []}}, "function of the seed"),
        ({"protocol": "mosei"}, "Expected `protocol` among"),
        ({"protocol": "mmsa"}, "do not fit the predictions"),
        ({"metric": "mae"}, "Expected `metric` among"),
        ({"groups": "speaker"}, "`groups` must be among"),
        ({"output": "head"}, "`output` names an entry"),
        ({"build": {}}, "at least one model"),
        ({"build": {"../x": linear()}}, "Names of models"),
        ({"build": {"x": {}}}, "has no candidates"),
        ({"build": linear()(0)}, "must be a function"),
        ({"build": lambda seed: "model"}, "must return a Keras model"),
        (
            {"build": lambda seed: keras.Sequential([keras.Input((4,))])},
            "compiled",
        ),
        ({"data": "no valid"}, "a validation split"),
        ({"data": "no test"}, "no test split to open"),
    ],
)
@pytest.mark.once
def test_arguments_that_do_not_fit_are_refused(changes, message):
    arguments = {"build": linear(), "data": dataset(), **changes}
    if arguments["data"] == "no valid":
        arguments["data"] = MultimodalDataset(
            split(0), None, split(2), "tiny", "classification"
        )
    if arguments["data"] == "no test":
        arguments["data"] = MultimodalDataset(
            split(0), split(1), None, "tiny", "classification"
        )
    with pytest.raises(ValueError, match=message):
        small_run(**arguments)


@pytest.mark.once
def test_a_model_that_diverges_is_reported():
    with pytest.raises(ValueError, match="not a finite number"):
        small_run(linear("image", float("nan")), dataset(), seeds=1)


@pytest.mark.once
def test_what_distorts_the_numbers_is_said(result):
    text = " ".join(result.warnings)
    assert "2 seeds do not show how much training varies" in text
    assert "audio: the last epoch was the best" in text
    other = small_run(linear(learning_rate=1e-9), dataset(), seeds=1)
    text = " ".join(other.warnings)
    assert "groups repeat: recording" in text
    assert "share" not in text
    assert isinstance(other, Result)


@pytest.mark.once
def test_what_splits_share_is_said():
    data = dataset()
    data.test = split(1)
    result = small_run(linear(), data, seeds=1, groups="recording")
    text = " ".join(result.warnings)
    assert "share samples of one recording: 8 in both valid and test." in text
    assert "share samples of one id: 48 in both valid and test." in text
