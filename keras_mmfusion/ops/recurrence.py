"""The LSTM recurrence; a place where code depends on the backend.

On PyTorch, Keras runs recurrences as a Python loop over the steps, slower on
a CPU than PyTorch's own kernel (measured by `benchmarks/recurrence.py`).
"""

from typing import Any

import keras
from keras import ops

from keras_mmfusion.ops.compiled import compiled
from keras_mmfusion.ops.held_back import held_back
from keras_mmfusion.ops.loops import scan
from keras_mmfusion.ops.product import gradient_matmul, matmul
from keras_mmfusion.types import Tensor


def lstm(
    x: Tensor,
    kernel: Tensor,
    recurrent_kernel: Tensor,
    bias: Tensor,
    training: bool | None = None,
) -> Tensor:
    """All outputs of an LSTM that starts from zeros.

        i, f, g, o = split(x_t W + h U + b)
        c = sigmoid(f) c + sigmoid(i) tanh(g);  h = sigmoid(o) tanh(c)

    Args:
        x: (B, T, D).
        kernel: W, (D, 4 units).
        recurrent_kernel: U, (units, 4 units).
        bias: b, (4 units,).
        training: `False` to keep nothing for a gradient, which is still right
            but has to compute the outputs again.

    Returns:
        The outputs h, (B, T, units).
    """
    if keras.backend.backend() == "torch":
        return _torch_lstm(x, kernel, recurrent_kernel, bias)
    # One product for all steps; only h U has to wait for its turn.
    products = matmul(x, kernel)
    # TensorFlow's custom gradients want tensors, not the variables themselves.
    weights = (ops.reshape(w, w.shape) for w in (bias, recurrent_kernel))
    outputs = _outputs_alone if training is False else _outputs
    return outputs(products, *weights)


@ops.custom_gradient
def _outputs_alone(
    products: Tensor, bias: Tensor, recurrent_kernel: Tensor
) -> Any:
    """`_outputs` without the gates, which a compiled function would give."""

    def gradient(*upstream: Tensor, **named: Tensor) -> tuple[Tensor, ...]:
        (dh,) = upstream or named.values()
        h, gates, c = _forward(products, bias, recurrent_kernel)
        return _backward(dh, gates, c, h, recurrent_kernel)

    return _h(products, bias, recurrent_kernel), gradient


@compiled
def _h(products: Tensor, bias: Tensor, recurrent_kernel: Tensor) -> Tensor:
    return _forward(products, bias, recurrent_kernel)[0]


@ops.custom_gradient
def _outputs(products: Tensor, bias: Tensor, recurrent_kernel: Tensor) -> Any:
    """h of every step (B, T, units) from x W of every step.

    The compilers' own gradient adds up the weights' gradients step by step.
    """
    h, gates, c = _forward(products, bias, recurrent_kernel)

    def gradient(*upstream: Tensor, **named: Tensor) -> tuple[Tensor, ...]:
        (dh,) = upstream or named.values()
        return _backward(dh, gates, c, h, recurrent_kernel)

    return h, gradient


