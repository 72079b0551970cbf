"""The network of MEA, from inputs to prediction, as in the paper's Fig. 1."""

from collections.abc import Mapping
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
from keras_mmfusion.layers.uniform_dropout import UniformDropout
from keras_mmfusion.layers.vector_fusion import VectorFusion
from keras_mmfusion.models.mea_settings import MEASettings
from keras_mmfusion.registry import register_inner
from keras_mmfusion.seeds import part_seed

Tensors = dict[str, Any]


ATTENDING = (
    PredictiveSelfAttention,
    HierarchicalCrossModalAttention,
    DecoupledGraphFusion,
)


@register_inner
class WithAttention(keras.layers.Layer):
    """Calls a layer that there is with `return_attention`.

    A layer of its own, because Keras takes it that all calls of a layer have
    as many outputs as the first.
    """

    def __init__(self, layer: keras.layers.Layer) -> None:
        super().__init__(name=f"{layer.name}_seen", dtype=layer.dtype_policy)
        self.layer = layer
        self.supports_masking = True
        self.built = True

    def compute_mask(self, *arguments: Any, **named: Any) -> None:
        return None

    def call(self, *arguments: Any, **named: Any) -> Any:
        return self.layer(*arguments, return_attention=True, **named)

    def compute_output_spec(self, *arguments: Any, **named: Any) -> Any:
        return self.layer.compute_output_spec(
            *arguments, return_attention=True, **named
        )

    def get_config(self) -> dict[str, Any]:
        return {"layer": keras.saving.serialize_keras_object(self.layer)}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "WithAttention":
        return cls(keras.saving.deserialize_keras_object(config["layer"]))


