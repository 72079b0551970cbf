"""A perceptron that keeps its input alone for the gradient.

Its hidden layer is several times as wide as its input, and automatic
differentiation keeps three or four tensors of that size.
"""

from typing import Any

import keras
from keras import ops

from keras_mmfusion.ops.gelu import gelu_slope
from keras_mmfusion.ops.held_back import held_back
from keras_mmfusion.ops.product import gradient_matmul
from keras_mmfusion.types import Tensor


def recomputed_perceptron(
    x: Tensor,
    kernel: Tensor,
    bias: Tensor,
    output_kernel: Tensor,
    output_bias: Tensor,
) -> Tensor:
    """y = GeLU(x W + b) V + c, with a first derivative only.

        h = x W + b;   dh = dy Vᵀ GeLU'(h)
        dx = dh Wᵀ,  dW = xᵀ dh,  db = Σ dh,  dV = GeLU(h)ᵀ dy,  dc = Σ dy

    Args:
        x: (..., D).
        kernel: W, (D, H).
        bias: b, (H,).
        output_kernel: V, (H, E).
        output_bias: c, (E,).

    Returns:
        (..., E).
    """
    leading = ops.shape(x)[:-1]
    rows = ops.reshape(x, (-1, kernel.shape[0]))
    weights = [
        ops.cast(w, x.dtype) for w in (kernel, bias, output_kernel, output_bias)
    ]
    return ops.reshape(
        _of_rows(rows, *weights), (*leading, output_kernel.shape[1])
    )


@ops.custom_gradient
def _of_rows(x: Tensor, w: Tensor, b: Tensor, v: Tensor, c: Tensor) -> Any:
    y = gradient_matmul(_gelu(gradient_matmul(x, w) + b), v) + c

    def gradient(*given: Tensor, upstream: Any = None) -> Any:
        # PyTorch gives the arguments too, and the gradient by name.
        dy = given[0] if upstream is None else upstream
        again = held_back(x, dy)
        h = gradient_matmul(again, w) + b
        dh = gradient_matmul(dy, ops.transpose(v))
        wide = keras.backend.result_type(h.dtype, "float32")
        dh = ops.cast(
            ops.cast(dh, wide) * gelu_slope(ops.cast(h, wide)), dh.dtype
        )
        return (
            gradient_matmul(dh, ops.transpose(w)),
            gradient_matmul(ops.transpose(again), dh),
            ops.sum(dh, axis=0),
            gradient_matmul(ops.transpose(_gelu(h)), dy),
            ops.sum(dy, axis=0),
        )

    return y, gradient


def _gelu(x: Tensor) -> Tensor:
    return ops.gelu(x, approximate=False)
