"""The LSTM recurrence; the one place where code depends on the backend.

On PyTorch, Keras runs recurrences as a Python loop over the steps, slower on
a CPU than PyTorch's own kernel (measured by `benchmarks/recurrence.py`).
"""

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
    inputs = ops.matmul(x, kernel) + bias
    units = recurrent_kernel.shape[0]
    # h and c in one tensor that is also the output: under TensorFlow `scan`
    # takes outputs for states.
    start = ops.zeros((ops.shape(x)[0], 2 * units), dtype=x.dtype)

    def step(state: Tensor, x_t: Tensor) -> tuple[Tensor, Tensor]:
        h, c = ops.split(state, 2, axis=-1)
        i, f, g, o = ops.split(
            x_t + ops.matmul(h, recurrent_kernel), 4, axis=-1
        )
        c = ops.sigmoid(f) * c + ops.sigmoid(i) * ops.tanh(g)
        h = ops.sigmoid(o) * ops.tanh(c)
        state = ops.concatenate([h, c], axis=-1)
        return state, state

    _, states = ops.scan(step, start, ops.transpose(inputs, (1, 0, 2)))
    return ops.transpose(states[..., :units], (1, 0, 2))


def _torch_lstm(
    x: Tensor, kernel: Tensor, recurrent_kernel: Tensor, bias: Tensor
) -> Tensor:
    import torch

    state = x.new_zeros(1, x.shape[0], recurrent_kernel.shape[0])
    weights = (kernel.T, recurrent_kernel.T, bias, torch.zeros_like(bias))
    outputs, _, _ = torch.lstm(
        x,
        (state, state),
        tuple(w.contiguous() for w in weights),
        has_biases=True,
        num_layers=1,
        dropout=0.0,
        train=False,
        bidirectional=False,
        batch_first=True,
    )
    return outputs
