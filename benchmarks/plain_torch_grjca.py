"""GRJCA's fusion in plain PyTorch: what our layer is measured against.

Written from the equations (arXiv 2503.12261): one Linear over time for the
keys, as published, so the number of steps is fixed. Names are those of the
official state dicts.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize, relu, softmax


class JointAttention(nn.Module):
    """One step: x_m + ReLU(W_om ReLU(tanh(V_m C_m))) for both modalities."""

    def __init__(self, widths: tuple[int, int], steps: int, rate: float):
        super().__init__()
        d = sum(widths)
        self.dense_coattn = nn.Module()
        self.dense_coattn.query_linear = nn.Linear(d, d)
        for i, width in enumerate(widths, start=1):
            setattr(
                self.dense_coattn, f"key{i}_linear", nn.Linear(steps, steps)
            )
            setattr(
                self.dense_coattn, f"value{i}_linear", nn.Linear(width, width)
            )
        self.linears = nn.ModuleList(
            nn.Sequential(nn.Linear(d, width), nn.ReLU(), nn.Dropout(rate))
            for width in widths
        )
        self.dropout = nn.Dropout(rate)

    def forward(self, xs: tuple[Tensor, Tensor]) -> tuple[Tensor, ...]:
        joint = self.dense_coattn.query_linear(torch.cat(xs, dim=-1))
        outputs = []
        for i, x in enumerate(xs, start=1):
            key = getattr(self.dense_coattn, f"key{i}_linear")(x.mT)
            correlation = torch.tanh(key @ joint / math.sqrt(joint.shape[-1]))
            value = getattr(self.dense_coattn, f"value{i}_linear")(x)
            hidden = relu(torch.tanh(value @ self.dropout(correlation)))
            outputs.append(x + self.linears[i - 1](hidden))
        return tuple(outputs)


class GRJCA(nn.Module):
    """Steps of joint attention, and a flat gate over input and iterates.

    Inputs and outputs are (B, T, widths[i]), video first.
    """

    def __init__(
        self,
        widths: tuple[int, int],
        steps: int,
        iterations: int = 2,
        rate: float = 0.6,
        temperature: float = 0.1,
    ) -> None:
        super().__init__()
        self.coattn = nn.Module()
        self.coattn.dcn_layers = nn.ModuleList(
            JointAttention(widths, steps, rate) for _ in range(iterations)
        )
        self.video_gating_fc_layer = nn.Linear(widths[0], iterations + 1)
        self.audio_gating_fc_layer = nn.Linear(widths[1], iterations + 1)
        self.temperature = temperature

    def forward(self, xs: tuple[Tensor, Tensor]) -> list[Tensor]:
        iterates = [tuple(normalize(x, dim=-1, eps=1e-12) for x in xs)]
        for layer in self.coattn.dcn_layers:
            iterates.append(layer(iterates[-1]))
        gates = (self.video_gating_fc_layer, self.audio_gating_fc_layer)
        outputs = []
        for options, gate in zip(
            zip(*iterates, strict=True), gates, strict=True
        ):
            weight = softmax(gate(options[-1]) / self.temperature, dim=-1)
            outputs.append(
                relu((torch.stack(options, -1) * weight[..., None, :]).sum(-1))
            )
        return outputs
