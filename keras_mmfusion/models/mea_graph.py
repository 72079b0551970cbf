"""The network of MEA, from inputs to prediction, as in the paper's Fig. 1."""

from collections.abc import Iterator
from itertools import count
from typing import Any

import keras
from keras import ops

from keras_mmfusion.layers import (
    BidirectionalLSTM,
    DecoupledGraphFusion,
    HierarchicalCrossModalAttention,
    MaskedAveragePooling,
    ModalityWeighting,
    PaddingMask,
    PredictiveSelfAttention,
    SinePositions,
)
from keras_mmfusion.layers.feed_forward import Perceptron, gelu
from keras_mmfusion.layers.last_valid_step import LastValidStep
from keras_mmfusion.layers.vector_fusion import VectorFusion
from keras_mmfusion.models.mea_settings import MEASettings

Tensors = dict[str, Any]


class MEAGraph:
    """Symbolic tensors of the network; dicts are by modality.

    Attributes:
        inputs: (B, T, D). masks: (B, T). present: (B,).
        low: sequences of the extractors, (B, T, width).
        latent: by branch: one vector per modality, (B, latent).
        fused: by branch: one vector.
        prediction: (B, outputs) or (B, binary_heads, 2).
    """

    def __init__(self, settings: MEASettings) -> None:
        s = self.settings = settings
        self.seeds: Iterator[int | None] = (
            None if s.seed is None else s.seed + 100 * i for i in count()
        )
        self.inputs = {
            m: keras.Input(s.shapes[m], name=m) for m in s.modalities
        }
        self.masks = {
            m: PaddingMask(name=f"{m}_mask")(x) for m, x in self.inputs.items()
        }
        self.present = {
            m: ops.any(mask, axis=1) for m, mask in self.masks.items()
        }
        self.low = {m: self._extract(m) for m in s.modalities}
        self.latent: dict[str, Tensors] = {}
        if s.exclusive:
            self.latent["exclusive"] = self._encode_each(self._exclusive())
        if s.agnostic:
            self.latent["agnostic"] = self._encode_shared(self._agnostic())
        self.fused = {b: self._fuse(b, h) for b, h in self.latent.items()}
        self.prediction = self._head()

    @property
    def representations(self) -> dict[str, Any]:
        """What the losses need."""
        return {
            "prediction": self.prediction,
            "latent": self.latent,
            "fused": self.fused,
            "present": self.present,
        }

    # === Extractors ===

    def _extract(self, m: str) -> Any:
        s = self.settings
        # The input is zero where it is padded: nothing to mask before this.
        x = keras.layers.Conv1D(
            s.width,
            s.kernel_size(m),
            padding="same",
            use_bias=False,
            data_format="channels_last",
            name=f"{m}_conv",
        )(self.inputs[m])
        x = SinePositions(name=f"{m}_positions")(x)
        x = keras.layers.Dropout(
            s.input_dropout, seed=next(self.seeds), name=f"{m}_drop"
        )(x)
        lstm = BidirectionalLSTM(s.width // 2, name=f"{m}_lstm")
        return lstm(x, mask=self.masks[m])

    # === Branches ===

    def _exclusive(self) -> Tensors:
        s = self.settings
        sequences = dict(self.low)
        maps: Tensors = dict.fromkeys(s.modalities)
        layers = s.exclusive_layers if s.self_attention else 0
        for i in range(layers):
            for m in s.modalities:
                attention = PredictiveSelfAttention(
                    s.num_heads,
                    mix=s.mix,
                    mixing=s.mixing,
                    chain=s.chain or "logits",
                    dropout=s.attention_dropout,
                    residual_dropout=s.residual_dropout,
                    seed=next(self.seeds),
                    name=f"exclusive{i}_{m}",
                )
                sequences[m], handed_on = attention(
                    sequences[m], previous=maps[m], mask=self.masks[m]
                )
                maps[m] = None if s.chain is None else handed_on
            if s.weighting is not None and s.weighs_after(i):
                weighting = ModalityWeighting(
                    s.weighting, s.modalities, name=f"exclusive{i}_weighting"
                )
                sequences, _ = weighting(sequences, mask=self.masks)
        return sequences

    def _agnostic(self) -> Tensors:
        s = self.settings
        sequences = dict(self.low)
        for i in range(s.agnostic_layers if s.levels else 0):
            attention = HierarchicalCrossModalAttention(
                s.num_heads,
                s.levels,
                dropout=s.attention_dropout,
                residual_dropout=s.residual_dropout,
                modalities=s.modalities,
                seed=next(self.seeds),
                name=f"agnostic{i}",
            )
            sources = self.low if s.low_level_sources else sequences
            sequences = attention(
                sequences, sources=dict(sources), mask=self.masks
            )
        return sequences

    def _encode_each(self, sequences: Tensors) -> Tensors:
        size = self.settings.latent
        return {
            m: Perceptron(size, size, name=f"{m}_exclusive_encoder")(x)
            for m, x in self._pool("exclusive", sequences).items()
        }

    def _encode_shared(self, sequences: Tensors) -> Tensors:
        size = self.settings.latent
        encoder = Perceptron(size, size, name="agnostic_encoder")
        pooled = self._pool("agnostic", sequences)
        return {m: encoder(x) for m, x in pooled.items()}

    def _pool(self, branch: str, sequences: Tensors) -> Tensors:
        mean = self.settings.pool == "mean"
        layer = MaskedAveragePooling if mean else LastValidStep
        return {
            m: layer(name=f"{m}_{branch}_pool")(
                sequences[m], mask=self.masks[m]
            )
            for m in self.settings.modalities
        }

    # === Fusion ===

    def _fuse(self, branch: str, latent: Tensors) -> Any:
        s = self.settings
        if s.fusion == "graph":
            fusion = DecoupledGraphFusion(
                s.latent, s.self_loops, s.modalities, name=f"{branch}_graph"
            )
        else:
            fusion = VectorFusion(
                s.fusion, s.modalities, name=f"{branch}_{s.fusion}"
            )
        return fusion(latent, mask=self.present)

    def _head(self) -> Any:
        s = self.settings
        x = next(iter(self.fused.values()))
        if len(self.fused) > 1:
            joined = keras.layers.Concatenate(name="features")
            x = joined([self.fused["exclusive"], self.fused["agnostic"]])
        x = keras.layers.Dense(s.latent, gelu, name="head_hidden")(x)
        x = keras.layers.Dropout(
            s.head_dropout, seed=next(self.seeds), name="head_drop"
        )(x)
        x = keras.layers.Dense(s.outputs, name="head")(x)
        if s.binary_heads is not None:
            shape = (s.binary_heads, 2)
            x = keras.layers.Reshape(shape, name="binary_heads")(x)
        return x
