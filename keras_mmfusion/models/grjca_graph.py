"""Parts of GRJCA's graph: one time grid for all modalities, and the head."""

from collections.abc import Mapping
from typing import Any

from keras import ops

from keras_mmfusion.encoders import Encoder
from keras_mmfusion.layers import PaddingMask, ResampleTime
from keras_mmfusion.models.arguments import output_size
from keras_mmfusion.models.sequence_head import SequenceHead
from keras_mmfusion.types import Tensor


def encode(
    encoders: Mapping[str, Encoder],
    inputs: Mapping[str, Any],
    resample: str | int | None,
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Runs the encoders and brings what they give onto one time grid.

    Args:
        encoders: Modality to its encoder. Without `resample` each keeps the
            steps of its input; with it, it may shorten time or give one
            vector, which is held over the grid.
        inputs: Modality to its input.
        resample: See `GRJCA`. A single modality keeps its own steps.

    Returns:
        Modality to features (B, T, C), and modality to their masks (B, T).

    Raises:
        ValueError: If an encoder gives no sequence that fits.
    """
    features, masks = {}, {}
    for m, encoder in encoders.items():
        if m == resample and len(encoder.output.shape) == 2:
            raise ValueError(
                "`resample` names the modality whose steps become the time "
                f"grid. Received: '{m}', whose encoder gives one vector"
            )
        features[m], masks[m] = _sequence(m, encoder, inputs[m], resample)
    if resample is None or len(encoders) == 1:
        return features, masks
    fixed = resample if isinstance(resample, int) else None
    layer = ResampleTime(
        fixed,
        resample if fixed is None else None,
        modalities=list(encoders),
        name="resample",
    )
    resampled, masks = layer(features, mask=masks, return_mask=True)
    return resampled, masks


def _sequence(
    m: str, encoder: Encoder, inputs: Any, resample: str | int | None
) -> tuple[Tensor, Tensor]:
    """What an encoder gives as a sequence, and its mask."""
    mask = PaddingMask(name=f"{m}_mask")(inputs)
    features = encoder.run(inputs, mask, None, None)
    if resample is not None and len(features.shape) == 2:
        if len(mask.shape) == 2:
            mask = ops.any(mask, axis=1)
        # One step, which `ResampleTime` holds over the whole grid.
        return features[:, None], mask[:, None]
    steps = inputs.shape[1] if len(inputs.shape) > 2 else None
    if len(features.shape) == 3 and resample is not None:
        return features, encoder.mask_after(list(encoder.stages)[-1], mask)
    if len(features.shape) != 3 or features.shape[1] not in (steps, None):
        raise ValueError(
            "GRJCA needs encoders that give a sequence with as many steps as "
            "their input, or `resample`, which brings shorter ones and "
            f"vectors onto one time grid. Received for '{m}': output of shape "
            f"{tuple(features.shape)} for input {tuple(inputs.shape)}"
        )
    return features, mask


def make_head(
    num_classes: int | None,
    num_targets: int,
    output_range: float | None,
    hidden_units: int,
    per_step: bool,
) -> SequenceHead:
    """The head of a `GRJCA` of these arguments; logits have no bound."""
    size = output_size(num_classes, num_targets)
    bound = output_range if num_classes is None else None
    return SequenceHead(hidden_units, size, bound, per_step, name="head")


def grid_steps(
    encoders: Mapping[str, Encoder],
    resample: str | int | None,
    lengths: Mapping[str, int],
) -> int:
    """Steps of the time grid for padded inputs of these lengths."""
    if isinstance(resample, int):
        return resample
    m = next(iter(encoders)) if resample is None else resample
    stride: int = getattr([*encoders[m].stages.values()][-1], "time_stride", 1)
    return -(-lengths[m] // stride)
