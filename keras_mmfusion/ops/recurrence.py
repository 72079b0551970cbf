"""The LSTM recurrence; the one place where code depends on the backend.

On PyTorch, Keras runs recurrences as a Python loop over the steps, slower on
a CPU than PyTorch's own kernel (measured by `benchmarks/recurrence.py`).
"""

from typing import Any

import keras
from keras import ops

from keras_mmfusion.types import Tensor


def lstm(
    x: Tensor, kernel: Tensor, recurrent_kernel: Tensor, bias: Tensor
) -> Tensor:
    """All outputs of an LSTM that starts from zeros.

        i, f, g, o = split(x_t W + h U + b)
        c = sigmoid(f) c + sigmoid(i) tanh(g);  h = sigmoid(o) tanh(c)

    Args:
        x: (B, T, D).
        kernel: W, (D, 4 units).
        recurrent_kernel: U, (units, 4 units).
        bias: b, (4 units,).

    Returns:
        The outputs h, (B, T, units).
    """
    if keras.backend.backend() == "torch":
        return _torch_lstm(x, kernel, recurrent_kernel, bias)
    # One product for all steps; only h U has to wait for its turn.
    inputs = ops.transpose(ops.matmul(x, kernel) + bias, (1, 0, 2))
    # TensorFlow's custom gradients want a tensor, not the variable itself.
    matrix = ops.reshape(recurrent_kernel, recurrent_kernel.shape)
    return ops.transpose(_outputs(inputs, matrix), (1, 0, 2))


@ops.custom_gradient
def _outputs(inputs: Tensor, recurrent_kernel: Tensor) -> Any:
    """h of every step (T, B, units) from x W + b of every step.

    The compilers' own gradient adds up the weights' gradients step by step.
    """
    units = recurrent_kernel.shape[0]
    # h and c in one tensor that is also the output: under TensorFlow `scan`
    # takes outputs for states.
    start = ops.zeros((ops.shape(inputs)[1], 2 * units), dtype=inputs.dtype)

    def step(state: Tensor, x_t: Tensor) -> tuple[Tensor, Tensor]:
        h, c = ops.split(state, 2, axis=-1)
        i, f, g, o = ops.split(
            x_t + ops.matmul(h, recurrent_kernel), 4, axis=-1
        )
        c = ops.sigmoid(f) * c + ops.sigmoid(i) * ops.tanh(g)
        h = ops.sigmoid(o) * ops.tanh(c)
        state = ops.concatenate([h, c], axis=-1)
        return state, state

    _, states = ops.scan(step, start, inputs)

    def gradient(*upstream: Tensor, **named: Tensor) -> tuple[Tensor, Tensor]:
        (dh,) = upstream or named.values()
        before = ops.concatenate([start[None], states[:-1]], axis=0)
        return _gradients(dh, inputs, before, states, recurrent_kernel)

    return states[..., :units], gradient


def _gradients(
    dh: Tensor,
    inputs: Tensor,
    before: Tensor,
    states: Tensor,
    recurrent_kernel: Tensor,
) -> tuple[Tensor, Tensor]:
    """Gradients of `_outputs`: all but two products for all steps at once.

    With z the sums before the activations, a step back in time is

        dc = dc' + dh o (1 - tanh(c)²)
        dz = [dc g i (1 - i), dc c_before f (1 - f), dc i (1 - g²),
              dh tanh(c) o (1 - o)]
        dh' = dz Uᵀ,  dc' = dc f

    Args:
        dh: Gradient of every h, (T, B, units).
        inputs: As in `_outputs`.
        before: [h | c] before every step, (T, B, 2 units).
        states: [h | c] after it.
        recurrent_kernel: U.
    """
    units = recurrent_kernel.shape[0]
    h_before, c_before = ops.split(before, 2, axis=-1)
    i, f, g, o = ops.split(
        inputs + ops.matmul(h_before, recurrent_kernel), 4, axis=-1
    )
    i, f, g, o = ops.sigmoid(i), ops.sigmoid(f), ops.tanh(g), ops.sigmoid(o)
    c = ops.tanh(states[..., units:])
    slopes = ops.concatenate(
        [
            dh,
            o * (1 - c * c),
            f,
            g * i * (1 - i),
            c_before * f * (1 - f),
            i * (1 - g * g),
            c * o * (1 - o),
        ],
        axis=-1,
    )
    backwards = ops.transpose(recurrent_kernel)
    start = ops.zeros((ops.shape(inputs)[1], 5 * units), dtype=inputs.dtype)

    def step(state: Tensor, slope: Tensor) -> tuple[Tensor, Tensor]:
        dc, dz = state[:, :units], state[:, units:]
        own, c_slope, f, *z_slopes = ops.split(slope, 7, axis=-1)
        dh = own + ops.matmul(dz, backwards)
        dc = dc + dh * c_slope
        i_slope, f_slope, g_slope, o_slope = z_slopes
        state = ops.concatenate(
            [
                dc * f,
                dc * i_slope,
                dc * f_slope,
                dc * g_slope,
                dh * o_slope,
            ],
            axis=-1,
        )
        return state, state

    _, after = ops.scan(step, start, slopes, reverse=True)
    dz = after[..., units:]
    rows = ops.reshape(h_before, (-1, units))
    return dz, ops.matmul(ops.transpose(rows), ops.reshape(dz, (-1, 4 * units)))


def _torch_lstm(
    x: Tensor, kernel: Tensor, recurrent_kernel: Tensor, bias: Tensor
) -> Tensor:
    import torch

    state = x.new_zeros(1, x.shape[0], recurrent_kernel.shape[0])
    weights = (kernel.T, recurrent_kernel.T, bias, torch.zeros_like(bias))
    outputs, _, _ = torch.lstm(
        x,
        (state, state),
        weights,
        has_biases=True,
        num_layers=1,
        dropout=0.0,
        train=False,
        bidirectional=False,
        batch_first=True,
    )
    return outputs
