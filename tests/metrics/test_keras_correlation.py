"""Correlations accumulated over batches, equal to NumPy on the whole."""

import keras
import numpy as np
import pytest

from keras_mmfusion import metrics as m
from tests.backend import numpy_of

BOTH = [
    (m.ConcordanceCorrelation, m.concordance_lin),
    (m.PearsonCorrelation, m.pearson),
]


def frames(samples=2000, mean=0.0, seed=0):
    random = np.random.default_rng(seed)
    y = random.normal(mean, 1.0, samples)
    p = mean + 0.6 * (y - mean) + random.normal(0.1, 0.5, samples)
    return y.astype("float32"), p.astype("float32")


def jitted_value(metric, y, p, batch):
    """The value after all batches, updates compiled where fit compiles."""
    update = metric.update_state
    if keras.backend.backend() == "jax":
        import jax

        compiled = jax.jit(metric.stateless_update_state)

        def update(*batch):
            state = compiled([v.value for v in metric.variables], *batch)
            for variable, value in zip(metric.variables, state, strict=True):
                variable.assign(value)

    for i in range(0, len(y), batch):
        update(y[i : i + batch], p[i : i + batch])
    return float(metric.result())


@pytest.mark.parametrize(("metric", "function"), BOTH)
@pytest.mark.parametrize("batch", [1, 7, 300, 2000])
def test_batches_of_any_size_give_the_numpy_value(metric, function, batch):
    y, p = frames(300 if batch == 1 else 2000)
    found = jitted_value(metric(), y, p, batch)
    assert found == pytest.approx(function(y, p), abs=1e-5)


@pytest.mark.parametrize(("metric", "function"), BOTH)
@pytest.mark.parametrize("mean", [0.0, 1e4, -1e6])
def test_a_million_frames_agree_with_float64(metric, function, mean):
    y, p = frames(1_000_000, mean)
    found = jitted_value(metric(), y, p, 50_000)
    assert found == pytest.approx(function(y, p), abs=1e-5)


@pytest.mark.parametrize(("metric", "function"), BOTH)
def test_an_unlike_first_batch_costs_little(metric, function):
    y, p = frames(100_000)
    order = np.argsort(y)
    found = jitted_value(metric(), y[order], p[order], 2000)
    assert found == pytest.approx(function(y, p), abs=1e-5)
    y[:2000] += 50
    found = jitted_value(metric(), y, p, 2000)
    assert found == pytest.approx(function(y, p), abs=1e-4)


def test_rounding_of_many_small_additions_is_carried():
    # Equal additions round the same way each time: without the carry the
    # sums drift.
    metric = m.PearsonCorrelation()
    metric.update_state([0.3, 0.4], [0.3, 0.5])
    # Far enough up that float32 has no room for one more.
    grown = numpy_of(metric.sums) * np.float32(2**24)
    metric.sums.assign(grown)
    jitted_value(metric, np.full(64, 0.4), np.full(64, 0.5), 1)
    carried = numpy_of(metric.carry) + (numpy_of(metric.sums) - grown)
    assert carried[0, 0] == pytest.approx(64, rel=1e-3)


def test_frames_without_annotation_weigh_nothing():
    y, p = frames(400)
    y, p = y / 5, p / 5
    metric = m.ConcordanceCorrelation()
    holes = np.insert(y, [0, 9, 9], -5.0), np.insert(p, [0, 9, 9], np.nan)
    metric.update_state(np.full(10, -5.0), np.ones(10))
    assert float(metric.result()) == 0.0
    metric.update_state(*holes)
    assert float(metric.result()) == pytest.approx(
        m.concordance_lin(y, p), abs=1e-6
    )


def test_minus_five_is_a_label_where_asked():
    y, p = [-5.0, 0.0, 4.0], [-4.0, 0.0, 3.0]
    kept = m.ConcordanceCorrelation(ignore_value=None)
    kept.update_state(y, p)
    assert float(kept.result()) == pytest.approx(m.concordance_lin(y, p))
    pearson = m.PearsonCorrelation()
    pearson.update_state(y, p)
    assert float(pearson.result()) == pytest.approx(m.pearson(y, p))


def test_two_outputs_are_scored_apart_and_averaged():
    (v, pv), (a, pa) = frames(600), frames(600, seed=1)
    y = np.stack([v, a], 1).reshape(6, 100, 2) / 4
    p = np.stack([pv, pa + 2], 1).reshape(6, 100, 2) / 4
    y[2, :30] = -5.0  # both
    y[4, :20, 1] = -5.0  # arousal only
    for column in (None, 0, 1):
        metric = m.ConcordanceCorrelation(outputs=2, column=column)
        for part in (slice(0, 2), slice(2, 6)):
            metric.update_state(y[part], p[part])
        expected = m.concordance_annotated(
            y.reshape(-1, 2), p.reshape(-1, 2), column=column
        )
        assert float(metric.result()) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(("metric", "function"), BOTH)
