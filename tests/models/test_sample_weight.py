"""Weights of samples where a sample has several labels, against NumPy."""

import numpy as np
import pytest

from keras_mmfusion.models import GRJCA, MEA

SHAPES = {"audio": (None, 5), "video": (None, 4)}
RANDOM = np.random.default_rng(0)
# As many samples as steps and as heads: a wrong axis raises nothing.
X = {
    m: RANDOM.normal(size=(3, 3, shape[-1])).astype("float32")
    for m, shape in SHAPES.items()
}
WEIGHTS = np.array([1.0, 0.0, 0.5], "float32")


def grjca(**options):
    settings = {"channels": [6], "hidden_units": 8, "seed": 0, **options}
    return GRJCA.from_shapes(SHAPES, **settings)


def mea():
    return MEA(
        SHAPES,
        binary_heads=3,
        width=4,
        latent=4,
        num_heads=2,
        exclusive_layers=1,
        agnostic_layers=1,
        levels=["mixed"],
        seed=0,
    )


def cross_entropy(logits, labels):
    """Of every label, as a formula."""
    top = logits.max(axis=-1, keepdims=True)
    total = np.log(np.exp(logits - top).sum(axis=-1)) + top[..., 0]
    return total - np.take_along_axis(logits, labels[..., None], -1)[..., 0]


@pytest.mark.parametrize("samples", [3, 2])
def test_every_step(samples):
    model = grjca(num_classes=3)
    model.compile(weighted_metrics=["accuracy"])
    x = {m: v[:samples] for m, v in X.items()}
    labels = RANDOM.integers(0, 3, size=(samples, 3))
    weight = WEIGHTS[:samples]
    values = cross_entropy(model.predict(x, verbose=0), labels)
    found = model.evaluate(
        x, labels, sample_weight=weight, verbose=0, return_dict=True
    )
    expected = np.mean(values * weight[:, None])
    assert found["loss"] == pytest.approx(expected, rel=1e-5)


def test_padded_steps_count_for_no_sample():
    model, labels = grjca(num_classes=3), RANDOM.integers(0, 3, size=(3, 3))
    x = {m: v.copy() for m, v in X.items()}
    for values in x.values():
        values[2, 1:] = 0
    valid = np.array([[1, 1, 1], [1, 1, 1], [1, 0, 0]])
    values = cross_entropy(model.predict(x, verbose=0), labels) * valid
    loss = model.test_on_batch(x, labels, WEIGHTS)[0]
    expected = np.sum(values * WEIGHTS[:, None]) / valid.sum()
    assert loss == pytest.approx(expected, rel=1e-5)


def test_concordance_leaves_out_steps_without_annotation():
    model = grjca(num_targets=2)
    y = RANDOM.uniform(-1, 1, size=(3, 3, 2)).astype("float32")
    y[2, 2] = -5
    p, values = model.predict(X, verbose=0), []
    for truth, guess in zip(y, p, strict=True):
        kept = truth[:, 0] != -5
        a, b = truth[kept], guess[kept]
        below = a.var(0) + b.var(0) + (a.mean(0) - b.mean(0)) ** 2
        cov = ((a - a.mean(0)) * (b - b.mean(0))).mean(0)
        values.append(np.mean(1 - 2 * cov / below))
    loss = model.test_on_batch(X, y, WEIGHTS)[0]
    expected = np.sum(values * WEIGHTS) / WEIGHTS.sum()
    assert loss == pytest.approx(expected, rel=1e-4)


def test_every_head():
    model, labels = mea(), RANDOM.integers(0, 2, size=(3, 3))
    values = cross_entropy(model.predict(X, verbose=0), labels)
    found = model.evaluate(
        X, labels, sample_weight=WEIGHTS, verbose=0, return_dict=True
    )
    expected = np.mean(values * WEIGHTS[:, None])
    assert found["task_loss"] == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("make", [lambda: grjca(num_classes=3), mea])
def test_weights_of_classes_need_one_label(make):
    model, labels = make(), np.ones((3, 3), int)
    for call in (model.fit, model.train_on_batch):
        with pytest.raises(ValueError, match="Pass `sample_weight`"):
            call(X, labels, class_weight={0: 1.0, 1: 2.0})


