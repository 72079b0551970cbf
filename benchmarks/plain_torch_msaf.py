"""MSAF in plain PyTorch, as published: what our layer is measured against.

Written from the equations (arXiv 2012.07175): channels first, one Linear per
block, one module per time segment, the dropout mask applied before and after
the attention, `torch.nn.LSTM`. Names are those of the official state dicts, so
`mmf.convert.load_official` brings the weights into our layers.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class BlockDropout(nn.Module):
    """One factor per sample and block: 0, or 1 / (1 - rate)."""

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate

    def forward(self, batch: int, blocks: int) -> Tensor:
        keep = torch.full((batch, blocks), 1 - self.rate)
        return torch.bernoulli(keep) / (1 - self.rate)


class MSAFBlock(nn.Module):
    """Split attention over the channel blocks of one time segment."""

    def __init__(
        self,
        in_channels: Sequence[int],
        block_channels: int,
        reduction_factor: int,
        block_dropout: float,
        attention_floor: float = 0.0,
    ) -> None:
        super().__init__()
        C, reduced = block_channels, block_channels // reduction_factor
        self.block_channels = C
        self.blocks = [channels // C for channels in in_channels]
        self.dropout = BlockDropout(block_dropout)
        self.floor = attention_floor
        self.joint_features = nn.Sequential(
            nn.Linear(C, reduced), nn.BatchNorm1d(reduced), nn.ReLU()
        )
        self.dense_group = nn.ModuleList(
            nn.Linear(reduced, C) for _ in range(sum(self.blocks))
        )

    def forward(self, xs: Sequence[Tensor]) -> list[Tensor]:
        parts = [
            x.unflatten(1, (n, self.block_channels))
            for x, n in zip(xs, self.blocks, strict=True)
        ]
        masks = self._masks(parts)
        if masks:
            parts = [x * m for x, m in zip(parts, masks, strict=True)]
        # Sum over the blocks, mean over time and space, sum over modalities.
        joint = sum(x.sum(1).flatten(2).mean(-1) for x in parts)
        z = self.joint_features(joint)
        u = torch.stack([dense(z) for dense in self.dense_group], dim=1)
        a = self.floor + (1 - self.floor) * u.softmax(dim=1)
        outputs = []
        for i, (x, weight) in enumerate(
            zip(parts, a.split(self.blocks, dim=1), strict=True)
        ):
            y = x * weight.reshape(*weight.shape, *[1] * (x.ndim - 3))
            outputs.append((y * masks[i] if masks else y).flatten(1, 2))
        return outputs

    def _masks(self, parts: Sequence[Tensor]) -> list[Tensor]:
        """Dropout factors of the blocks of every modality, or no list."""
        if not self.training or not self.dropout.rate:
            return []
        mask = self.dropout(len(parts[0]), sum(self.blocks))
        return [
            m.reshape(*m.shape, *[1] * (x.ndim - 2))
            for m, x in zip(mask.split(self.blocks, 1), parts, strict=True)
        ]


class MSAF(nn.Module):
    """Inputs (B, C_m, ...) of any spatial shapes; axis 2 is time."""

    def __init__(
        self,
        in_channels: Sequence[int],
        block_channels: int,
        reduction_factor: int = 4,
        block_dropout: float = 0.0,
        attention_floor: float = 0.0,
        segments: int = 1,
    ) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(
            MSAFBlock(
                in_channels,
                block_channels,
                reduction_factor,
                block_dropout,
                attention_floor,
            )
            for _ in range(segments)
        )

    def forward(self, xs: Sequence[Tensor]) -> list[Tensor]:
        segments = len(self.blocks)
        if segments == 1:
            return self.blocks[0](xs)
        # Segments of equal length; the last one takes the remainder.
        cuts = []
        for x in xs:
            width = x.shape[2] // segments
            rest = x.shape[2] - width * (segments - 1)
            cuts.append(x.split([width] * (segments - 1) + [rest], dim=2))
        fused = [
            block([cut[s] for cut in cuts])
            for s, block in enumerate(self.blocks)
        ]
        return [torch.cat(parts, dim=2) for parts in zip(*fused, strict=True)]


class MoseiNetwork(nn.Module):
    """The published CMU-MOSEI network: 2 LSTMs per modality, fused between.

    Inputs are (B, T, features) of visual, audio and text; the output is (B, 1).
    """

    FEATURES = (35, 74, 768)
    UNITS = (32, 64, 128)

    def __init__(self, block_dropout: float = 0.2) -> None:
        super().__init__()
        self.visual_model, self.audio_model, self.text_model = (
            nn.ModuleList(
                nn.LSTM(width, units, batch_first=True)
                for width in (features, units)
            )
            for features, units in zip(self.FEATURES, self.UNITS, strict=True)
        )
        self.msaf = nn.ModuleList(
            [MSAF(self.UNITS, 16, 2, block_dropout, segments=5)]
        )
        self.multimodal_classifier = nn.Sequential(
            nn.Linear(sum(self.UNITS), 1)
        )

    def forward(self, xs: Sequence[Tensor]) -> Tensor:
        models = (self.visual_model, self.audio_model, self.text_model)
        first = [model[0](x)[0] for model, x in zip(models, xs, strict=True)]
        fused = self.msaf[0]([x.transpose(1, 2) for x in first])
        last = [
            model[1](x.transpose(1, 2))[0][:, -1]
            for model, x in zip(models, fused, strict=True)
        ]
        return self.multimodal_classifier(torch.cat(last, dim=1))
