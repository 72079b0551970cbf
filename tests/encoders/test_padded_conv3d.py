import numpy as np
import pytest

from keras_mmfusion.encoders.padded_conv3d import PaddedConv3D
from tests.backend import numpy_of, relative_error


@pytest.mark.once("torch")
def test_bfloat16_gradients_of_few_steps():
    """PyTorch can leave them unwritten, with what the memory held before."""
    import torch

    rng = np.random.default_rng(2)
    x = rng.normal(size=(4, 2, 7, 7, 64)).astype("float32")

    def gradient(dtype: str) -> torch.Tensor:
        conv = PaddedConv3D(64, 3, dtype=dtype)
        conv.build(x.shape)
        conv.kernel.assign(np.ones(conv.kernel.shape))
        size = int(np.prod(conv.kernel.shape))
        for n in (size // 2, size, 2 * size, 16 * size):
            torch.full((n,), float("nan"), dtype=torch.bfloat16)
        conv(x).float().square().sum().backward()
        return numpy_of(conv.kernel.value.grad)

    expected = gradient("float32")
    for _ in range(10):
        assert relative_error(gradient("mixed_bfloat16"), expected) < 0.05
