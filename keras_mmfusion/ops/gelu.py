"""The derivative of GeLU, for gradients that are written out."""

import math

from keras import ops

from keras_mmfusion.types import Tensor


def gelu_slope(x: Tensor) -> Tensor:
    """Φ(x) + x φ(x), of the normal distribution."""
    below = 0.5 * (1 + ops.erf(x * math.sqrt(0.5)))
    return below + x * ops.exp(-0.5 * x * x) * (1 / math.sqrt(2 * math.pi))
