import keras
import numpy as np
import pytest
from keras import ops

from keras_mmfusion.ops.chunking import in_chunks
from tests.backend import numpy_of

ARRAYS = {
    "x": np.arange(14.0, dtype="float32").reshape(7, 2),
    "y": np.arange(7, dtype="int32"),
}


def function(x, y):
    x, y = ops.convert_to_tensor(x), ops.convert_to_tensor(y)
    return x * ops.cast(y, "float32")[:, None], y + 1


@pytest.mark.parametrize("size", [1, 2, 3, 4, 7, 9])
def test_chunks_change_nothing(size):
    product, following = in_chunks(function, ARRAYS, size)
    np.testing.assert_array_equal(
        numpy_of(product), ARRAYS["x"] * ARRAYS["y"][:, None]
    )
    np.testing.assert_array_equal(numpy_of(following), ARRAYS["y"] + 1)


@pytest.mark.skipif(
    keras.backend.backend() != "tensorflow",
    reason="only TensorFlow leaves lengths open",
)
def test_the_number_of_rows_may_be_open():
    import tensorflow as tf

    @tf.function(
        input_signature=[
            tf.TensorSpec((None, None)),
            tf.TensorSpec((None,), "int32"),
        ]
    )
    def run(x, y):
        size = 6 // tf.shape(x)[1]
        return in_chunks(function, {"x": x, "y": y}, size)

    product, _ = run(**ARRAYS)
    np.testing.assert_array_equal(
        numpy_of(product), ARRAYS["x"] * ARRAYS["y"][:, None]
    )
