import numpy as np
from keras import ops

from keras_mmfusion.ops.attention import products
from keras_mmfusion.ops.map_convolution import convolved_products
from tests.backend import numpy_of, relative_error


def test_the_product_is_the_convolution_of_the_maps():
    rng = np.random.default_rng(0)
    query, key, kernel, bias = (
        ops.convert_to_tensor(rng.normal(size=shape), "float32")
        for shape in [(2, 4, 3, 6), (2, 4, 3, 5), (3, 3, 4, 4), (4,)]
    )
    found = products(*convolved_products(query, key, kernel, bias))
    maps = np.moveaxis(numpy_of(products(query, key)), 1, 3)
    expected = ops.conv(
        maps, kernel, padding="same", data_format="channels_last"
    )
    expected = numpy_of(expected + bias)
    assert relative_error(found, np.moveaxis(expected, 3, 1)) < 1e-5
