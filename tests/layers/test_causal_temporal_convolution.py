import functools

import numpy as np
import pytest

from keras_mmfusion.layers import CausalTemporalConvolution
from tests.backend import call, numpy_of, relative_error
from tests.layers.streaming import stream


def sequence(steps: int = 11) -> np.ndarray:
    rng = np.random.default_rng(0)
    return rng.normal(size=(2, steps, 3)).astype("float32")


@functools.cache
def make(**kwargs: int) -> CausalTemporalConvolution:
    layer = CausalTemporalConvolution(4, **kwargs)
    layer.build((None, None, 3))
    rng = np.random.default_rng(1)
    for variable in layer.trainable_variables:
        variable.assign(rng.normal(size=variable.shape))
    return layer


def expected(layer: CausalTemporalConvolution, x: np.ndarray) -> np.ndarray:
    """The formula of the docstring, term by term."""
    v, g, b = (numpy_of(w) for w in (layer.direction, layer.gain, layer.bias))
    kernel = g * v / np.sqrt(np.sum(v**2, axis=(0, 1)))
    k, d = layer.kernel_size, layer.dilation
    ahead = 0 if layer.causal else (k - 1) * d - (k - 1) * d // 2
    y = np.zeros((*x.shape[:2], len(b))) + b
    for t in range(x.shape[1]):
        for j in range(k):
            s = t - (k - 1 - j) * d + ahead
            if 0 <= s < x.shape[1]:
                y[:, t] += x[:, s] @ kernel[j]
    return y


@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize(("size", "dilation"), [(5, 1), (3, 4), (2, 3), (1, 1)])
def test_equals_the_formula(size, dilation, causal):
    layer = make(kernel_size=size, dilation=dilation, causal=causal)
    x = sequence()
    assert relative_error(call(layer, x), expected(layer, x)) < 1e-5


@pytest.mark.parametrize("causal", [True, False])
def test_padding_and_batch_mates_change_nothing(causal):
    layer, x = make(dilation=2, causal=causal), sequence()
    mask = np.arange(11) < np.array([[6], [11]])
    garbage = np.where(mask[..., None], x, 99).astype("float32")
    batch = numpy_of(call(layer, garbage, mask=mask))
    alone = numpy_of(call(layer, x[:1, :6]))
    np.testing.assert_allclose(batch[:1, :6], alone, atol=1e-5)
    assert not batch[~mask].any()


def test_no_output_sees_the_future():
    x = sequence()
    changed = x.copy()
    changed[:, 7:] += 1
    for causal in (True, False):
        layer = make(dilation=2, causal=causal)
        y, z = numpy_of(call(layer, x)), numpy_of(call(layer, changed))
        assert (y[:, :7] == z[:, :7]).all() == causal
        assert np.abs(y - z)[:, 7:].max(axis=2).all()


@pytest.mark.parametrize("sizes", [[1] * 11, [4, 4, 3]])
def test_streaming_equals_the_whole_sequence(sizes):
    layer, x = make(dilation=2), sequence()
    mask = np.arange(11) < np.array([[6], [11]])
    whole = numpy_of(call(layer, x, mask=mask))
    assert relative_error(stream(layer, x, sizes, mask), whole) < 1e-5


def test_only_the_gain_sets_the_scale():
    layer, x = CausalTemporalConvolution(4), sequence()
    y = numpy_of(call(layer, x))
    layer.direction.assign(3 * numpy_of(layer.direction))
    np.testing.assert_allclose(
        numpy_of(call(layer, x)), y, rtol=1e-4, atol=1e-6
    )
    layer.gain.assign(2 * numpy_of(layer.gain))
    np.testing.assert_allclose(
        numpy_of(call(layer, x)), 2 * y, rtol=1e-4, atol=1e-6
    )


@pytest.mark.parametrize(
    "sizes", [{"filters": 0}, {"kernel_size": 0}, {"dilation": 0}]
)
def test_sizes_below_one_are_refused(sizes):
    with pytest.raises(ValueError, match="at least 1"):
        CausalTemporalConvolution(**{"filters": 4, **sizes})
