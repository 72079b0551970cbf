"""What layers that see a sequence part by part carry on."""

from keras import ops

from keras_mmfusion.types import Tensor


def last_steps(past: Tensor, x: Tensor) -> Tensor:
    """As many of the last steps of both as `past` has."""
    steps = past.shape[1]
    return ops.concatenate([past, x], axis=1)[:, -steps:] if steps else past
