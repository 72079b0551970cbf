import numpy as np
import pytest
from keras import ops

from keras_mmfusion.ops.attention import masked_softmax, products, weighted_sums
from keras_mmfusion.ops.fused_attention import fused_attention
from tests.backend import input_gradients, numpy_of, relative_error

pytestmark = pytest.mark.once("torch")
# The last clip has no valid key at all.
MASK = np.arange(5) < np.array([[5], [3], [0]])


def arrays():
    rng = np.random.default_rng(0)
    shapes = {"query": (3, 4), "key": (3, 5), "value": (2, 5)}
    return {
        name: rng.normal(size=(3, 2, *shape)).astype("float32")
        for name, shape in shapes.items()
    }


@pytest.mark.parametrize("mask", [MASK, None])
def test_equals_attention_with_maps(mask):
    mask = None if mask is None else ops.convert_to_tensor(mask)

    def with_maps(query, key, value):
        shares = masked_softmax(products(query, key), mask)
        return weighted_sums(shares, value)

    def squares(function):
        return lambda x: ops.sum(ops.square(function(**x)))

    def fused(query, key, value):
        return fused_attention(query, key, value, mask)

    x = {k: ops.convert_to_tensor(v) for k, v in arrays().items()}
    rows = slice(None) if mask is None else slice(2)
    found, expected = numpy_of(fused(**x))[rows], numpy_of(with_maps(**x))[rows]
    assert relative_error(found, expected) < 1e-6
    gradients = input_gradients(squares(with_maps), arrays())
    for name, gradient in input_gradients(squares(fused), arrays()).items():
        assert relative_error(gradient[rows], gradients[name][rows]) < 1e-5


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_is_finite_without_a_valid_key(dtype):
    x = {k: ops.convert_to_tensor(v, dtype) for k, v in arrays().items()}
    y = fused_attention(**x, key_mask=ops.convert_to_tensor(MASK), rate=0.5)
    assert np.isfinite(numpy_of(ops.cast(y, "float32"))).all()


def test_dropout_keeps_the_mean_and_drops():
    x = {k: ops.convert_to_tensor(v) for k, v in arrays().items()}
    clean = numpy_of(fused_attention(**x))
    dropped = np.stack(
        [numpy_of(fused_attention(**x, rate=0.5)) for _ in range(400)]
    )
    assert (dropped.std(axis=0) > 0).all()
    assert relative_error(dropped.mean(axis=0), clean) < 0.2
