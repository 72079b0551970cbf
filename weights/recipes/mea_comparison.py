"""What MEA is compared with: its ablations, and networks of its extractors.

The others have the extractors, the pooling and the head of MEA: a
convolution, sine positions, dropout, a bidirectional LSTM, the mean over
time, a perceptron per modality; two dense layers read what is fused.
"""

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import keras
import numpy as np

from keras_mmfusion.data import Split
from keras_mmfusion.evaluation import Result, comparison_in_words
from keras_mmfusion.evaluation.training import input_modalities, restricted
from keras_mmfusion.layers import (
    BidirectionalLSTM,
    MaskedAveragePooling,
    ModalityReinforcement,
    PaddingMask,
    SinePositions,
)
from keras_mmfusion.layers.feed_forward import Perceptron, gelu
from keras_mmfusion.models import MEA

PAPER = (
    "Asynchronous Multimodal Video Sequence Fusion via Learning "
    "Modality-Exclusive and -Agnostic Representations, arXiv 2407.04955"
)

# Every row of the paper's Table V, and what is asked beside it.
ABLATIONS: dict[str, dict[str, Any]] = {
    "no adversary": {"adversary": False},
    "no cross-attention": {"levels": ()},
    "no self-attention": {"self_attention": False},
    "fusion by concat": {"fusion": "concat"},
    "no predicted maps": {"chain": None},
    "mixing of logits": {"mixing": "logits"},
    "no disparity": {"disparity": None},
    "no exclusive branch": {"exclusive": False},
    "no agnostic branch": {"agnostic": False},
    "no weighting": {"weighting": None},
    "no importance": {"importance": False},
    "fusion by add": {"fusion": "add"},
    "fusion by mul": {"fusion": "mul"},
    "no fine level": {"levels": ("mixed", "coarse")},
    "no mixed level": {"levels": ("coarse", "fine")},
    "no coarse level": {"levels": ("mixed", "fine")},
    "orthogonal disparity": {"disparity": "orthogonal"},
}
# For cards.
ORTHOGONAL_NOTE = (
    "\n- The orthogonal disparity has the weight that was chosen for the "
    "others, though it grows with the number of samples in a batch, about 1 "
    "for each, where they do not: its result is one of that weight, too."
)
# As printed, and bounded.
FORMS: dict[str, dict[str, Any]] = {
    "stable": {"form": "stable", "mixing": "paper"},
    "paper": {"form": "paper", "mixing": "paper"},
}
# What has to earn its cost, as the ablations without it.
PARTS = {
    "self-attention": "no self-attention",
    "prediction of its maps": "no predicted maps",
    "hierarchical attention": "no cross-attention",
    "the adversary": "no adversary",
    "graph fusion": "fusion by concat",
}


Build = Callable[[int], Any]


class Extractors(NamedTuple):
    """What all networks of a comparison share.

    Attributes:
        features: Modality to the width of its input.
        width: Channels of all sequences.
        latent: Width of the vectors.
        num_classes: Number of classes.
        dropout: Rate in front of the LSTMs; MEA's default.
        head_dropout: Rate in the head; MEA's default.
    """

    features: Mapping[str, int]
    width: int
    latent: int
    num_classes: int
    dropout: float = 0.2
    head_dropout: float = 0.2

    @property
    def shapes(self) -> dict[str, tuple[int | None, int]]:
        return {m: (None, size) for m, size in self.features.items()}


Steps = tuple[Any, Any]  # Steps (B, T, width) and their mask (B, T).


