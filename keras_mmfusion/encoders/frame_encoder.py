"""Image networks that read every time step of a clip on its own."""

from typing import Any

import keras
from keras import ops

from keras_mmfusion.encoders.encoder import Encoder
from keras_mmfusion.types import Shape, Tensor


class FrameLayer(keras.layers.Layer):
    """Runs `run_frames` on all time steps of all samples at once.

    A subclass builds its children in `build_frames` from the shape of the
    frames, and gives their shape after it in `frame_output_shape`.

    Call arguments:
        inputs: Float tensor of shape (B, T, ...).
        mask: Boolean tensor (B, T). Masked frames are left out of the
            statistics of batch normalisation.
        training: Whether to drop and use batch statistics.

    Returns:
        Float tensor of shape (B, T, ...).
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True

    def build(self, input_shape: Shape) -> None:
        self.build_frames((None, *input_shape[2:]))
        self.built = True

    def build_frames(self, shape: Shape) -> None:
        """Builds all children for frames (N, ...)."""
        raise NotImplementedError

    def run_frames(
        self, x: Tensor, mask: Tensor | None, training: bool | None
    ) -> Tensor:
        """Frames (N, ...) with the mask (N,) that training needs."""
        raise NotImplementedError

    def frame_output_shape(self, shape: Shape) -> Shape:
        """The shape of what becomes of frames of shape (N, ...)."""
        raise NotImplementedError

    def call(
        self,
        inputs: Tensor,
        mask: Tensor | None = None,
        training: bool | None = None,
    ) -> Tensor:
        batch, steps = ops.shape(inputs)[:2]
        frames = ops.reshape(inputs, (-1, *inputs.shape[2:]))
        valid = None
        if training and mask is not None:
            valid = ops.reshape(mask, (-1,))
        y = self.run_frames(frames, valid, training)
        return ops.reshape(y, (batch, steps, *y.shape[1:]))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        frame = self.frame_output_shape((None, *input_shape[2:]))
        return (*input_shape[:2], *frame[1:])


class FrameEncoder(Encoder):
    """An encoder made of `FrameLayer`s; no step depends on another."""

    causal = True

    def initial_state(self, batch_size: int) -> dict[str, Any]:
        """What `stream` knows before the first step: there is nothing."""
        return {}

    def stream(
        self, x: Tensor, state: Any, mask: Tensor | None = None
    ) -> tuple[Tensor, dict[str, Any]]:
        """The outputs of the next steps, and the empty state after them."""
        for stage in self.stages.values():
            x = stage(x, mask=mask, training=False)
        return x, {}
