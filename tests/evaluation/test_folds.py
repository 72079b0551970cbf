import numpy as np
import pytest

from keras_mmfusion.data import MultimodalDataset
from keras_mmfusion.evaluation import (
    Result,
    add_late_fusion,
    pool_folds,
    pool_robustness,
    robustness,
    run,
    trained_model,
)
from keras_mmfusion.metrics import accuracy, paired_test
from tests.evaluation.tiny import CLASSES, FIT, linear, split

BUILDS = {"image": linear("image"), "audio": linear("audio")}


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    return {k: tmp_path_factory.mktemp(f"fold{k}") for k in ("a", "b")}


@pytest.fixture(scope="module")
def folds(folders):
    results = {}
    for number, (name, folder) in enumerate(folders.items()):
        data = MultimodalDataset(
            split(0), split(1), split(2 + number), "tiny", "classification"
        )
        data.class_names = CLASSES
        results[name] = run(
            BUILDS,
            data,
            folder,
            seeds=2,
            fit=FIT,
            groups="recording",
            verbose=0,
        )
        model = trained_model(BUILDS["image"], folder)
        results[name].robustness["image"] = robustness(
            model, data.test, {"noise": (1.0,)}, verbose=0
        )
    return results


def test_pooled_scores_are_those_of_all_samples_together(folds):
    pooled = pool_folds(folds, "both")
    labels = np.concatenate([split(2).labels, split(3).labels])
    assert pooled.ids == [*split(2).ids, *split(3).ids]
    np.testing.assert_array_equal(pooled.labels, labels)
    for name, model in pooled.models.items():
        p = np.concatenate(
            [fold.models[name].predictions for fold in folds.values()], axis=1
        )
        values = tuple(accuracy(labels, one) for one in p)
        assert model.scores["accuracy"].values == values
        assert len(model.runs) == 2
    floors = [
        fold.floors["majority class of train"]["accuracy"]
        for fold in folds.values()
    ]
    floor = pooled.floors["majority class of train"]["accuracy"]
    assert floor == pytest.approx(np.mean(floors))


def test_the_paired_test_resamples_groups_of_all_folds(folds):
    pooled = pool_folds(folds, "both")
    hits = [
        (model.predictions.argmax(axis=2) == pooled.labels).mean(axis=0)
        for model in pooled.models.values()
    ]
    expected = paired_test(hits[1], hits[0], groups=pooled.groups)
    assert pooled.paired == [("audio", "image", expected)]
    assert expected.units == 16


def test_training_records_are_means_over_folds(folds):
    one = pool_folds(folds, "both").models["image"].runs[1]
    runs = [fold.models["image"].runs[1] for fold in folds.values()]
    assert one.seed == 1
    assert one.value == pytest.approx(np.mean([run.value for run in runs]))
    losses = np.mean([run.history["val_loss"] for run in runs], axis=0)
    np.testing.assert_allclose(one.history["val_loss"], losses)


def test_a_pooled_result_is_saved_and_shown_as_any(folds, tmp_path):
    pooled = pool_folds(folds, "both")
    add_late_fusion(pooled, ["image", "audio"])
    pooled.save(tmp_path)
    pooled.write_html(tmp_path / "report.html")
    assert "late fusion" in (tmp_path / "report.html").read_text()
    again = Result.load(tmp_path)
    assert str(again) == str(pooled)
    assert "16 groups (recording)" in str(again)


def test_robustness_curves_are_means_over_folds(folds):
    pooled = pool_folds(folds, "both").robustness["image"]
    curves = [fold.robustness["image"] for fold in folds.values()]
    assert pooled.samples == 96
    clean = np.mean([one.clean for one in curves])
    assert pooled.clean == pytest.approx(clean)
    worst = np.mean([c.curve("noise", "image").mean[-1] for c in curves])
    assert pooled.curve("noise", "image").mean[-1] == pytest.approx(worst)


def test_folds_that_do_not_belong_together_are_refused(folds):
    with pytest.raises(ValueError, match="one fold or more"):
        pool_folds({}, "none")
    with pytest.raises(ValueError, match="one fold only"):
        pool_folds({"a": folds["a"], "again": folds["a"]}, "twice")
    short = Result(**vars(folds["b"]))
    short.models = {"image": folds["b"].models["image"]}
    with pytest.raises(ValueError, match="models of fold 'b'"):
        pool_folds({"a": folds["a"], "b": short}, "other models")
    curves = folds["a"].robustness["image"]
    other = robustness_without_curves(curves)
    with pytest.raises(ValueError, match="same corruptions"):
        pool_robustness([curves, other])


def robustness_without_curves(curves):
    data = {**curves.to_dict(), "curves": []}
    return type(curves).from_dict(data)
