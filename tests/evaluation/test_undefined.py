"""Predictions that are not finite end a run early, or leave the rest."""

import json

import keras
import numpy as np
import pytest

from keras_mmfusion.data import MultimodalDataset, Split
from keras_mmfusion.evaluation import (
    Result,
    add_late_fusion,
    comparison_in_words,
    preset_metadata,
    run,
)
from keras_mmfusion.metrics import accuracy

pytestmark = pytest.mark.once
ODD = 5  # Position of the sample that some models cannot take.


def split(seed, task="classification", odd=False):
    x = np.random.default_rng(seed).normal(size=(24, 4)).astype("float32")
    x[ODD, 0] = 1e3 if odd else 0.0
    labels = (x[:, 1] > 0).astype(int)
    if task == "regression":
        labels = x[:, 1:3]
    return Split({"sensor": x}, labels, ids=[f"{seed}-{i}" for i in range(24)])


def data(task="classification", odd=("test",)):
    names = ("train", "valid", "test")
    splits = [split(i, task, n in odd) for i, n in enumerate(names)]
    return MultimodalDataset(*splits, "odd", task)


class Careless(keras.layers.Layer):
    """A square root that large inputs do not have."""

    def call(self, x):
        return x + keras.ops.sqrt(100.0 - x[:, :1]) - 10.0


def builder(task="classification", careless=()):
    def build(seed):
        x = inputs = keras.Input((4,), name="sensor")
        if seed in careless:
            x = Careless()(x)
        model = keras.Model({"sensor": inputs}, keras.layers.Dense(2)(x))
        if task == "regression":
            model.compile("adam", "mse")
            return model
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile("adam", loss, metrics=["accuracy"])
        return model

    return build


def two(task="classification", careless=(1,), directory=None, **changes):
    """A run of a model that fails with some seeds, and one that does not."""
    models = {"odd": builder(task, careless), "even": builder(task)}
    arguments = {"seeds": 3, "fit": {"epochs": 1}, "verbose": 0, **changes}
    dataset = arguments.pop("data", data(task))
    return run(models, dataset, directory, **arguments)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("run")


@pytest.fixture(scope="module")
def result(folder):
    return two(directory=folder)


@pytest.fixture(scope="module")
def sound():
    return two(careless=())


def test_a_seed_that_fails_on_test_leaves_all_others(result, sound, folder):
    y = result.labels
    for name, failed in (("odd", [1]), ("even", [])):
        model = result.models[name]
        values = [
            np.nan if seed in failed else accuracy(y, model.predictions[seed])
            for seed in range(3)
        ]
        score = model.scores["accuracy"]
        np.testing.assert_equal(score.values, values)
        np.testing.assert_equal(
            [r.test["accuracy"] for r in model.runs], values
        )
        assert np.isnan([score.mean, score.low]).all() == bool(failed)
    assert sound.models["even"].scores == result.models["even"].scores
    again = Result.load(folder)
    np.testing.assert_equal(
        again.models["odd"].scores["accuracy"].values,
        result.models["odd"].scores["accuracy"].values,
    )


def test_the_failed_seed_is_named(result, folder):
    (note,) = [w for w in result.warnings if w.startswith("odd: seed")]
    assert "odd: seed 1 predicts NaN or infinity for 1 of 24" in note
    assert f"the first at index {ODD}" in note
    page = (folder / "report.html").read_text()
    assert note in page
    assert "2 finite seeds together" in page
    assert "undefined" in str(result)


def test_its_tests_are_undefined(result, sound):
    (one,) = result.paired
    assert one[:2] == ("even", "odd")
    assert np.isnan([one[2].difference, one[2].low, one[2].p_value]).all()
    assert "Undefined" in comparison_in_words(result)
    (_, _, again), _ = result.compare(sound)
    assert np.isnan(again.difference)


def test_its_predictions_are_no_classes(result):
    values = preset_metadata(result)["predictions"]["values"]
    assert values[1][ODD] is None
    assert set(values[1][:ODD]) <= {0, 1}
    assert set(values[0]) <= {0, 1}


def test_late_fusion_with_it_is_undefined(folder, result):
    late = add_late_fusion(Result.load(folder), ["odd", "even"])
    score = late.scores["accuracy"]
    assert np.isnan(score.values).tolist() == [False, True, False]


@pytest.mark.parametrize("seeds", [1, 2])
def test_columns_of_a_regression(seeds, tmp_path):
    found = two("regression", [0], tmp_path, seeds=seeds)
    for metric in ("mae", "mae 0", "pearson"):
        values = np.isnan(found.models["odd"].scores[metric].values)
        assert values.tolist() == [True, False][:seeds]
        assert np.isfinite(found.models["even"].scores[metric].mean)
    assert (tmp_path / "report.html").exists()


def test_own_metrics_may_take_what_is_not_finite():
    def answered(y, p):
        return float(np.isfinite(p).all(axis=-1).mean())

    found = two(protocol={"answered": answered}, seeds=2)
    score = found.models["odd"].scores["answered"]
    assert score.values == pytest.approx((1, 23 / 24))
    assert np.isfinite([score.low, found.paired[0][2].difference]).all()


@pytest.mark.parametrize("select", ["val_loss", "val_accuracy"])
def test_on_validation_they_end_the_run_before_the_seal(tmp_path, select):
    with pytest.raises(ValueError, match="val_loss was not a finite number"):
        two(
            directory=tmp_path,
            select=select,
            data=data(odd=("valid", "test")),
        )
    assert not (tmp_path / "sealed.json").exists()
    trained = sorted(f.name for f in (tmp_path / "trained").rglob("*.json"))
    assert trained == ["seed-0.json"]


def test_before_training_they_end_it_as_well(tmp_path):
    dataset = data(odd=("valid",))
    dataset.valid = dataset.valid.subset([ODD, 1, 2, 3])
    with pytest.raises(ValueError, match="do not fit the predictions"):
        two(careless=(0,), directory=tmp_path, data=dataset)
    assert not (tmp_path / "plan.json").exists()


def test_a_null_is_written_and_no_nan(result, folder):
    text = (folder / "result.json").read_text()
    assert "NaN" not in text.replace("NaN or infinity", "")
    seeds = json.loads(text)["models"]["odd"]["seeds"]
    assert seeds[1]["test"]["accuracy"] is None