def extract(e: Extractors, m: str, x: Any, seed: int) -> Steps:
    mask = PaddingMask(name=f"{m}_mask")(x)
    steps = keras.layers.Conv1D(
        e.width, 3, padding="same", use_bias=False, name=f"{m}_conv"
    )(x)
    steps = SinePositions(name=f"{m}_positions")(steps)
    steps = keras.layers.Dropout(e.dropout, seed=seed, name=f"{m}_drop")(steps)
    lstm = BidirectionalLSTM(e.width // 2, name=f"{m}_lstm")
    return lstm(steps, mask=mask), mask


def vector(e: Extractors, m: str, sequence: Steps) -> Any:
    steps, mask = sequence
    pooled = MaskedAveragePooling(name=f"{m}_pool")(steps, mask=mask)
    return Perceptron(e.latent, e.latent, name=f"{m}_encoder")(pooled)


def head(e: Extractors, inputs: Any, vectors: list[Any], seed: int) -> Any:
    x = vectors[0]
    if len(vectors) > 1:
        x = keras.layers.Concatenate(name="features")(vectors)
    x = keras.layers.Dense(e.latent, gelu, name="head_hidden")(x)
    x = keras.layers.Dropout(e.head_dropout, seed=seed, name="head_drop")(x)
    logits = keras.layers.Dense(e.num_classes, name="head")(x)
    return keras.Model(inputs, logits)


def concatenation(e: Extractors, seed: int, modalities: list[str]) -> Any:
    """Vectors side by side; of one modality, its network alone."""
    inputs = {m: keras.Input(e.shapes[m], name=m) for m in modalities}
    vectors = [
        vector(e, m, extract(e, m, x, seed + i))
        for i, (m, x) in enumerate(inputs.items())
    ]
    return head(e, inputs, vectors, seed)


def cross_modal_transformer(
    e: Extractors, seed: int, layers: int, num_heads: int
) -> Any:
    """After MulT (Tsai et al., ACL 2019), with this library's layers.

    Every modality attends to each of the others in a stack of its own, whose
    sources are the extractors' outputs in all layers. What a target found is
    joined and attends to itself once.
    """
    inputs = {m: keras.Input(shape, name=m) for m, shape in e.shapes.items()}
    low = {
        m: extract(e, m, x, seed + i) for i, (m, x) in enumerate(inputs.items())
    }

    def attend(name: str, target: Steps, source: Steps) -> Steps:
        layer = ModalityReinforcement(
            num_heads, residual_dropout=0.1, seed=seed, name=name
        )
        steps = layer(
            target[0],
            source=source[0],
            target_mask=target[1],
            source_mask=source[1],
        )
        return steps, target[1]

    vectors = []
    for t, own in low.items():
        streams = []
        for s, source in low.items():
            stream = own
            for i in range(layers if s != t else 0):
                stream = attend(f"{t}_from_{s}{i}", stream, source)
            streams += [stream[0]] * (s != t)
        joined = keras.layers.Concatenate(name=f"{t}_streams")(streams)
        found = attend(f"{t}_memory", (joined, own[1]), (joined, own[1]))
        vectors.append(vector(e, t, found))
    return head(e, inputs, vectors, seed)


def networks(
    e: Extractors,
    network: Mapping[str, Any],
    chosen: str,
    compiled: Callable[[Any], Any],
    names: Iterable[str],
) -> dict[str, Build]:
    """Networks of a comparison by name: "mea" is MEA as it was chosen.

    Args:
        e: What they share.
        network: Arguments of `MEA` beside the extractors'.
        chosen: Key of `FORMS`.
        compiled: Compiles a model and returns it.
        names: Which ones, in order: "mea", another form, an ablation,
            "concatenation", "cross-modal transformer", a modality alone.
    """

    def mea(seed: int, changes: Mapping[str, Any]) -> Any:
        arguments = {**network, **FORMS[chosen], **changes}
        model = MEA(
            e.shapes,
            num_classes=e.num_classes,
            width=e.width,
            latent=e.latent,
            input_dropout=e.dropout,
            head_dropout=e.head_dropout,
            seed=seed,
            **arguments,
        )
        return compiled(model)

    def floor(seed: int, modalities: list[str]) -> Any:
        return compiled(concatenation(e, seed, modalities))

    def transformer(seed: int) -> Any:
        return compiled(
            cross_modal_transformer(e, seed, 2, network["num_heads"])
        )

    every = {
        "mea": partial(mea, changes={}),
        **{k: partial(mea, changes=form) for k, form in FORMS.items()},
        "concatenation": partial(floor, modalities=list(e.features)),
        **{m: partial(floor, modalities=[m]) for m in e.features},
        "cross-modal transformer": transformer,
        **{k: partial(mea, changes=c) for k, c in ABLATIONS.items()},
    }
    return {name: reused(every[name]) for name in names}


def reused(build: Build) -> Build:
    """A build whose model is compiled for the first seed only.

    JAX compiles this network for most of a minute, longer than it trains. So
    later seeds write the values of a new model, with its optimizer's and its
    random numbers', into the first: it is the new one to the last bit.
    """
    kept: list[Any] = []

    def again(seed: int) -> Any:
        model = build(seed)
        if not kept:
            kept.append(model)
        for mine, new in zip(_state(kept[0]), _state(model), strict=True):
            mine.assign(new)
        return kept[0]

    return again


def _state(model: Any) -> list[Any]:
    """All variables but those of metrics, which an epoch resets."""
    model.optimizer.build(model.trainable_variables)
    metrics = {id(v) for v in model.metrics_variables}
    own = [v for v in model.variables if id(v) not in metrics]
    return own + list(model.optimizer.variables)


# === What came out ===


def step_seconds(
    builds: Mapping[str, Build], split: Split, batch: int, rounds: int = 3
) -> dict[str, float]:
    """Process seconds of a training step of each network, least of rounds.

    Of ablations, only of those that tell what a part costs. Rounds alternate
    between the networks, because the machine may be busy. The first epoch, in
    which a backend may compile, does not count.
    """
    few = split.subset(range(len(split) // batch * batch)[: 10 * batch])
    timed = set(builds) - set(ABLATIONS) | set(PARTS.values())
    models = {k: build(0) for k, build in builds.items() if k in timed}
    found = dict.fromkeys(models, np.inf)
    for counted in [False] + [True] * rounds:
        for name, model in models.items():
            names = input_modalities(model, few.modalities)
            batches = restricted(few, names).batches(batch, buckets=1)
            start = time.process_time()
            model.fit(batches, verbose=0, shuffle=False)
            spent = (time.process_time() - start) / len(batches)
            if counted:
                found[name] = min(found[name], spent)
    return found


def floors_in_words(result: Result) -> str:
    """`comparison_in_words` without the ablations."""
    floors = [test for test in result.paired if test[0] not in ABLATIONS]
    return comparison_in_words(replace(result, paired=floors))


def steps_note(result: Result, seconds: Mapping[str, float]) -> str:
    """Time of a training step of each network, for a card."""
    first, whole = next(iter(seconds.items()))
    ratios = "; ".join(f"{name} {s / whole:.2f}" for name, s in seconds.items())
    backend = result.environment["backend"]
    return (
        f"\n- A training step took {whole:.3f} s of process time on one core "
        f"of a busy machine ({first}, {backend}). Relative to "
        f"that: {ratios}."
    )


def verdict(result: Result) -> str:
    """Whether each part earns its cost: is the network worse without it?"""
    tests = {name: test for name, _, test in result.paired}
    said = []
    for part, row in PARTS.items():
        if row in tests:
            t = tests[row]
            outcome = (
                "earns its cost"
                if t.high < 0
                else "does harm"
                if t.low > 0
                else "is not shown to earn its cost"
            )
            said.append(
                f"{part} {outcome} ({row} {t.difference:+.4f} "
                f"[{t.low:+.4f}, {t.high:+.4f}])"
            )
    return "; ".join(said)


def spread_note(result: Result) -> str:
    """Whether the prediction uses both branches, on the validation split."""
    found = {
        branch: np.array(
            [
                one.history[f"val_{branch}_spread"][one.epoch - 1]
                for one in result.first.runs
            ]
        )
        for branch in ("exclusive", "agnostic")
    }
    numbers = "; ".join(
        f"{k} {v.min():.3f} to {v.max():.3f}" for k, v in found.items()
    )
    alive = all(v.min() > 0.01 for v in found.values())
    return (
        f"\n- Spread of the branches' fused vectors over the seeds: {numbers}; "
        + ("both are in use." if alive else "below 0.01 a branch is dead.")
    )