@compiled
def _forward(
    products: Tensor, bias: Tensor, recurrent_kernel: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """h (B, T, units), and [i | f | g | o] and c with the steps first."""
    inputs = ops.transpose(products + bias, (1, 0, 2))
    start = ops.zeros_like(ops.split(inputs[0], 4, axis=-1)[0])

    def step(state: Any, x_next: Tensor) -> Any:
        # The step's sums come as state, so that a compiler has them in memory
        # before it makes its loop over the gates. Reading x_t and adding h U
        # in that loop makes a step 1.6 times as long (benchmarks/README.md).
        sums, c, _ = state
        i, f, g, o = ops.split(sums, 4, axis=-1)
        i, f, o = ops.sigmoid(i), ops.sigmoid(f), ops.sigmoid(o)
        g = ops.tanh(g)
        c = f * c + i * g
        h = o * ops.tanh(c)
        gates = ops.concatenate([i, f, g, o], axis=-1)
        # Under TensorFlow `scan` wants outputs shaped like the state.
        return (x_next + matmul(h, recurrent_kernel), c, h), (gates, c, h)

    following = ops.roll(inputs, -1, axis=0)
    _, (gates, c, h) = scan(step, (inputs[0], start, start), following)
    return ops.transpose(h, (1, 0, 2)), gates, c


@compiled
def _backward(
    dh: Tensor, gates: Tensor, c: Tensor, h: Tensor, recurrent_kernel: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Gradients of `_outputs`: all but two products for all steps at once.

    With z the sums before the activations, a step back in time is

        dc = dc' + dh o (1 - tanh(c)²)
        dz = [dc g i (1 - i), dc c_before f (1 - f), dc i (1 - g²),
              dh tanh(c) o (1 - o)]
        dh' = dz Uᵀ,  dc' = dc f

    Args:
        dh: Gradient of every h, (B, T, units).
        gates: [i | f | g | o] of every step, (T, B, 4 units).
        c: State of every step, (T, B, units).
        h: Output of every step, (B, T, units).
        recurrent_kernel: U.
    """
    dh = ops.transpose(dh, (1, 0, 2))
    gates, c = held_back(gates, dh), held_back(c, dh)
    i, f, g, o = ops.split(gates, 4, axis=-1)
    start = ops.zeros_like(c[0])
    c_before = ops.concatenate([start[None], c[:-1]], axis=0)
    tanh = ops.tanh(c)
    # One array: Keras' scan under TensorFlow takes several of known length
    # only, and XLA reads the slopes of all sums in one go.
    arrays = ops.concatenate(
        [
            g * i * (1 - i),
            c_before * f * (1 - f),
            i * (1 - g * g),
            tanh * o * (1 - o),
            o * (1 - tanh * tanh),
            f,
            dh,
        ],
        axis=-1,
    )
    units, sums = recurrent_kernel.shape
    backwards = ops.transpose(recurrent_kernel)

    def step(state: Any, x: Any) -> Any:
        dc, dz = state
        slopes = x[:, :sums]
        c_slope, f, own = ops.split(x[:, sums:], 3, axis=-1)
        dh = own + gradient_matmul(dz, backwards)
        dc = dc + dh * c_slope
        dz = ops.concatenate([dc, dc, dc, dh], axis=-1) * slopes
        state = (dc * f, dz)
        return state, state

    end = (start, ops.zeros_like(gates[0]))
    _, (_, dz) = scan(step, end, arrays, reverse=True)
    dz = ops.transpose(dz, (1, 0, 2))
    h_before = ops.concatenate([start[:, None], h[:, :-1]], axis=1)
    rows = ops.transpose(ops.reshape(h_before, (-1, units)))
    dU = gradient_matmul(rows, ops.reshape(dz, (-1, sums)))
    return dz, ops.sum(dz, axis=(0, 1)), dU


def _torch_lstm(
    x: Tensor, kernel: Tensor, recurrent_kernel: Tensor, bias: Tensor
) -> Tensor:
    if isinstance(x.shape[1], torch.SymInt):
        return _torch_scan(x, kernel, recurrent_kernel, bias)
    state = x.new_zeros(1, x.shape[0], recurrent_kernel.shape[0])
    weights = [kernel.T, recurrent_kernel.T, bias, torch.zeros_like(bias)]
    if x.device.type != "cpu":
        # A GPU wants them in one piece of memory, in this order.
        flat = torch.cat([w.reshape(-1) for w in weights])
        pieces = flat.split([w.numel() for w in weights])
        weights = [v.view_as(w) for v, w in zip(pieces, weights, strict=True)]
    outputs, _, _ = torch.lstm(
        x,
        (state, state),
        weights,
        has_biases=True,
        num_layers=1,
        dropout=0.0,
        train=torch.is_grad_enabled(),
        bidirectional=False,
        batch_first=True,
    )
    return outputs


def _torch_scan(
    x: Tensor, kernel: Tensor, recurrent_kernel: Tensor, bias: Tensor
) -> Tensor:
    """For export with an open length, where the kernel would fix it."""
    from torch._higher_order_ops.scan import scan

    # `scan` cannot copy a weight while it is traced.
    matrix = recurrent_kernel.clone()

    def step(state: tuple[Tensor, Tensor], x_next: Tensor) -> Any:
        h, c = state
        i, f, g, o = (x_next + h @ matrix).chunk(4, dim=-1)
        c = f.sigmoid() * c + i.sigmoid() * g.tanh()
        h = o.sigmoid() * c.tanh()
        return (h, c), h.clone()

    inputs = (x @ kernel + bias).transpose(0, 1)
    start = torch.zeros_like(inputs[0, :, : recurrent_kernel.shape[0]])
    _, outputs = scan(step, (start, start.clone()), inputs, dim=0)
    return outputs.transpose(0, 1)


if keras.backend.backend() == "torch":
    import torch

    # Within a compiled training step a CPU's kernel returns what PyTorch's
    # compiler does not expect, and fails.
    _torch_lstm = torch.compiler.disable(_torch_lstm)
