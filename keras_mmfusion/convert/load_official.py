"""One entry point for all official state dicts."""

from collections.abc import Mapping
from typing import Any

from keras_mmfusion.convert import grjca, msaf
from keras_mmfusion.convert.official_weights import OfficialWeights, assign_all
from keras_mmfusion.layers import (
    GatedJointCrossAttention,
    JointCrossAttention,
    SplitAttentionFusion,
)
from keras_mmfusion.models import GRJCA, MSAF


def load_official(target: Any, state_dict: Mapping[str, Any]) -> list[str]:
    """Copies official PyTorch weights into a layer or model.

    Names are mapped, layouts transposed, and every entry is accounted for:
    nothing is assigned unless all names and shapes fit.

    Args:
        target: A built `SplitAttentionFusion`, `JointCrossAttention` or
            `GatedJointCrossAttention`, an `MSAF` of the published recurrent
            form, or a `GRJCA` of the published form.
        state_dict: Official name to NumPy array or PyTorch tensor.

    Returns:
        Names of entries that were skipped since they carry no weights.

    Raises:
        ValueError: If entries are missing, left over or of another shape, or
            there is no mapping for `target`.

    Example:

    ```python
    import keras_mmfusion as mmf

    layer = mmf.layers.SplitAttentionFusion(block_channels=16)
    layer.build([(None, 7, 32), (None, 5, 6, 64)])
    try:
        mmf.convert.load_official(layer, {"blocks.0.dense_group.0.bias": [0.0]})
    except ValueError as error:
        print(error)  # names what is missing
    ```
    """
    source = OfficialWeights(state_dict)
    if isinstance(target, SplitAttentionFusion):
        assignments = msaf.split_attention(target, source)
    elif isinstance(target, MSAF):
        assignments = msaf.recurrent_network(target, source)
    elif isinstance(target, JointCrossAttention):
        assignments = grjca.joint_cross_attention(target, source)
    elif isinstance(target, GatedJointCrossAttention):
        assignments = grjca.gated_joint_cross_attention(target, source)
    elif isinstance(target, GRJCA):
        assignments = grjca.network(target, source)
    else:
        raise ValueError(
            "Official weights exist for SplitAttentionFusion, MSAF, "
            "JointCrossAttention, GatedJointCrossAttention and GRJCA. "
            f"Received: {type(target).__name__}"
        )
    source.finish()
    assign_all(assignments)
    return source.skipped
