"""One entry point for all official state dicts."""

import os
from collections.abc import Mapping
from typing import Any

from keras_mmfusion.convert import grjca, msaf
from keras_mmfusion.convert.checkpoint_file import read_weights
from keras_mmfusion.convert.networks import (
    NETWORKS,
    network_of_model,
    network_of_names,
)
from keras_mmfusion.convert.official_network import OfficialNetwork
from keras_mmfusion.convert.official_weights import (
    Assignments,
    OfficialWeights,
    assign_all,
)
from keras_mmfusion.layers import (
    GatedJointCrossAttention,
    JointCrossAttention,
    SplitAttentionFusion,
)
from keras_mmfusion.models.fusion_model import FusionModel


def load_official(
    target: Any, weights: Mapping[str, Any] | str | os.PathLike[str]
) -> list[str]:
    """Copies official PyTorch weights into a layer or model.

    Names are mapped, layouts transposed, and every entry is accounted for:
    nothing is assigned unless all names and shapes fit.

    Args:
        target: A built `SplitAttentionFusion`, `JointCrossAttention` or
            `GatedJointCrossAttention`, an `MSAF` of a published form, or a
            `GRJCA` of the published form.
        weights: Path of an official checkpoint (`.pth`, `.pt`,
            `.checkpoint`), which needs PyTorch and runs nothing in the file;
            or a dict of official name to NumPy array or PyTorch tensor. The
            state dict may lie beside epoch and optimizer, and its names may
            begin with `module.`.

    Returns:
        Names of entries that were skipped since they carry no weights.

    Raises:
        ValueError: If the file cannot be read, the weights are of another
            network, entries are missing, left over or of another shape, or
            there is no mapping for `target`.

    Example:

    ```python
    import keras_mmfusion as mmf

    layer = mmf.layers.SplitAttentionFusion(block_channels=16)
    layer.build([(None, 7, 32), (None, 5, 6, 64)])
    try:
        mmf.convert.load_official(layer, {"blocks.0.dense_group.0.bias": [0.0]})
    except ValueError as error:
        print(error)  # names what is wrong
    ```
    """
    source = OfficialWeights(read_weights(weights))
    assignments = _read(target, source)
    source.finish()
    assign_all(assignments)
    return source.skipped


def _read(target: Any, source: OfficialWeights) -> Assignments:
    found = network_of_names(source.names())
    if isinstance(target, FusionModel):
        network = network_of_model(target)
        if network is None or (found is not None and found != network):
            raise _other_network(target, network, found)
        return network.read(target, source)
    if found is not None:
        raise _other_network(target, None, found)
    if isinstance(target, SplitAttentionFusion):
        return msaf.split_attention(target, source)
    if isinstance(target, JointCrossAttention):
        return grjca.joint_cross_attention(target, source)
    if isinstance(target, GatedJointCrossAttention):
        return grjca.gated_joint_cross_attention(target, source)
    raise ValueError(
        "Official weights exist for SplitAttentionFusion, "
        "JointCrossAttention, GatedJointCrossAttention, and for the models "
        f"of {_presets()}. Received: {type(target).__name__}"
    )


def _other_network(
    target: Any, network: OfficialNetwork | None, found: OfficialNetwork | None
) -> ValueError:
    """The error for weights of one network and a target of another."""
    form = f"the form of '{network.preset}'" if network else "no published form"
    text = f"Received: {type(target).__name__}, a layer."
    if isinstance(target, FusionModel):
        text = f"Received: {type(target).__name__} of {form}, with encoders "
        kinds = {m: type(e).__name__ for m, e in _encoders(target).items()}
        text += f"{kinds}."
    if found is None:
        return ValueError(
            "Official weights of whole networks fit models of the form of "
            f"{_presets()}. {text}"
        )
    return ValueError(
        f"These are the weights of {found.name}. They fit "
        f"models.FusionModel.from_preset('{found.preset}', "
        f"load_weights=False). {text}"
    )


def _encoders(model: Any) -> dict[str, Any]:
    return dict(getattr(model, "encoders", {}))


def _presets() -> str:
    return ", ".join(f"'{network.preset}'" for network in NETWORKS)
