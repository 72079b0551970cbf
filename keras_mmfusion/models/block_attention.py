"""What the split attention of a built model looks at."""

from collections.abc import Mapping
from typing import Any

import keras


def attention_by_modality(
    model: Any, attention: Mapping[str, Any], x: Mapping[str, Any]
) -> dict[str, dict[str, Any]]:
    """Attention of every fusion, cut into the blocks of each modality.

    Args:
        model: A functional model with `SplitAttentionFusion` layers.
        attention: Layer name to the symbolic attention (B, S, N, C) it gives.
        x: Inputs as for `predict`.

    Returns:
        Layer name to modality to a float32 array (B, S, n, C).
    """
    # Without any fusion there is nothing to compute.
    if not attention:
        return {}
    outputs = keras.Model(model.inputs, dict(attention))
    values = outputs.predict(dict(x), verbose=0)
    result: dict[str, dict[str, Any]] = {}
    for name, weights in values.items():
        layer = model.get_layer(name)
        result[name], first = {}, 0
        for m, n in zip(layer.order, layer.blocks, strict=True):
            result[name][m] = weights[:, :, first : first + n]
            first += n
    return result
