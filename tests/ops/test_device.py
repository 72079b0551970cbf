import keras
import pytest
from keras import ops

from keras_mmfusion.ops.device import on_cpu


def test_a_tensor_is_where_the_backend_computes():
    if keras.backend.backend() == "torch":
        here = ops.ones(2).device.type
    else:
        here = keras.distribution.list_devices()[0].split(":")[0]
    assert on_cpu(ops.ones(2)) == (here == "cpu")


@pytest.mark.once("torch")
def test_a_tensor_of_another_device_is_not():
    import torch

    class Remote:
        device = torch.device("cuda:0")

    assert not on_cpu(Remote())