def test_weights_and_masks_choose_frames(metric, function):
    y, p = frames(60)
    times = np.random.default_rng(1).integers(0, 3, 60)
    tracked = metric()
    tracked.update_state(
        y.reshape(6, 10, 1), p.reshape(6, 10, 1), times.reshape(6, 10)
    )
    expected = function(np.repeat(y, times), np.repeat(p, times))
    assert float(tracked.result()) == pytest.approx(expected, abs=1e-6)
    masked = metric()
    masked.update_state(y, p, sample_weight=times > 0)
    expected = function(y[times > 0], p[times > 0])
    assert float(masked.result()) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(("metric", "function"), BOTH)
def test_constant_predictions_score_zero(metric, function):
    y, _ = frames(960)
    for constant in (0.0, 0.1, 1234.567, 1 / 3):
        p = np.full(960, constant, "float32")
        for truth in (y, p):
            tracked = metric()
            for part in np.split(np.arange(960), 3):
                tracked.update_state(truth[part], p[part])
            assert float(tracked.result()) == 0.0


@pytest.mark.parametrize(("metric", "function"), BOTH)
def test_predictions_that_are_no_numbers_do_not_score_zero(metric, function):
    y, p = frames(96)
    tracked = metric()
    tracked.update_state(y, np.where(np.arange(96) == 3, np.nan, p))
    assert np.isnan(float(tracked.result()))


def test_nothing_seen_is_zero_and_reset_forgets_the_shift():
    metric = m.ConcordanceCorrelation()
    assert float(metric.result()) == 0.0
    metric.update_state(*frames(100, mean=1e6))
    metric.reset_state()
    y, p = frames(100)
    metric.update_state(y, p)
    assert float(metric.result()) == pytest.approx(
        m.concordance_lin(y, p), abs=1e-6
    )


def test_result_is_not_the_mean_of_batches():
    y, p = frames(200)
    y[100:] += 3
    metric = m.ConcordanceCorrelation()
    metric.update_state(y[:100], p[:100])
    metric.update_state(y[100:], p[100:])
    apart = (
        m.concordance_lin(y[:100], p[:100])
        + m.concordance_lin(y[100:], p[100:])
    ) / 2
    assert float(metric.result()) == pytest.approx(
        m.concordance_lin(y, p), abs=1e-6
    )
    assert abs(float(metric.result()) - apart) > 0.05


def test_fit_reports_the_value_over_all_frames():
    random = np.random.default_rng(0)
    x = random.normal(size=(24, 15, 2)).astype("float32")
    y = np.clip(x + random.normal(0, 0.5, x.shape), -1, 1).astype("float32")
    y[:, 12:] = -5.0
    model = keras.Sequential(
        [keras.Input((15, 2)), keras.layers.Dense(2, activation="tanh")]
    )
    model.compile(
        keras.optimizers.SGD(0.0),
        "mse",
        metrics=[
            m.ConcordanceCorrelation(outputs=2, name="ccc"),
            m.ConcordanceCorrelation(outputs=2, column=1, name="arousal"),
        ],
    )
    history = model.fit(
        x, y, batch_size=7, epochs=2, validation_data=(x, y), verbose=0
    ).history
    flat_y = y.reshape(-1, 2)
    flat_p = model.predict(x, verbose=0).reshape(-1, 2)
    for name, column in [("ccc", None), ("arousal", 1)]:
        expected = m.concordance_annotated(flat_y, flat_p, column=column)
        for key in (name, f"val_{name}"):
            assert history[key] == pytest.approx([expected] * 2, abs=1e-5)


def test_the_mask_of_the_model_leaves_padding_out():
    random = np.random.default_rng(0)
    x = random.normal(size=(8, 6, 3)).astype("float32")
    x[:, 4:] = 0.0
    y = random.normal(size=(8, 6, 1)).astype("float32")
    model = keras.Sequential(
        [keras.Input((6, 3)), keras.layers.Masking(), keras.layers.Dense(1)]
    )
    model.compile("sgd", "mse", metrics=[m.PearsonCorrelation()])
    found = model.evaluate(x, y, batch_size=3, return_dict=True, verbose=0)
    p = model.predict(x, verbose=0)
    expected = m.pearson(y[:, :4].reshape(-1), p[:, :4].reshape(-1))
    assert found["pearson"] == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize(("metric", "function"), BOTH)
def test_config_round_trip(metric, function):
    options = {"outputs": 3, "column": 2, "ignore_value": -9.0, "name": "c"}
    again = keras.saving.deserialize_keras_object(
        keras.saving.serialize_keras_object(metric(**options))
    )
    assert type(again) is metric
    assert {k: getattr(again, k) for k in options} == options


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"outputs": 0}, "`outputs` of 1 or more"),
        ({"outputs": 2, "column": 2}, "`column` from 0 to 1"),
        ({"column": -1}, "`column` from 0 to 0"),
    ],
)
def test_bad_settings_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        m.ConcordanceCorrelation(**options)


def test_wrong_shapes_are_refused():
    metric = m.ConcordanceCorrelation(outputs=2)
    with pytest.raises(ValueError, match="outputs=2"):
        metric.update_state(np.zeros((4, 3)), np.zeros((4, 3)))
    with pytest.raises(ValueError, match="same shape"):
        metric.update_state(np.zeros((4, 2)), np.zeros((5, 2)))
