import keras
import numpy as np
import pytest

from keras_mmfusion import metrics
from keras_mmfusion.losses import ConcordanceLoss
from tests.backend import input_gradients, numpy_of
from tests.metrics.expected import EXPECTED, P, Y

OFFICIAL = {
    "lin": "Lin_population",
    "rja_loss": "RJA.CCCLoss(1-loss)",
    "rja_rho": "RJA.CCC(1-loss)",
    "rjcma": "RJCMA.CCCLoss(1-loss)",
}


def annotated(shape=(3, 20), seed=0):
    rng = np.random.default_rng(seed)
    y = rng.uniform(-1, 1, shape)
    return y, 0.6 * y + rng.normal(0.1, 0.2, shape)


def value(loss, *arguments):
    return float(numpy_of(loss(*arguments)))


@pytest.mark.parametrize("form", ["window", "batch"])
@pytest.mark.parametrize("estimator", OFFICIAL)
def test_equals_the_official_numbers(estimator, form):
    loss = ConcordanceLoss(form, estimator)
    expected = 1 - EXPECTED["CCC"][OFFICIAL[estimator]]
    assert value(loss, Y[None], P[None]) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("estimator", OFFICIAL)
def test_window_and_batch_forms(estimator):
    y, p = annotated()
    concordance = metrics.CONCORDANCE_FORMS[estimator]
    windows = np.mean([concordance(a, b) for a, b in zip(y, p, strict=True)])
    whole = concordance(y.ravel(), p.ravel())
    window = ConcordanceLoss("window", estimator)
    batch = ConcordanceLoss("batch", estimator)
    assert value(window, y, p) == pytest.approx(1 - windows, abs=1e-5)
    assert value(batch, y, p) == pytest.approx(1 - whole, abs=1e-5)
    assert value(batch, y.ravel(), p.ravel()) == pytest.approx(
        1 - whole, abs=1e-5
    )


def test_outputs_are_averaged():
    y, p = annotated((3, 20, 2))
    loss = ConcordanceLoss(outputs=2)
    single = [
        value(ConcordanceLoss(), y[..., k], p[..., k, None]) for k in range(2)
    ]
    assert value(loss, y, p) == pytest.approx(np.mean(single), abs=1e-6)


def test_frames_without_annotation_change_nothing():
    y, p = annotated()
    loss = ConcordanceLoss()
    windows = ((y[:1, :7], p[:1, :7]), (y[1:2], p[1:2]))
    expected = np.mean([value(loss, *window) for window in windows])
    y[0, 7:] = -5
    y[2, 1:] = -5  # one frame is no window
    for hidden in (99.0, np.nan):
        p[0, 7:] = hidden
        assert value(loss, y, p) == pytest.approx(expected, abs=1e-6)
    mask = (y != -5).astype("float32")
    y[y == -5] = 3
    loss = ConcordanceLoss(ignore_value=None)
    assert value(loss, y, p, mask) == pytest.approx(expected, abs=1e-6)


def test_weights_of_samples_weigh_windows():
    y, p = annotated()
    single = [
        value(ConcordanceLoss(), y[i : i + 1], p[i : i + 1]) for i in (0, 2)
    ]
    weighted = value(ConcordanceLoss(), y, p, np.array([3.0, 0.0, 1.0]))
    assert weighted == pytest.approx((3 * single[0] + single[1]) / 4, abs=1e-6)


@pytest.mark.parametrize("form", ["window", "batch"])
@pytest.mark.parametrize("estimator", OFFICIAL)
def test_constants_and_nothing_annotated_are_finite(estimator, form):
    y, p = annotated()
    loss = ConcordanceLoss(form, estimator)
    same = np.full_like(y, 0.3)
    nothing = np.full_like(y, -5.0)
    for truth, predicted in ((same, p), (y, same), (same, same), (nothing, p)):
        assert np.isfinite(value(loss, truth, predicted))
        grads = input_gradients(
            lambda x, truth=truth: loss(truth, x["p"]), {"p": predicted}
        )
        assert np.isfinite(grads["p"]).all()
    assert value(loss, same, p) == pytest.approx(1)
    assert value(loss, nothing, p) == 0


def test_gradient_equals_differences():
    y, p = annotated((2, 6))
    loss = ConcordanceLoss()
    found = input_gradients(lambda x: loss(y, x["p"]), {"p": p})["p"]

    def exact(p):
        lin = metrics.concordance_lin
        return 1 - np.mean([lin(a, b) for a, b in zip(y, p, strict=True)])

    for index in ((0, 0), (1, 3)):
        moved = [p.copy(), p.copy()]
        for sign, q in zip((1, -1), moved, strict=True):
            q[index] += sign * 1e-5
        slope = (exact(moved[0]) - exact(moved[1])) / 2e-5
        assert found[index] == pytest.approx(slope, rel=1e-4)


def test_fit_learns_scale_and_offset():
    y, _ = annotated((64, 10))
    x = np.stack([3 * y + 2, np.ones_like(y)], -1).astype("float32")
    model = keras.Sequential(
        [
            keras.Input((10, 2)),
            keras.layers.Dense(1, kernel_initializer="zeros"),
        ]
    )
    model.compile(
        keras.optimizers.Adam(0.05),
        ConcordanceLoss(),
        metrics=[metrics.ConcordanceCorrelation()],
    )
    model.fit(x, y, epochs=60, verbose=0)
    loss, score = model.evaluate(x, y, verbose=0)
    assert loss < 0.05
    assert score > 0.95


def test_config_round_trip():
    loss = ConcordanceLoss("batch", "rjcma", outputs=2, ignore_value=None)
    twin = keras.losses.deserialize(keras.losses.serialize(loss))
    assert twin.get_config() == loss.get_config()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"form": "video"}, "form"),
        ({"estimator": "pearson"}, "estimator"),
        ({"outputs": 0}, "outputs"),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        ConcordanceLoss(**arguments)


@pytest.mark.parametrize(
    ("outputs", "y", "p", "message"),
    [
        (1, (4, 5), (4, 6), "same shape"),
        (2, (4, 5, 3), (4, 5, 3), "2 output"),
        (1, (4,), (4, 1), "two or more frames"),
        (2, (4, 2), (4, 2), "two or more frames"),
    ],
)
def test_bad_shapes_are_named(outputs, y, p, message):
    with pytest.raises(ValueError, match=message):
        ConcordanceLoss(outputs=outputs)(np.zeros(y), np.zeros(p))


def test_the_mask_of_a_model_leaves_padding_out():
    random = np.random.default_rng(0)
    x = random.normal(size=(4, 6, 3)).astype("float32")
    x[:, 4:] = 0.0
    y = random.normal(size=(4, 6)).astype("float32")
    model = keras.Sequential(
        [keras.Input((6, 3)), keras.layers.Masking(), keras.layers.Dense(1)]
    )
    model.compile("sgd", ConcordanceLoss())
    found = model.evaluate(x, y, verbose=0)
    p = model.predict(x, verbose=0)
    expected = value(ConcordanceLoss(), y[:, :4], p[:, :4, 0])
    assert found == pytest.approx(expected, abs=1e-5)