class MEAGraph:
    """Symbolic tensors of the network; dicts are by modality.

    Attributes:
        inputs: (B, T, D). masks: (B, T). present: (B,).
        low: sequences of the extractors, (B, T, width).
        latent: by branch: one vector per modality, (B, latent).
        fused: by branch: one vector.
        prediction: (B, outputs) or (B, binary_heads, 2).
        seen: what `MEA.explain` shows, if `layers` are given.

    Args:
        settings: What to build.
        layers: The layers of a model with these settings, by name, to be
            called again, this time also for what they attended to.
    """

    def __init__(
        self,
        settings: MEASettings,
        layers: Mapping[str, keras.layers.Layer] | None = None,
    ) -> None:
        s = self.settings = settings
        self.layers = layers
        self.explaining = layers is not None
        self.seen: dict[str, dict[str, Any]] = {}
        self.inputs = {
            m: keras.Input(s.shapes[m], name=m) for m in s.modalities
        }
        self.masks = {
            m: self._layer(PaddingMask, name=f"{m}_mask")(x)
            for m, x in self.inputs.items()
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

    def _layer(
        self, kind: Any, *arguments: Any, name: str, **named: Any
    ) -> Any:
        """A new layer, or the one of the model that is explained."""
        if self.layers is None:
            return kind(*arguments, name=name, **named)
        layer = self.layers[name]
        return WithAttention(layer) if kind in ATTENDING else layer

    def _show(self, kind: str, layer: str, name: str, value: Any) -> None:
        self.seen.setdefault(kind, {}).setdefault(layer, {})[name] = value

    # === Extractors ===

    def _extract(self, m: str) -> Any:
        s = self.settings
        # The input is zero where it is padded: nothing to mask before this.
        x = self._layer(
            keras.layers.Conv1D,
            s.width,
            s.kernel_size(m),
            padding="same",
            use_bias=False,
            data_format="channels_last",
            name=f"{m}_conv",
        )(self.inputs[m])
        x = self._layer(SinePositions, name=f"{m}_positions")(x)
        x = self._layer(
            UniformDropout,
            s.input_dropout,
            seed=part_seed(s.seed, f"{m}_drop"),
            name=f"{m}_drop",
        )(x)
        lstm = self._layer(BidirectionalLSTM, s.width // 2, name=f"{m}_lstm")
        return lstm(x, mask=self.masks[m])

    # === Branches ===

    def _exclusive(self) -> Tensors:
        s = self.settings
        sequences = dict(self.low)
        maps: Tensors = dict.fromkeys(s.modalities)
        layers = s.exclusive_layers if s.self_attention else 0
        for i in range(layers):
            for m in s.modalities:
                attention = self._layer(
                    PredictiveSelfAttention,
                    s.num_heads,
                    mix=s.mix,
                    mixing=s.mixing,
                    chain=s.chain or "logits",
                    dropout=s.attention_dropout,
                    residual_dropout=s.residual_dropout,
                    seed=part_seed(s.seed, f"exclusive{i}_{m}"),
                    name=f"exclusive{i}_{m}",
                )
                sequences[m], handed_on, *seen = attention(
                    sequences[m],
                    previous=maps[m],
                    mask=self.masks[m],
                )
                maps[m] = None if s.chain is None else handed_on
                for found in seen:
                    self._show("self_attention", f"layer{i + 1}", m, found)
            if s.weighting is not None and s.weighs_after(i):
                weighting = self._layer(
                    ModalityWeighting,
                    s.weighting,
                    s.modalities,
                    name=f"exclusive{i}_weighting",
                )
                sequences, psi = weighting(sequences, mask=self.masks)
                for k, m in enumerate(s.modalities):
                    self._show("weights", f"layer{i + 1}", m, psi[:, k])
        return sequences

    def _agnostic(self) -> Tensors:
        s = self.settings
        sequences = dict(self.low)
        for i in range(s.agnostic_layers if s.levels else 0):
            attention = self._layer(
                HierarchicalCrossModalAttention,
                s.num_heads,
                s.levels,
                dropout=s.attention_dropout,
                residual_dropout=s.residual_dropout,
                modalities=s.modalities,
                seed=part_seed(s.seed, f"agnostic{i}"),
                name=f"agnostic{i}",
            )
            sources = self.low if s.low_level_sources else sequences
            found = attention(
                sequences,
                sources=dict(sources),
                mask=self.masks,
            )
            sequences = found[0] if self.explaining else found
            for unit, seen in found[1].items() if self.explaining else ():
                self._show("cross_attention", f"layer{i + 1}", unit, seen)
        return sequences

    def _encode_each(self, sequences: Tensors) -> Tensors:
        size = self.settings.latent
        return {
            m: self._layer(
                Perceptron, size, size, name=f"{m}_exclusive_encoder"
            )(x)
            for m, x in self._pool("exclusive", sequences).items()
        }

    def _encode_shared(self, sequences: Tensors) -> Tensors:
        size = self.settings.latent
        encoder = self._layer(Perceptron, size, size, name="agnostic_encoder")
        pooled = self._pool("agnostic", sequences)
        return {m: encoder(x) for m, x in pooled.items()}

    def _pool(self, branch: str, sequences: Tensors) -> Tensors:
        mean = self.settings.pool == "mean"
        layer = MaskedAveragePooling if mean else LastValidStep
        return {
            m: self._layer(layer, name=f"{m}_{branch}_pool")(
                sequences[m], mask=self.masks[m]
            )
            for m in self.settings.modalities
        }

    # === Fusion ===

    def _fuse(self, branch: str, latent: Tensors) -> Any:
        s = self.settings
        if s.fusion != "graph":
            fusion = self._layer(
                VectorFusion,
                s.fusion,
                s.modalities,
                name=f"{branch}_{s.fusion}",
            )
            return fusion(latent, mask=self.present)
        fusion = self._layer(
            DecoupledGraphFusion,
            s.latent,
            s.self_loops,
            s.modalities,
            name=f"{branch}_graph",
        )
        found = fusion(latent, mask=self.present)
        if not self.explaining:
            return found
        self.seen.setdefault("graph", {})[branch] = found[1]
        return found[0]

    def _head(self) -> Any:
        s = self.settings
        x = next(iter(self.fused.values()))
        if len(self.fused) > 1:
            joined = self._layer(keras.layers.Concatenate, name="features")
            x = joined([self.fused["exclusive"], self.fused["agnostic"]])
        x = self._layer(keras.layers.Dense, s.latent, gelu, name="head_hidden")(
            x
        )
        x = self._layer(
            keras.layers.Dropout,
            s.head_dropout,
            seed=part_seed(s.seed, "head_drop"),
            name="head_drop",
        )(x)
        # A bfloat16 output would have steps of 1/128.
        x = self._layer(
            keras.layers.Dense, s.outputs, dtype="float32", name="head"
        )(x)
        if s.binary_heads is not None:
            shape = (s.binary_heads, 2)
            x = self._layer(
                keras.layers.Reshape,
                shape,
                dtype="float32",
                name="binary_heads",
            )(x)
        return x
