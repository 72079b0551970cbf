import keras
import numpy as np
import pytest

from keras_mmfusion.losses import HSIC
from tests.backend import input_gradients, numpy_of, relative_error
from tests.reference import mea_losses

RNG = np.random.default_rng(0)
H, G = RNG.normal(size=(2, 7, 5)) + 1
REFERENCES = {
    "hsic": mea_losses.hsic,
    "cka": mea_losses.scale_free_hsic,
    "orthogonal": mea_losses.orthogonality,
}


@pytest.mark.parametrize("form", REFERENCES)
def test_equals_the_reference_on_the_counted_rows(form):
    loss, reference = HSIC(form), REFERENCES[form]
    assert relative_error(loss(H, G), reference(H, G)) < 1e-5
    rows = np.array([1, 0, 1, 1, 0, 1, 0], bool)
    noisy = np.where(rows[:, None], H, np.nan)
    value = loss(noisy, G, sample_weight=rows)
    assert relative_error(value, reference(H[rows], G[rows])) < 1e-5


def test_is_the_trace_of_centred_kernels():
    n = len(H)
    U = np.eye(n) - 1 / n
    trace = np.trace(U @ H @ H.T @ U @ G @ G.T) / (n - 1) ** 2
    assert relative_error(HSIC()(H, G), trace) < 1e-5


def test_tells_independent_from_identical_vectors():
    a, b = np.random.default_rng(1).normal(size=(2, 500, 3))
    cka = HSIC("cka")
    assert float(cka(a, b)) < 0.05
    assert float(cka(a, 5 * a)) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("form", REFERENCES)
@pytest.mark.parametrize("rows", [0, 1])
def test_fewer_than_two_samples_give_zero_and_zero_gradients(form, rows):
    weight = np.arange(7) < rows
    loss = HSIC(form)
    assert float(loss(H, G, sample_weight=weight)) == 0
    grads = input_gradients(
        lambda t: loss(t["h"], t["g"], sample_weight=weight), {"h": H, "g": G}
    )
    assert all((g == 0).all() for g in grads.values())


@pytest.mark.parametrize("form", REFERENCES)
def test_a_constant_representation_is_finite(form):
    grads = input_gradients(
        lambda t: HSIC(form)(t["h"], t["g"]), {"h": np.ones((7, 5)), "g": G}
    )
    assert all(np.isfinite(g).all() for g in grads.values())


def test_low_precision_inputs_are_computed_in_float32():
    half = keras.ops.cast(H, "bfloat16")
    value = numpy_of(HSIC()(half, half))
    assert value.dtype == np.float32


def test_config_round_trip():
    loss = HSIC("cka", name="disparity")
    assert HSIC.from_config(loss.get_config()).get_config() == {
        "form": "cka",
        "name": "disparity",
    }


def test_wrong_arguments_are_refused():
    with pytest.raises(ValueError, match="form"):
        HSIC("hsik")
    with pytest.raises(ValueError, match="batches of vectors"):
        HSIC()(H[0], G[0])
    with pytest.raises(ValueError, match="Expected 5 second vectors"):
        HSIC()(np.ones((5, 2)), np.ones((1, 2)))
    with pytest.raises(ValueError, match="Expected 5 `sample_weight`"):
        HSIC()(np.ones((5, 2)), np.ones((5, 2)), np.ones(1))
