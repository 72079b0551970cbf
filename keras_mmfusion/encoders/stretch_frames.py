"""Frames of a skeleton, and their differences, on a fixed time grid."""

from typing import Any

import numpy as np
from keras import ops

from keras_mmfusion.encoders.encoder_stage import EncoderStage
from keras_mmfusion.registry import register_inner
from keras_mmfusion.types import Shape, Tensor


@register_inner
class StretchFrames(EncoderStage):
    """The n valid frames of a sample as N, by linear interpolation.

    Frame s is x at position (s + 1/2) n / N - 1/2, but at least 0 and at most
    n - 1: the centres of the frames' spans lie as they did. N frames stay.
    """

    def __init__(self, steps: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.steps = steps

    def build(self, input_shape: Shape) -> None:
        self.built = True

    def call(
        self,
        inputs: Tensor,
        mask: Tensor | None = None,
        training: bool | None = None,
    ) -> Tensor:
        if mask is None:
            mask = ops.ones(ops.shape(inputs)[:2], dtype="bool")
        valid = ops.cast(mask, "float32")
        n = ops.sum(valid, axis=1)[:, None]
        s = ops.arange(self.steps, dtype="float32")
        last = ops.maximum(n - 1, 0)
        position = ops.clip((s + 0.5) * n / self.steps - 0.5, 0, last)
        frame = ops.cumsum(valid, axis=1) - 1
        distance = ops.abs(position[:, :, None] - frame[:, None, :])
        weight = ops.maximum(1 - distance, 0) * valid[:, None, :]
        weight = ops.cast(weight, inputs.dtype)
        return ops.einsum("bst,btpjc->bspjc", weight, inputs)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return (input_shape[0], self.steps, *input_shape[2:])


def motion_matrix(steps: int) -> np.ndarray:
    """(T, T) of frames to their differences, stretched from T - 1 to T.

    Row s is the difference at position (s + 1/2) (T - 1) / T - 1/2 between
    the whole ones, by linear interpolation, held at both ends.
    """
    difference = np.eye(steps)[1:] - np.eye(steps)[:-1]
    position = (np.arange(steps) + 0.5) * (steps - 1) / steps - 0.5
    position = np.clip(position, 0, steps - 2)
    distance = np.abs(position[:, None] - np.arange(steps - 1))
    weight = np.maximum(1 - distance, 0)
    return (weight @ difference).astype("float32")
