"""MEA in plain PyTorch, as published: what our network is measured against.

Written from the equations (arXiv 2407.04955): one module per unit, a Linear
each for queries, keys and values, maps by an explicit softmax, their prediction
by `Conv2d`, `torch.nn.LSTM` on packed sequences, `torch.nn.Dropout` at the same
places. Where the paper is silent, as ours. Every sample has all modalities.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu, mse_loss
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

MASKED_SCORE = -1e9


class Extractor(nn.Module):
    """Convolution, sine positions and a bidirectional LSTM."""

    def __init__(
        self, features: int, width: int, taps: int, dropout: float
    ) -> None:
        super().__init__()
        self.conv = nn.Conv1d(features, width, taps, padding="same", bias=False)
        self.dropout = nn.Dropout(dropout)
        self.lstm = nn.LSTM(
            width, width // 2, batch_first=True, bidirectional=True
        )
        # One bias vector per gate is enough.
        for name in ("bias_hh_l0", "bias_hh_l0_reverse"):
            nn.init.zeros_(getattr(self.lstm, name)).requires_grad_(False)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        x = self.conv(x.transpose(1, 2)).transpose(1, 2)
        x = self.dropout(x + _positions(*x.shape[1:]))
        packed = pack_padded_sequence(
            x, mask.sum(1).cpu(), batch_first=True, enforce_sorted=False
        )
        y, _ = pad_packed_sequence(
            self.lstm(packed)[0], batch_first=True, total_length=x.shape[1]
        )
        return y


def _positions(steps: int, width: int) -> Tensor:
    rates = 10000 ** (-torch.arange(0, width, 2) / width)
    angles = torch.arange(steps)[:, None] * rates
    return torch.stack([angles.sin(), angles.cos()], dim=2).flatten(1)


class FeedForward(nn.Module):
    """x + dropout(F(LN(x)))."""

    def __init__(self, width: int, dropout: float) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.hidden = nn.Linear(width, 4 * width)
        self.output = nn.Linear(4 * width, width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        y = self.output(gelu(self.hidden(self.norm(x))))
        return x + self.dropout(y)


class Attention(nn.Module):
    """What both kinds of attention have."""

    def __init__(
        self, width: int, heads: int, dropouts: tuple[float, float]
    ) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(width, width)
        self.value = nn.Linear(width, width)
        self.context = nn.Linear(width, width)
        self.dropout = nn.Dropout(dropouts[0])
        self.context_dropout = nn.Dropout(dropouts[1])
        self.feed = FeedForward(width, dropouts[1])

    def split(self, x: Tensor) -> Tensor:
        """(B, T, d) to (B, heads, T, d / heads)."""
        return x.unflatten(2, (self.heads, -1)).transpose(1, 2)

    def scores(self, x: Tensor, source: Tensor) -> Tensor:
        query, key = self.split(self.query(x)), self.split(self.key(source))
        return query @ key.transpose(2, 3) / query.shape[3] ** 0.5

    def softmax(self, scores: Tensor, mask: Tensor) -> Tensor:
        """Over the valid keys."""
        return scores.masked_fill(~mask[:, None, None], MASKED_SCORE).softmax(3)

    def attend(self, shares: Tensor, x: Tensor, source: Tensor) -> Tensor:
        value = self.split(self.value(source))
        y = (self.dropout(shares) @ value).transpose(1, 2).flatten(2)
        return self.feed(x + self.context_dropout(self.context(y)))


class PredictiveSelfAttention(Attention):
    """Eq. 2-4; the second output are the maps for the next layer."""

    def __init__(
        self,
        width: int,
        heads: int,
        dropouts: tuple[float, float],
        mix: float,
        first: bool,
    ) -> None:
        super().__init__(width, heads, dropouts)
        self.mix = mix
        self.norm = nn.LayerNorm(width)
        if not first:
            self.predict = nn.Conv2d(heads, heads, 3, padding=1)

    def forward(
        self, z: Tensor, mask: Tensor, previous: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        x = self.norm(z)
        scores = self.scores(x, x)
        shares = self.softmax(scores, mask)
        if previous is not None:
            predicted = gelu(self.predict(previous))
            mixed = self.mix * predicted + (1 - self.mix) * shares
            shares = self.softmax(mixed, mask)
        y = self.attend(shares, x, x) * mask[:, :, None]
        valid = mask[:, None, :, None] & mask[:, None, None]
        return y, scores * valid


class ModalityWeighting(nn.Module):
    """Eq. 5-6 on means over time."""

    def __init__(self, width: int, modalities: int) -> None:
        super().__init__()
        self.hidden = nn.ModuleList(
            nn.Linear(width, width) for _ in range(modalities)
        )
        self.score = nn.ModuleList(
            nn.Linear(width, 1, bias=False) for _ in range(modalities)
        )

    def forward(self, zs: list[Tensor], masks: list[Tensor]) -> list[Tensor]:
        scores = [
            score(hidden(_mean(z, mask)).tanh())
            for score, hidden, z, mask in zip(
                self.score, self.hidden, zs, masks, strict=True
            )
        ]
        psi = torch.cat(scores, dim=1).softmax(1)
        return [psi[:, i, None, None] * z for i, z in enumerate(zs)]


def _mean(z: Tensor, mask: Tensor) -> Tensor:
    return (z * mask[:, :, None]).sum(1) / mask.sum(1)[:, None]


class ModalityReinforcement(Attention):
    """Eq. 7-9."""

    def __init__(
        self, width: int, heads: int, dropouts: tuple[float, float]
    ) -> None:
        super().__init__(width, heads, dropouts)
        self.target_norm = nn.LayerNorm(width)
        self.source_norm = nn.LayerNorm(width)

    def forward(
        self, target: Tensor, source: Tensor, mask: Tensor, keys: Tensor
    ) -> Tensor:
        x, s = self.target_norm(target), self.source_norm(source)
        shares = self.softmax(self.scores(x, s), keys)
        return self.attend(shares, x, s) * mask[:, :, None]


class HierarchicalAttention(nn.Module):
    """Eq. 10 for every target."""

    def __init__(
        self,
        width: int,
        heads: int,
        dropouts: tuple[float, float],
        modalities: int,
    ) -> None:
        super().__init__()

        def units(count: int) -> nn.ModuleList:
            return nn.ModuleList(
                ModalityReinforcement(width, heads, dropouts)
                for _ in range(count)
            )

        self.mixed, self.coarse = units(modalities), units(modalities)
        self.fine = nn.ModuleList(
            units(modalities - 1) for _ in range(modalities)
        )

    def forward(self, zs: list[Tensor], masks: list[Tensor]) -> list[Tensor]:
        results = []
        for t, (x, mask) in enumerate(zip(zs, masks, strict=True)):
            others = [i for i in range(len(zs)) if i != t]
            x = self.mixed[t](x, torch.cat(zs, 1), mask, torch.cat(masks, 1))
            x = self.coarse[t](
                x,
                torch.cat([zs[i] for i in others], 1),
                mask,
                torch.cat([masks[i] for i in others], 1),
            )
            fine = zip(self.fine[t], others, strict=True)
            results.append(sum(u(x, zs[i], mask, masks[i]) for u, i in fine))
        return results


class Encoder(nn.Module):
    """A perceptron of two layers."""

    def __init__(self, features: int, units: int, outputs: int) -> None:
        super().__init__()
        self.hidden = nn.Linear(features, units)
        self.output = nn.Linear(units, outputs)

    def forward(self, x: Tensor) -> Tensor:
        return self.output(gelu(self.hidden(x)))


class GraphFusion(nn.Module):
    """Eq. 17-19 without self-loops."""

    def __init__(self, latent: int) -> None:
        super().__init__()
        self.node = nn.Linear(latent, latent, bias=False)
        self.edge = nn.Linear(2 * latent, 1)

    def forward(self, hs: list[Tensor]) -> Tensor:
        h = self.node(torch.stack(hs, 1))
        n = h.shape[1]
        pairs = torch.cat(
            [
                h[:, :, None].expand(-1, -1, n, -1),
                h[:, None].expand(-1, n, -1, -1),
            ],
            dim=3,
        )
        scores = gelu(self.edge(pairs)[..., 0])
        loops = torch.eye(n, dtype=torch.bool)
        xi = scores.masked_fill(loops, MASKED_SCORE).softmax(2)
        return (xi @ h).sigmoid().sum(1)


class Reversal(torch.autograd.Function):
    """The value itself, the gradient with the other sign."""

    @staticmethod
    def forward(ctx: object, x: Tensor) -> Tensor:
        return x.clone()

    @staticmethod
    def backward(ctx: object, gradient: Tensor) -> Tensor:  # type: ignore[override]
        return -gradient


class MEA(nn.Module):
    """From a list of sequences to the prediction (B, 1).

    In training, also everything that `loss` needs.
    """

    def __init__(
        self,
        features: Sequence[int],
        width: int = 40,
        latent: int = 64,
        heads: int = 8,
        exclusive_layers: int = 3,
        agnostic_layers: int = 2,
        mix: float = 0.25,
        dropouts: tuple[float, float] = (0.1, 0.1),
        ends: tuple[float, float] = (0.2, 0.2),
        taps: Sequence[int] = (3, 3, 3),
    ) -> None:
        super().__init__()
        n = len(features)
        self.extractors = nn.ModuleList(
            Extractor(f, width, t, ends[0])
            for f, t in zip(features, taps, strict=True)
        )
        self.exclusive = nn.ModuleList(
            nn.ModuleList(
                PredictiveSelfAttention(width, heads, dropouts, mix, i == 0)
                for _ in range(n)
            )
            for i in range(exclusive_layers)
        )
        self.weighting = nn.ModuleList(
            ModalityWeighting(width, n) for _ in range(exclusive_layers)
        )
        self.agnostic = nn.ModuleList(
            HierarchicalAttention(width, heads, dropouts, n)
            for _ in range(agnostic_layers)
        )
        self.exclusive_encoders = nn.ModuleList(
            Encoder(width, latent, latent) for _ in range(n)
        )
        self.agnostic_encoder = Encoder(width, latent, latent)
        self.exclusive_graph = GraphFusion(latent)
        self.agnostic_graph = GraphFusion(latent)
        self.head = Encoder(2 * latent, latent, 1)
        self.head_dropout = nn.Dropout(ends[1])
        self.modality_discriminator = Encoder(latent, latent, n)
        self.importance_discriminator = nn.Linear(latent, n, bias=False)

    def forward(self, xs: Sequence[Tensor]) -> Tensor | tuple[Tensor, ...]:
        # Up to the last step that is not zero.
        masks = [x.ne(0).any(2).flip(1).cumsum(1).flip(1).bool() for x in xs]
        pairs = zip(self.extractors, xs, masks, strict=True)
        low = [extractor(x, mask) for extractor, x, mask in pairs]
        z, maps = low, [None] * len(low)
        for layer, weighting in zip(
            self.exclusive, self.weighting, strict=True
        ):
            found = [
                unit(*given)
                for unit, *given in zip(layer, z, masks, maps, strict=True)
            ]
            z, maps = map(list, zip(*found, strict=True))
            z = weighting(z, masks)
        exclusive = [
            encoder(_mean(x, mask))
            for encoder, x, mask in zip(
                self.exclusive_encoders, z, masks, strict=True
            )
        ]
        z = low
        for layer in self.agnostic:
            z = layer(z, masks)
        agnostic = [
            self.agnostic_encoder(_mean(x, mask))
            for x, mask in zip(z, masks, strict=True)
        ]
        fused = [self.exclusive_graph(exclusive), self.agnostic_graph(agnostic)]
        hidden = gelu(self.head.hidden(torch.cat(fused, 1)))
        prediction = self.head.output(self.head_dropout(hidden))
        if not self.training:
            return prediction
        return prediction, self.extra_loss(exclusive, agnostic)

    def extra_loss(
        self,
        exclusive: list[Tensor],
        agnostic: list[Tensor],
        alpha: float = 2e-2,
        beta: float = 3e-2,
    ) -> Tensor:
        """alpha disparity + beta (agnostic + exclusive + importance)."""
        total = torch.zeros(())
        pairs = zip(exclusive, agnostic, strict=True)
        for m, (e, a) in enumerate(pairs):
            n = len(e)
            cross = (e - e.mean(0)).T @ (a - a.mean(0))
            disparity = cross.square().sum() / (n - 1) ** 2
            judge = self.modality_discriminator
            importance = self.importance_discriminator(a.detach())
            omega = 1 - importance.softmax(1)[:, m].detach()
            reversed_ = judge(Reversal.apply(a)).log_softmax(1)[:, m]
            adversary = (
                -(omega * reversed_).mean()
                - judge(e).log_softmax(1)[:, m].mean()
                - importance.log_softmax(1)[:, m].mean()
            )
            total = total + alpha * disparity / len(exclusive)
            total = total + beta * adversary
        return total


def loss(found: tuple[Tensor, Tensor], y: Tensor) -> Tensor:
    """Of the task and all others."""
    prediction, extra = found
    return mse_loss(prediction, y) + extra
