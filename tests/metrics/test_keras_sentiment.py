"""Sentiment metrics in `compile`, equal to the NumPy functions."""

import keras
import numpy as np
import pytest

from keras_mmfusion import metrics as m
from keras_mmfusion.metrics.rules import ACCURACIES, F1_SCORES
from tests.metrics.expected import noisy_sentiment

KINDS = [(m.SentimentAccuracy, k) for k in ACCURACIES] + [
    (m.SentimentF1, k) for k in F1_SCORES
]


def pairs_for(kind):
    y, p = noisy_sentiment(300)
    scale = 3.0 if kind.startswith("sims") else 1.0
    return (y / scale).astype("float32"), (p / scale).astype("float32")


@pytest.mark.parametrize(("metric", "kind"), KINDS)
def test_batches_of_any_size_give_the_numpy_value(metric, kind):
    y, p = pairs_for(kind)
    tracked = metric(kind=kind)
    for part in np.split(np.arange(300), [7, 8, 120]):
        tracked.update_state(y[part][:, None], p[part])
    expected = getattr(m, kind)(y, p)
    assert float(tracked.result()) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(("metric", "kind"), KINDS)
def test_integer_weights_equal_repeated_samples(metric, kind):
    y, p = pairs_for(kind)
    times = np.random.default_rng(1).integers(0, 3, 300)
    tracked = metric(kind=kind)
    tracked.update_state(y, p, sample_weight=times)
    expected = getattr(m, kind)(np.repeat(y, times), np.repeat(p, times))
    assert float(tracked.result()) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("metric", [m.SentimentAccuracy, m.SentimentF1])
def test_nothing_counted_is_zero_and_reset_forgets(metric):
    tracked = metric()
    assert float(tracked.result()) == 0.0
    tracked.update_state([1.0, -1.0], [1.0, -1.0])
    assert float(tracked.result()) == 1.0
    tracked.reset_state()
    assert float(tracked.result()) == 0.0


@pytest.mark.parametrize("metric", [m.SentimentAccuracy, m.SentimentF1])
def test_unknown_kinds_are_refused_with_the_known_ones(metric):
    with pytest.raises(ValueError, match=r"(acc2_pos|f1_pos).*'accuracy'"):
        metric(kind="accuracy")


@pytest.mark.parametrize(("metric", "kind"), KINDS)
def test_config_round_trip(metric, kind):
    first = metric(kind=kind, name="score")
    again = keras.saving.deserialize_keras_object(
        keras.saving.serialize_keras_object(first)
    )
    assert type(again) is metric
    assert (again.kind, again.name) == (kind, "score")
    assert metric(kind=kind).name == kind


def test_fit_and_evaluate_report_the_numpy_values(tmp_path):
    y, p = pairs_for("acc2_nonneg")
    inputs = keras.Input((1,))
    outputs = keras.layers.Dense(1, kernel_initializer="ones")(inputs)
    model = keras.Model(inputs, outputs)
    model.compile(
        "sgd",
        "mse",
        metrics=[
            m.SentimentAccuracy(kind="acc2_nonneg"),
            m.SentimentAccuracy(kind="acc7"),
            m.SentimentF1(kind="f1_pos_swapped"),
            m.PearsonCorrelation(),
        ],
    )
    # The model is the identity, so its scores are those of p.
    found = model.evaluate(p[:, None], y, batch_size=64, return_dict=True)
    for name, function in [
        ("acc2_nonneg", m.acc2_nonneg),
        ("acc7", m.acc7),
        ("f1_pos_swapped", m.f1_pos_swapped),
        ("pearson", m.pearson),
    ]:
        assert found[name] == pytest.approx(function(y, p), abs=1e-5)
    history = model.fit(
        p[:, None], y, batch_size=64, epochs=2, validation_split=0.2, verbose=0
    ).history
    last = model.predict(p[-60:, None], verbose=0)
    expected = m.acc7(y[-60:], last)
    assert history["val_acc7"][-1] == pytest.approx(expected, abs=1e-6)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    assert again.evaluate(p[:, None], y, verbose=0)[1:] == pytest.approx(
        model.evaluate(p[:, None], y, verbose=0)[1:]
    )


def test_bfloat16_predictions_are_scored_in_float32():
    y = np.array([1.0, -1.0, 2.0], "float32")
    p = keras.ops.cast(np.array([0.5, -2.0, -1.0]), "bfloat16")
    tracked = m.SentimentAccuracy(kind="acc2_pos")
    tracked.update_state(y, p)
    assert float(tracked.result()) == pytest.approx(2 / 3)
