import keras
import numpy as np
import pytest
from keras import ops

from keras_mmfusion.ops.product import affine, einsum, matmul
from tests.backend import input_gradients, relative_error

FORMS = (
    "nx,xy->ny",
    "abcx,xy->abcy",
    "abcx,abxy->abcy",
    "btc,ts->bsc",
    "btc,bte->bce",
    "ybhct,yxho->boxhct",
    "bsc,scr->bsr",
    "cm,cnq->qmn",
    "bmc,cqnb->nbqm",
)
ROUNDING = {"float32": 1e-5, "bfloat16": 0.02}


def factors(subscripts, seed=0):
    rng = np.random.default_rng(seed)
    size = {c: 2 + i for i, c in enumerate(sorted(set(subscripts)))}
    return {
        name: rng.normal(size=[size[c] for c in letters]).astype("float32")
        for name, letters in zip(
            "ab", subscripts.split("->")[0].split(","), strict=True
        )
    }


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("leading", [(6,), (2, 3), (2, 1, 3)])
def test_affine(leading, bias):
    rng = np.random.default_rng(0)
    x = {
        "x": rng.normal(size=(*leading, 4)).astype("float32"),
        "kernel": rng.normal(size=(4, 5)).astype("float32"),
        "bias": rng.normal(size=5).astype("float32"),
    }

    def loss(x):
        b = x["bias"] if bias else None
        return ops.sum(ops.sin(affine(x["x"], x["kernel"], b)) + x["bias"])

    def expected(x):
        y = ops.matmul(x["x"], x["kernel"]) + (x["bias"] if bias else 0)
        return ops.sum(ops.sin(y) + x["bias"])

    found, wanted = input_gradients(loss, x), input_gradients(expected, x)
    for name in x:
        assert relative_error(found[name], wanted[name]) < 1e-5, name
    x = {k: ops.convert_to_tensor(v) for k, v in x.items()}
    assert relative_error(loss(x), ops.convert_to_numpy(expected(x))) < 1e-5


@pytest.mark.parametrize("dtype", ROUNDING)
@pytest.mark.parametrize("subscripts", FORMS)
def test_value_and_gradients(subscripts, dtype):
    x = factors(subscripts)

    def product(x, function, dtype):
        y = function(subscripts, *(ops.cast(x[k], dtype) for k in "ab"))
        assert keras.backend.standardize_dtype(y.dtype) == dtype
        return ops.cast(y, "float32")

    def error(found, expected):
        return relative_error(found, keras.ops.convert_to_numpy(expected))

    value = product(x, einsum, dtype)
    expected = product(x, ops.einsum, "float32")
    assert error(value, expected) < ROUNDING[dtype]

    def loss(function, dtype):
        return lambda x: ops.sum(ops.tanh(product(x, function, dtype)))

    found = input_gradients(loss(einsum, dtype), x)
    expected = input_gradients(loss(ops.einsum, "float32"), x)
    for name in "ab":
        # tanh steepens what bfloat16 rounds.
        assert error(found[name], expected[name]) < 4 * ROUNDING[dtype], name


def test_matmul_of_matrices_and_of_rows_of_them():
    rng = np.random.default_rng(0)
    a = rng.normal(size=(2, 3, 4, 5)).astype("float32")
    for shape in ((5, 6), (2, 3, 5, 6)):
        b = rng.normal(size=shape).astype("float32")
        for dtype, rounding in ROUNDING.items():
            y = matmul(ops.cast(a, dtype), ops.cast(b, dtype))
            y = ops.cast(y, "float32")
            assert relative_error(y, a @ b) < rounding


@pytest.mark.once(backend="jax")
def test_an_order_that_xla_would_keep_and_could_not_multiply():
    import jax

    a = jax.numpy.zeros((16, 17), "bfloat16")
    b = jax.numpy.ones((17, 1, 16), "bfloat16")

    def loss(a, b):
        y = einsum("cm,cnq->qmn", ops.tanh(ops.transpose(a)), b)
        return ops.sum(ops.cast(y, "float32"))

    # Without layouts this fails when it runs: BF16 x BF16 = F32.
    da, db = jax.jit(jax.grad(loss, argnums=(0, 1)))(a, b)
    assert bool(ops.all(da == 16))
    assert bool(ops.all(db == 0))


@pytest.mark.once(backend="jax")
def test_bfloat16_is_not_copied_to_float32_for_a_gradient():
    import jax

    a = jax.numpy.ones((400, 300), "bfloat16")
    b = jax.numpy.ones((300, 200), "bfloat16")

    def memory(function):
        def loss(a, b):
            return ops.sum(ops.cast(function(a, b), "float32"))

        step = jax.jit(jax.grad(loss, argnums=(0, 1)))
        found = step.lower(a, b).compile().memory_analysis()
        return found.temp_size_in_bytes

    assert memory(matmul) < 0.7 * memory(ops.matmul)
