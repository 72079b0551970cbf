"""Whether an LSTM written out in PyTorch could save the inputs' gradient.

    OMP_NUM_THREADS=1 python benchmarks/lstm_by_hand.py

PyTorch's kernel on a CPU makes that gradient though nobody asks for it in a
first layer. Forward and backward of the six LSTMs of MSAF's CMU-MOSEI network,
16 x 50 steps: milliseconds of processor time, medians of runs taking turns.
"""

import statistics
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

SIZES = ((768, 128), (128, 128), (74, 64), (64, 64), (35, 32), (32, 32))
ROUNDS = 60


class Recurrence(torch.autograd.Function):
    """h of every step (T, B, units) from x W + b of every step."""

    @staticmethod
    def forward(ctx: Any, sums: Tensor, matrix: Tensor) -> Tensor:
        units = len(matrix)
        gates = sums.clone()
        c, tanh, h = (torch.empty_like(sums[..., :units]) for _ in range(3))
        for t, z in enumerate(gates):
            if t:
                z.addmm_(h[t - 1], matrix)
            z[:, : 2 * units].sigmoid_()
            z[:, 2 * units : 3 * units].tanh_()
            z[:, 3 * units :].sigmoid_()
            i, f, g, o = z.chunk(4, dim=1)
            torch.mul(i, g, out=c[t])
            if t:
                c[t].addcmul_(f, c[t - 1])
            torch.tanh(c[t], out=tanh[t])
            torch.mul(o, tanh[t], out=h[t])
        ctx.save_for_backward(gates, c, tanh, h, matrix)
        return h

    @staticmethod
    def backward(ctx: Any, dh: Tensor) -> tuple[Tensor, Tensor]:
        gates, c, tanh, h, matrix = ctx.saved_tensors
        units = len(matrix)
        i, f, g, o = gates.chunk(4, dim=-1)
        before = torch.cat([torch.zeros_like(c[:1]), c[:-1]])
        slopes = torch.stack(
            [g * i * (1 - i), before * f * (1 - f), i * (1 - g * g)], dim=2
        )
        o_slope, c_slope = tanh * o * (1 - o), o * (1 - tanh * tanh)
        dz = torch.empty_like(gates)
        by_gate = dz.unflatten(-1, (4, units))
        dh, dc = dh.clone(), torch.zeros_like(c[0])
        for t in reversed(range(len(gates))):
            if t + 1 < len(gates):
                dh[t].addmm_(dz[t + 1], matrix.T)
                dc.mul_(f[t + 1])
            dc.addcmul_(dh[t], c_slope[t])
            torch.mul(slopes[t], dc[:, None], out=by_gate[t, :, :3])
            torch.mul(dh[t], o_slope[t], out=by_gate[t, :, 3])
        rows = h[:-1].reshape(-1, units)
        return dz, rows.T @ dz[1:].reshape(-1, 4 * units)


def by_hand(x: Tensor, kernel: Tensor, matrix: Tensor, bias: Tensor) -> Tensor:
    sums = torch.nn.functional.linear(x.transpose(0, 1), kernel.T, bias)
    return Recurrence.apply(sums, matrix).transpose(0, 1)


def by_kernel(
    x: Tensor, kernel: Tensor, matrix: Tensor, bias: Tensor
) -> Tensor:
    state = x.new_zeros(1, len(x), len(matrix))
    weights = [kernel.T, matrix.T, bias, torch.zeros_like(bias)]
    return torch.lstm(
        x, (state, state), weights, True, 1, 0.0, True, False, True
    )[0]


def gradients(lstm: Callable[..., Tensor], *arguments: Tensor) -> list[Tensor]:
    y = lstm(*arguments)
    loss = y[:, -1].square().sum() + y.mean()
    return list(torch.autograd.grad(loss, arguments[1:]))


def main() -> None:
    torch.set_num_threads(1)
    for features, units in SIZES:
        shapes = (features, 4 * units), (units, 4 * units), (4 * units,)
        weights = [(0.05 * torch.randn(s)).requires_grad_() for s in shapes]
        x = torch.randn(16, 50, features)
        both = [gradients(f, x, *weights) for f in (by_hand, by_kernel)]
        for a, b in zip(*both, strict=True):
            torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)
        spent: dict[str, list[float]] = {"by_hand": [], "by_kernel": []}
        for _ in range(ROUNDS):
            for lstm in (by_hand, by_kernel):
                start = time.process_time()
                gradients(lstm, x, *weights)
                spent[lstm.__name__].append(time.process_time() - start)
        found = {k: 1e3 * statistics.median(v) for k, v in spent.items()}
        print(f"{features:4} to {units:4}:", end=" ")
        print(", ".join(f"{k} {v:.1f} ms" for k, v in found.items()))


if __name__ == "__main__":
    main()
