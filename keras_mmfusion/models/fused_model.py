"""A model made by `fuse`: what it gives beyond a Keras model."""

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import keras
import numpy as np

from keras_mmfusion.models.block_attention import attention_by_modality
from keras_mmfusion.models.modality_outputs import ModalityOutputs
from keras_mmfusion.types import Tensor

# Keras stores the weights of a model by position; this entry says which
# weight is meant at each.
_MANIFEST = "manifest"


# Known to Keras, not to our registry: a preset cannot name it, since its
# config would have to name the classes of foreign layers.
@keras.saving.register_keras_serializable("keras_mmfusion")
class FusedModel(ModalityOutputs):
    """Existing networks with split attention between their layers.

    Made by `fuse`, and by `keras.saving.load_model` from a `.keras` file.
    Inputs are checked as by all models here.

    `save_weights` and `load_weights` use Keras' `.weights.h5`. A file loads
    only into a model of the same modalities, taps and layers: names, shapes
    and order of all weights are compared, and nothing is assigned if they
    differ. Layers that Keras numbered (`dense_7`) are compared by their
    number within the stage.

    Args:
        inputs: Modality to symbolic input.
        outputs: Symbolic outputs.
        attention: Fusion to its symbolic attention.
        networks: Modality to original network.
        settings: The other arguments of `fuse`.
    """

    def __init__(
        self,
        inputs: Mapping[str, Tensor],
        outputs: Any,
        attention: Mapping[str, Tensor],
        networks: Mapping[str, Any],
        settings: Mapping[str, Any],
    ) -> None:
        super().__init__(
            inputs=dict(inputs), outputs=outputs, name=settings["name"]
        )
        # Not as a dict: Keras would count the networks as layers once more.
        self._networks = MappingProxyType(dict(networks))
        self._settings = MappingProxyType(dict(settings))
        self._attention = MappingProxyType(dict(attention))
        self.num_classes = settings["num_classes"]
        self.num_targets = settings["num_targets"]
        self.combine = settings["combine"]
        self._set_sample_shapes({m: x.shape[1:] for m, x in inputs.items()})
        if self._has_new_heads:
            self.compile()

    @property
    def networks(self) -> Mapping[str, Any]:
        """The original networks, which share their layers with this model."""
        return self._networks

    def explain(self, x: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
        """Attention of every fusion, by modality.

        Args:
            x: Inputs as for `predict`.

        Returns:
            Fusion name (`fusion1`, ...) to modality to a float32 array
            (B, S, n, C): weight of each segment, block of the modality, and
            channel of the block, as `MSAF.explain`.
        """
        self._check_arrays(x)
        return attention_by_modality(self, self._attention, x)

    def compile(
        self,
        optimizer: Any = "auto",
        loss: Any = "auto",
        *,
        metrics: Any = "auto",
        **kwargs: Any,
    ) -> None:
        if not self._has_new_heads:
            if loss == "auto":
                raise ValueError(
                    "What the networks' own outputs mean is not known here. "
                    "Pass the `loss` that they were trained with."
                )
            metrics = None if metrics == "auto" else metrics
        super().compile(optimizer, loss, metrics=metrics, **kwargs)

    def _check_labels(self, y: Any, size: int) -> None:
        # Labels of the networks' own outputs may be of any form.
        if self._has_new_heads:
            super()._check_labels(y, size)

    @property
    def _share_labels(self) -> bool:
        # The networks' own outputs may mean different things.
        return self._has_new_heads and super()._share_labels

    @property
    def _has_new_heads(self) -> bool:
        heads = ("num_classes", "num_targets")
        return any(self._settings[key] is not None for key in heads)

    # === Saving ===

    def get_config(self) -> dict[str, Any]:
        networks = {
            m: keras.saving.serialize_keras_object(network)
            for m, network in self._networks.items()
        }
        return {"networks": networks, **self._settings}

    @classmethod
    def from_config(
        cls, config: dict[str, Any], custom_objects: Any = None
    ) -> "FusedModel":
        from keras_mmfusion.models.fuse import fuse

        config = dict(config)
        networks = {
            m: keras.saving.deserialize_keras_object(network, custom_objects)
            for m, network in config.pop("networks").items()
        }
        return fuse(networks, **config)

    def save_to_preset(
        self, directory: str | Path, metadata: Mapping[str, Any] | None = None
    ) -> None:
        raise ValueError(
            "A preset holds layers of this library only, and a fused model "
            "holds those of other networks. Save it with `model.save(path)` "
            "as a .keras file, or its weights with `model.save_weights`."
        )

    def load_weights(self, filepath: Any, *args: Any, **kwargs: Any) -> None:
        before = self.get_weights()
        try:
            super().load_weights(filepath, *args, **kwargs)
        except Exception:
            # Keras assigns layer by layer and reports at the end.
            self.set_weights(before)
            raise

    def save_own_variables(self, store: Any) -> None:
        text = json.dumps([*_described_weights(self)])
        store[_MANIFEST] = np.frombuffer(text.encode(), "uint8")

    def load_own_variables(self, store: Any) -> None:
        if _MANIFEST not in list(store.keys()):
            raise ValueError(
                "These weights were not saved from a model made by `fuse`."
            )
        text = np.asarray(store[_MANIFEST]).tobytes().decode()
        saved, own = json.loads(text), [*_described_weights(self)]
        if saved == own:
            return
        missing = [name for name in own if name not in saved]
        unknown = [name for name in saved if name not in own]
        raise ValueError(
            "These weights belong to another fused model: the networks, the "
            "taps or the heads differ. Not in the file: "
            f"{missing[:3]} ({len(missing)} in all); not in the model: "
            f"{unknown[:3]} ({len(unknown)} in all)."
        )


def _described_weights(model: Any) -> Iterator[str]:
    """Stage, layer, name and shape of every weight, in Keras' order."""
    for part in model.layers:
        inner = part.layers if isinstance(part, keras.Model) else [part]
        for name, layer in zip(_stable_names(inner), inner, strict=True):
            for weight in layer.weights:
                shape = "x".join(map(str, weight.shape))
                yield f"{part.name}/{name}/{weight.name} {shape}"


def _stable_names(layers: list[Any]) -> list[str]:
    """Names of layers; those that Keras numbered are numbered from here."""
    counts: Counter[str] = Counter()
    names = []
    for layer in layers:
        base = re.sub(r"_\d+$", "", layer.name)
        spelled = base.replace("_", "")
        if spelled == type(layer).__name__.lower():
            counts[base] += 1
            names.append(f"{base}#{counts[base]}")
        else:
            names.append(layer.name)
    return names
