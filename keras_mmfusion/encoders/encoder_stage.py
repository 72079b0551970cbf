"""What the stages of encoders that change the time axis have in common."""

from typing import Any

import keras


class EncoderStage(keras.layers.Layer):
    """A layer that is given its mask and leaves none on its output.

    Keras weighs the loss by a mask that an output carries, which has the
    steps of the encoder's input.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> None:
        return None
