"""A model made by `fuse`: what it gives beyond a Keras model."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import keras

from keras_mmfusion.models.block_attention import attention_by_modality
from keras_mmfusion.models.modality_outputs import ModalityOutputs
from keras_mmfusion.models.shared_layers import (
    share_layers,
    shared_layers,
    without_shared_ids,
)
from keras_mmfusion.models.weight_manifest import MANIFEST
from keras_mmfusion.types import Tensor


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

    A `.keras` file keeps which layers, or nested models, the networks share.
    `save` refuses networks that share weights only inside different layers,
    such as one layer in two `TimeDistributed`.

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

    def _track_variables(self) -> None:
        """Tells PyTorch of every variable; Keras names them by their paths.

        Two networks may have a layer of the same name each. Keras would leave
        one of them out, and its gradients would add up from step to step.
        """
        parameters: dict[str, Any] = {}
        for variable in self.variables:
            name = variable.path
            while name in parameters:
                name += "'"
            parameters[name] = variable.value
        self._torch_params = torch.nn.ParameterDict(parameters)

    # === Saving ===

    def save(self, filepath: Any, *args: Any, **kwargs: Any) -> None:
        shared_layers(self._networks)  # Raises before Keras opens the file.
        super().save(filepath, *args, **kwargs)

    def get_config(self) -> dict[str, Any]:
        networks = {
            m: without_shared_ids(keras.saving.serialize_keras_object(network))
            for m, network in self._networks.items()
        }
        shared = shared_layers(self._networks)
        settings = {**self._settings, "name": self.name}
        return {"networks": networks, "shared": shared, **settings}

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
        # Files of earlier versions do not have the entry.
        shared = config.pop("shared", [])
        return fuse(share_layers(networks, shared), **config)

    def save_to_preset(
        self, directory: str | Path, metadata: Mapping[str, Any] | None = None
    ) -> None:
        raise ValueError(
            "A preset holds layers of this library only, and a fused model "
            "holds those of other networks. Save it with `model.save(path)` "
            "as a .keras file, or its weights with `model.save_weights`."
        )

    def load_own_variables(self, store: Any) -> None:
        if MANIFEST not in list(store.keys()):
            raise ValueError(
                "These weights were not saved from a model made by `fuse`."
            )
        super().load_own_variables(store)


if keras.backend.backend() == "torch":
    import torch
