import keras
import numpy as np
import pytest

from keras_mmfusion.data import Padded, Split, Vectors
from keras_mmfusion.evaluation import (
    SEVERITIES,
    Curve,
    Robustness,
    robustness,
)
from keras_mmfusion.metrics import accuracy
from tests.evaluation.tiny import split

SAMPLES = 120


def reader(modalities=("audio", "image"), steps=True):
    """Adds the votes of its modalities: the mean of the inputs' first three.

    The one bias makes class 0 the answer when everything is missing.
    """
    shapes = {"audio": (None, 5), "image": (4,)}
    inputs, votes = {}, []
    for name in modalities:
        x = inputs[name] = keras.Input(shapes[name], name=name)
        if name == "audio":
            x = keras.layers.GlobalAveragePooling1D()(x)
        width = shapes[name][-1]
        layer = keras.layers.Dense(3, name=f"{name}_votes")
        votes.append(layer(x))
        layer.set_weights([np.eye(width, 3), np.array([1e-3, 0, 0])])
    total = keras.layers.Add()(votes) if len(votes) > 1 else votes[0]
    return keras.Model(inputs, total)


@pytest.fixture(scope="module")
def curves():
    return robustness(reader(), split(3, SAMPLES), verbose=0, batch_size=50)


def test_every_corruption_has_its_curves(curves):
    found = {(c.corruption, c.modality) for c in curves.curves}
    both, sequences = ["audio", "image"], ["audio"]
    expected = {
        "missing modality": [*both, "all"],
        "missing block": sequences,
        "missing frames": sequences,
        "noise": [*both, "all"],
        "time shift": sequences,
        "swapped partner": both,
    }
    assert found == {(k, m) for k, ms in expected.items() for m in ms}
    for curve in curves.curves:
        assert curve.severities == SEVERITIES[curve.corruption]


def test_severity_zero_is_the_clean_score(curves):
    data = split(3, SAMPLES)
    inputs, labels = data.arrays()
    clean = accuracy(labels, reader().predict(inputs, verbose=0))
    assert curves.clean == clean
    assert {c.mean[0] for c in curves.curves} == {clean}
    assert {c.std[0] for c in curves.curves} == {0.0}
    assert curves.samples == SAMPLES


def test_without_any_modality_the_prior_is_left(curves):
    labels = split(3, SAMPLES).labels
    curve = curves.curve("missing modality", "all")
    assert curve.mean[-1] == np.mean(labels == 0)
    assert curve.std[-1] == 0
    # On the way there, the share of complete samples decides.
    half = (curves.clean + curve.mean[-1]) / 2
    assert curve.mean[2] == pytest.approx(half, abs=0.08)
    assert curve.std[2] > 0


def test_a_missing_modality_leaves_the_other(curves):
    inputs, labels = split(3, SAMPLES).arrays()
    image = reader(["image"]).predict({"image": inputs["image"]}, verbose=0)
    found = curves.curve("missing modality", "audio").mean[-1]
    assert found == accuracy(labels, image)


def test_more_noise_is_worse_and_drowns_the_signal(curves):
    mean = curves.curve("noise", "all").mean
    assert mean[0] > mean[1] > mean[3]
    huge = robustness(
        reader(), split(3, SAMPLES), {"noise": [1000.0]}, verbose=0
    )
    assert huge.curve("noise", "all").mean[-1] == pytest.approx(1 / 3, abs=0.1)


def test_a_model_without_time_ignores_shifts(curves):
    assert curves.curve("time shift", "audio").area == curves.clean


def test_swapped_partners_come_from_the_whole_split():
    """With batches of one class each, a partner of the batch would fit."""
    labels = np.repeat([0, 1, 2], 40)
    data = Split({"image": 10 * np.eye(4)[labels] + 1}, labels)
    found = robustness(
        reader(["image"]),
        data,
        {"swapped partner": [0.5, 1.0]},
        batch_size=40,
        verbose=0,
    )
    assert found.clean == 1
    curve = found.curve("swapped partner", "image")
    assert curve.mean[2] == pytest.approx(1 / 3, abs=0.1)
    assert curve.mean[1] == pytest.approx(2 / 3, abs=0.1)


@pytest.mark.once
def test_equal_seeds_give_equal_curves():
    settings = {"severities": {"noise": [1.0]}, "repeats": 2, "verbose": 0}
    first = robustness(reader(), split(3), **settings)
    assert robustness(reader(), split(3), **settings) == first
    assert robustness(reader(), split(3), seed=9, **settings) != first


@pytest.mark.once
def test_the_area_is_the_mean_score():
    curve = Curve("noise", "a", (0.0, 1.0, 4.0), (1.0, 0.5, 0.5), (0, 0, 0))
    assert curve.area == pytest.approx((0.75 * 1 + 0.5 * 3) / 4)