def test_steps_of_one_target_need_no_last_axis():
    """As many clips as steps: Keras would take either for the other."""
    model = GRJCA.from_shapes(
        {"a": (None, 3), "b": (None, 2)}, channels=[4], seed=0
    )
    rng = np.random.default_rng(0)
    x = {
        m: rng.normal(size=(4, 4, size)).astype("float32")
        for m, size in (("a", 3), ("b", 2))
    }
    valid = np.ones((4, 4), bool)
    valid[1, 2:] = False
    for sequence in x.values():
        sequence[1, 2:] = 0
    y = rng.normal(size=(4, 4)).astype("float32")
    errors = (model.predict(x, verbose=0)[..., 0] - y) ** 2
    model.compile("sgd", "mse", metrics=["mae"])
    for labels in (y, y[..., None]):
        found = model.evaluate(x, labels, verbose=0)
        assert found[0] == pytest.approx(errors[valid].mean(), rel=1e-5)
        expected = np.sqrt(errors[valid]).mean()
        assert found[1] == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -1.0])
def test_weights_that_spoil_a_model_are_refused(wrong):
    model, labels = grjca(num_classes=3, per_step=False), np.arange(3)
    weights = np.array([1.0, 1.0, wrong], "float32")
    for call in (model.fit, model.evaluate, model.train_on_batch):
        with pytest.raises(ValueError, match=r"1 others, .* at \[2\]"):
            call(X, labels, sample_weight=weights)


def test_weights_of_unknown_classes_are_refused():
    model, labels = grjca(num_classes=3, per_step=False), np.arange(3)
    with pytest.raises(ValueError, match=r"0 to 2 .*weights of \[7\]"):
        model.fit(X, labels, class_weight={0: 1.0, 7: 100.0})
    model.fit(X, labels, class_weight={0: 1.0, np.int64(2): 2.0}, verbose=0)


@pytest.mark.parametrize("wrong", [np.nan, None, -1.0, np.inf, "2"])
def test_weights_of_classes_that_spoil_a_model_are_refused(wrong):
    model, labels = grjca(num_classes=3, per_step=False), np.arange(3)
    with pytest.raises(ValueError, match="finite numbers of at least 0"):
        model.fit(X, labels, class_weight={0: wrong, 1: 1.0, 2: 1.0})


@pytest.mark.parametrize("shape", [(3, 3), (3, 2), (), (2,)])
def test_weights_of_another_shape_are_refused(shape):
    model, labels = grjca(num_classes=3, per_step=False), np.arange(3)
    weights = np.ones(shape, "float32")
    for call in (model.fit, model.evaluate, model.test_on_batch):
        with pytest.raises(ValueError, match="one for each sample, or for"):
            call(X, labels, sample_weight=weights)


@pytest.mark.parametrize("shape", [(3,), (3, 1)])
def test_weights_of_samples_may_have_an_axis_of_one(shape):
    model, labels = grjca(num_classes=3, per_step=False), np.arange(3)
    # A model of its own: TensorFlow traces no other rank afterwards.
    model.fit(X, labels, sample_weight=np.ones(shape), verbose=0)


SEVERAL = {
    "steps": (lambda: grjca(num_targets=2), {"loss": "mse"}, (3, 3, 2)),
    "targets": (lambda: grjca(num_targets=2, per_step=False), {}, (3, 2)),
    "heads": (mea, {}, (3, 3)),
}


@pytest.mark.parametrize("name", SEVERAL)
def test_weights_with_an_axis_of_one_are_those_of_samples(name):
    make, settings, shape = SEVERAL[name]
    model, losses = make(), []
    labels = RANDOM.integers(0, 2, size=shape)
    for weight in (WEIGHTS, WEIGHTS[:, None]):
        model.compile(**settings)  # TensorFlow traces each rank anew.
        found = model.evaluate(
            X, labels, sample_weight=weight, verbose=0, return_dict=True
        )
        losses.append(found["loss"])
    assert losses[0] == pytest.approx(losses[1], rel=1e-6)
