"""MEA's configuration and the names and shapes of its weights.

Kernels are (in, out), as in Keras; l counts exclusive layers and n agnostic
layers from 0; m, p are modality names:

    extractor.<m>.conv.kernel                     (taps, D_m, d)
    extractor.<m>.<forward|backward>.<kernel|recurrent|bias>
                                                  gates i, f, candidate, o
    exclusive.<l>.<m>.norm.<gain|offset>          LN(Z) of Eq. 3
    exclusive.<l>.<m>.<query|key|value|output>.<kernel|bias>
    exclusive.<l>.<m>.predict.<kernel|bias>       (3, 3, heads, heads), l >= 1
    exclusive.<l>.<m>.feed_norm.<gain|offset>     the second LN
    exclusive.<l>.<m>.feed.<hidden|output>.<kernel|bias>
    exclusive.<l>.weighting.<m>.<kernel|bias|score>
    agnostic.<n>.<m>.<mixed|coarse|fine.<p>>.<...>   one unit:
        <target_norm|source_norm|feed_norm>.<gain|offset>
        <query|key|value|output>.<kernel|bias>, feed.<hidden|output>.<...>
    encoder.exclusive.<m>.<hidden|output>.<kernel|bias>
    encoder.agnostic.<hidden|output>.<kernel|bias>
    discriminator.modality.<hidden|scores>.<kernel|bias>
    discriminator.importance.kernel               (d_h, M)
    graph.<exclusive|agnostic>.node.kernel        (d_h, d_h), W_e
    graph.<exclusive|agnostic>.edge.<kernel|bias>    (2 d_h, 1), Q: receiver,
                                                  then sender
    head.<hidden|output>.<kernel|bias>
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from tests.reference.mea_layers import Float64

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Config:
    """The network and its losses; the defaults are the paper's MOSI column.

    Attributes:
        modalities: names, in order.
        input_widths: D_m of each.
        kernel_sizes: taps of each convolution; None: 3 everywhere.
        width: d. latent: d_h. heads: K.
        exclusive_layers: predictive self-attention layers.
        agnostic_layers: hierarchical cross-modal attention layers.
        outputs: width of the prediction.
        task: "regression", "classification" or "binary_heads".
        mix: weight of the predicted attention map.
        mixing: "paper" (softmax of a softmax) or "logits".
        chain: "logits" or "mixed", what a layer hands on; None: no chain.
        self_attention: off: the exclusive sequences are the extractors'.
        weighting: "pooled", "full" or None.
        weighting_last_only: weigh after the last layer alone.
        steps: T_m of each modality, needed by weighting "full" alone.
        levels: of the cross-modal attention; () is the same as none at all.
        low_level_sources: sources of every layer are the extractors' outputs.
        exclusive, agnostic: whether the branch exists.
        disparity: "hsic", "cka", "orthogonal" or None.
        adversary: whether the discriminators exist.
        importance: whether D_i weighs the adversarial loss.
        bounded: both discriminators see LN(h).
        reversal: scale of the reversed gradient.
        fusion: "graph", "concat", "add" or "mul".
        self_loops: None: only for two modalities.
        pool: "mean" or "last".
        alpha: weight of the disparity. beta: weight of the adversary.
    """

    modalities: tuple[str, ...] = ("text", "audio", "video")
    input_widths: tuple[int, ...] = (300, 5, 20)
    kernel_sizes: tuple[int, ...] | None = None
    width: int = 40
    latent: int = 64
    heads: int = 8
    exclusive_layers: int = 3
    agnostic_layers: int = 2
    outputs: int = 1
    task: str = "regression"
    mix: float = 0.25
    mixing: str = "paper"
    chain: str | None = "logits"
    self_attention: bool = True
    weighting: str | None = "pooled"
    weighting_last_only: bool = False
    steps: tuple[int, ...] | None = None
    levels: tuple[str, ...] = ("mixed", "coarse", "fine")
    low_level_sources: bool = False
    exclusive: bool = True
    agnostic: bool = True
    disparity: str | None = "hsic"
    adversary: bool = True
    importance: bool = True
    bounded: bool = False
    reversal: float = 1.0
    fusion: str = "graph"
    self_loops: bool | None = None
    pool: str = "mean"
    alpha: float = 2e-2
    beta: float = 3e-2

    @property
    def branches(self) -> tuple[str, ...]:
        """The branches that exist, exclusive first."""
        flags = {"exclusive": self.exclusive, "agnostic": self.agnostic}
        return tuple(name for name, on in flags.items() if on)

    @property
    def loops(self) -> bool:
        """Whether graph nodes are their own neighbours."""
        if self.self_loops is None:
            return len(self.modalities) == 2
        return self.self_loops

    def weighs_after(self, layer: int) -> bool:
        """Whether the modalities are weighed after exclusive layer `layer`."""
        last = layer == self.exclusive_layers - 1
        return self.weighting is not None and (
            last or not self.weighting_last_only
        )


# The two named forms: as printed, and with a bounded adversary and a
# scale-free disparity.
FORMS: Mapping[str, Mapping[str, bool | str]] = {
    "paper": {"bounded": False, "disparity": "hsic"},
    "stable": {"bounded": True, "disparity": "cka"},
}


def weight_shapes(config: Config) -> dict[str, Shape]:
    """Name to shape of every trainable weight of `config`."""
    shapes: dict[str, Shape] = {}
    modalities, d = config.modalities, config.width
    for m, name in enumerate(modalities):
        taps = config.kernel_sizes[m] if config.kernel_sizes else 3
        unit = f"extractor.{name}."
        shapes[f"{unit}conv.kernel"] = (taps, config.input_widths[m], d)
        for direction in ("forward", "backward"):
            shapes[f"{unit}{direction}.kernel"] = (d, 2 * d)
            shapes[f"{unit}{direction}.recurrent"] = (d // 2, 2 * d)
            shapes[f"{unit}{direction}.bias"] = (2 * d,)
    if config.exclusive:
        shapes |= _exclusive_shapes(config)
    if config.agnostic:
        shapes |= _agnostic_shapes(config)
    if config.adversary:
        shapes |= _dense("discriminator.modality.hidden.", *[config.latent] * 2)
        shapes |= _dense(
            "discriminator.modality.scores.", config.latent, len(modalities)
        )
        if config.importance and config.agnostic:
            kernel = (config.latent, len(modalities))
            shapes["discriminator.importance.kernel"] = kernel
    fused = config.latent
    if config.fusion == "concat":
        fused *= len(modalities)
    for branch in config.branches:
        if config.fusion == "graph":
            node = (config.latent, config.latent)
            shapes[f"graph.{branch}.node.kernel"] = node
            shapes |= _dense(f"graph.{branch}.edge.", 2 * config.latent, 1)
    inputs = fused * len(config.branches)
    shapes |= _dense("head.hidden.", inputs, config.latent)
    shapes |= _dense("head.output.", config.latent, config.outputs)
    return shapes


def _exclusive_shapes(config: Config) -> dict[str, Shape]:
    shapes: dict[str, Shape] = {}
    layers = config.exclusive_layers if config.self_attention else 0
    for layer in range(layers):
        for m, name in enumerate(config.modalities):
            unit = f"exclusive.{layer}.{name}."
            shapes |= _attention(unit, config.width, ("norm",))
            if layer > 0 and config.chain is not None:
                heads = config.heads
                shapes[f"{unit}predict.kernel"] = (3, 3, heads, heads)
                shapes[f"{unit}predict.bias"] = (heads,)
            if config.weighs_after(layer):
                size = config.width
                if config.weighting == "full" and config.steps:
                    size *= config.steps[m]
                weighting = f"exclusive.{layer}.weighting.{name}."
                shapes |= _dense(weighting, size, size)
                shapes[f"{weighting}score"] = (size, 1)
    for name in config.modalities:
        shapes |= _encoder(f"encoder.exclusive.{name}.", config)
    return shapes


def _agnostic_shapes(config: Config) -> dict[str, Shape]:
    shapes: dict[str, Shape] = {}
    for layer in range(config.agnostic_layers):
        for name in config.modalities:
            units = [level for level in config.levels if level != "fine"]
            if "fine" in config.levels:
                others = [o for o in config.modalities if o != name]
                units += [f"fine.{other}" for other in others]
            for unit in units:
                shapes |= _attention(
                    f"agnostic.{layer}.{name}.{unit}.",
                    config.width,
                    ("target_norm", "source_norm"),
                )
    return shapes | _encoder("encoder.agnostic.", config)


def _attention(
    prefix: str, width: int, norms: tuple[str, ...]
) -> dict[str, Shape]:
    shapes: dict[str, Shape] = {}
    for norm in (*norms, "feed_norm"):
        shapes[f"{prefix}{norm}.gain"] = (width,)
        shapes[f"{prefix}{norm}.offset"] = (width,)
    for name in ("query", "key", "value", "output"):
        shapes |= _dense(f"{prefix}{name}.", width, width)
    shapes |= _dense(f"{prefix}feed.hidden.", width, 4 * width)
    return shapes | _dense(f"{prefix}feed.output.", 4 * width, width)


def _encoder(prefix: str, config: Config) -> dict[str, Shape]:
    hidden = _dense(f"{prefix}hidden.", config.width, config.latent)
    return hidden | _dense(f"{prefix}output.", config.latent, config.latent)


def _dense(prefix: str, inputs: int, outputs: int) -> dict[str, Shape]:
    return {f"{prefix}kernel": (inputs, outputs), f"{prefix}bias": (outputs,)}


def random_weights(config: Config, seed: int = 0) -> dict[str, Float64]:
    """Weights of the usual size, with noise on every bias and norm.

    Zero biases would hide mistakes at the padding, so none is zero.
    """
    generator = np.random.default_rng(seed)
    weights = {}
    for name, shape in weight_shapes(config).items():
        noise = generator.normal(size=shape)
        if len(shape) == 1:
            start = 1.0 if name.endswith(".gain") else 0.0
            weights[name] = start + 0.3 * noise
        else:
            weights[name] = noise / np.sqrt(np.prod(shape[:-1]))
    return weights
