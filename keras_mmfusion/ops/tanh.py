"""Hyperbolic tangent; a place where code depends on the backend.

PyTorch's own takes several times as long on a CPU as that of oneDNN, which
comes with it (measured by `benchmarks/elementwise.py`).
"""

from typing import Any

import keras
from keras import ops

from keras_mmfusion.types import Tensor

# For fewer values the way to oneDNN's layout and back takes longer.
FEWEST_VALUES = 2**14


def tanh(x: Tensor) -> Tensor:
    """tanh x, to the precision of x."""
    if keras.backend.backend() == "torch" and _suits_onednn(x):
        return _OneDNNTanh.apply(x)
    return ops.tanh(x)


def _suits_onednn(x: Tensor) -> bool:
    return (
        x.device.type == "cpu"
        and x.dtype in (torch.float32, torch.bfloat16)
        and x.numel() >= FEWEST_VALUES
        and torch.backends.mkldnn.is_available()
        and not torch.compiler.is_compiling()
    )


if keras.backend.backend() == "torch":
    import torch

    class _OneDNNTanh(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
            y = x.detach().to_mkldnn().tanh().to_dense()
            ctx.save_for_backward(y)
            return y

        @staticmethod
        def backward(ctx: Any, dy: torch.Tensor) -> torch.Tensor:
            (y,) = ctx.saved_tensors
            return torch.ops.aten.tanh_backward(dy, y)