@pytest.mark.once
def test_regression_is_scored_by_its_error(capsys):
    data = split(3)
    target = Split(dict(data.features), labels=data.labels * 1.5)
    inputs = keras.Input((4,), name="image")
    model = keras.Model({"image": inputs}, keras.layers.Dense(1)(inputs))
    found = robustness(model, target, {"missing modality": [1.0]})
    assert found.metric == "mae"
    assert [c.modality for c in found.curves] == ["image"]
    line = capsys.readouterr().out
    assert line.startswith("missing modality, image: mae ")
    own = robustness(
        model,
        target,
        {"missing modality": [1.0]},
        metric=lambda y, p: 0.25,
        verbose=0,
    )
    assert own.clean == 0.25


@pytest.mark.once
@pytest.mark.parametrize(
    ("labels", "outputs", "metric", "clean"),
    [
        (np.arange(30)[:, None] % 3, 3, "accuracy", 1 / 3),
        (np.arange(30.0) % 3, 3, "accuracy", 1 / 3),
        (np.eye(3, dtype=int)[np.arange(30) % 3], 3, "accuracy", 1 / 3),
        (np.tile([[0.5, -2.5]], (30, 1)), 2, "mae", 1.5),
        (np.tile([[4, -2]], (30, 1)), 2, "mae", 3),
        (np.full((30, 1), 0.5), 1, "mae", 0.5),
    ],
    ids=["numbers (N, 1)", "real", "rows", "columns", "whole columns", "one"],
)
def test_the_default_metric_suits_labels_of_any_shape(
    labels, outputs, metric, clean
):
    found = robustness(*zeros(labels, outputs), {"noise": [1.0]}, verbose=0)
    assert found.metric == metric
    assert found.clean == pytest.approx(clean)
    named = robustness(
        *zeros(labels, outputs), {"noise": [1.0]}, metric=metric, verbose=0
    )
    assert named == found


@pytest.mark.once
@pytest.mark.parametrize(
    ("labels", "outputs", "metric"),
    [
        (np.tile([[1, 1, 0], [0, 0, 0]], (15, 1)), 3, None),
        (np.full(30, 0.5), 2, None),
        (np.full(30, 0.5), 2, "mae"),
        (np.full((30, 3), 0.5), 1, None),
        (np.full((30, 3), 0.5), 1, "mae"),
    ],
    ids=["heads", "wide outputs", "their mae", "wide labels", "their mae too"],
)
def test_where_no_metric_suits_an_error_says_what_to_pass(
    labels, outputs, metric
):
    with pytest.raises(ValueError, match="pass `metric`, a function"):
        robustness(*zeros(labels, outputs), metric=metric, verbose=0)


def zeros(labels, outputs):
    """A model that answers 0, and data with these labels."""
    inputs = keras.Input((4,), name="image")
    layer = keras.layers.Dense(outputs, kernel_initializer="zeros")
    model = keras.Model({"image": inputs}, layer(inputs))
    return model, Split({"image": np.ones((len(labels), 4))}, labels)


@pytest.mark.once
def test_noise_is_measured_in_deviations_of_real_steps():
    """Constant features get none; padding does not count."""
    from keras_mmfusion.evaluation.corrupter import Corrupter

    random = np.random.default_rng(0)
    audio = np.zeros((30, 8, 2))
    audio[:, :4, 0] = random.normal(100, 3, size=(30, 4))
    audio[:, :4, 1] = 5
    data = Split(
        {"audio": Padded(audio), "image": Vectors(np.ones((30, 2)))},
        labels=np.zeros(30, int),
    )
    found = Corrupter(data, {"noise": (0.0, 1.0)}).deviations
    expected = audio[:, :4].reshape(-1, 2).std(axis=0)
    np.testing.assert_allclose(found["audio"], expected, atol=1e-6)
    np.testing.assert_allclose(found["image"], 0, atol=1e-6)


@pytest.mark.once
def test_curves_become_plain_and_come_back(curves):
    data = curves.to_dict()
    assert Robustness.from_dict(data) == curves
    assert data["curves"][0]["area"] == curves.curves[0].area
    assert "missing modality  audio" in str(curves)


@pytest.mark.once
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"severities": {"fog": [1.0]}}, "Expected corruptions among"),
        ({"severities": {"noise": [-1.0]}}, "must lie between 0 and inf"),
        ({"severities": {"noise": [0.0]}}, "one above 0"),
        ({"severities": {"missing block": [1.5]}}, "between 0 and 1"),
        ({"severities": {"noise": [float("nan")]}}, "must lie between"),
        ({"metric": "report"}, "name of a metric"),
        ({"metric": "nothing"}, "name of a metric"),
        ({"repeats": 0}, "`repeats` must be 1 or more"),
        ({"output": "head"}, "`output` names an entry"),
    ],
)
def test_what_cannot_be_done_is_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        robustness(reader(["image"]), split(3), verbose=0, **changes)


@pytest.mark.once
def test_an_unknown_curve_is_named(curves):
    with pytest.raises(ValueError, match="fog"):
        curves.curve("fog", "audio")
