"""What every unimodal network is: a Keras model cut into named stages."""

from collections.abc import Mapping
from typing import Any

import keras

from keras_mmfusion.layers.padding_mask import PaddingMask
from keras_mmfusion.ops.masking import strided_mask
from keras_mmfusion.types import Shape, Tensor


class Encoder(keras.Model):
    """A unimodal network that can be cut between its stages.

    A stage is a layer called as `stage(x, mask=mask)`, with the length mask of
    the input. The encoder alone runs them one after the other; a fusion model
    runs the same layers and fuses in between.

    Args:
        shape: Shape of one sample: (T or `None`, ..., C), or (C,).
        stages: Stage name to layer, in order. Each layer is named
            `<name>_<stage>`, so that weights of twin encoders differ by name.
        name: Name of the encoder; in a fusion model, of the modality.

    Attributes:
        axes: What the axes of one sample count, for messages; may be empty.

    Example:

    ```python
    import numpy as np
    import keras_mmfusion as mmf

    stages = {
        name: mmf.layers.MaskedDense(8, "relu", name=f"audio_{name}")
        for name in ("low", "high")
    }
    encoder = mmf.encoders.Encoder((None, 3), stages, name="audio")
    print(encoder.predict(np.ones((2, 5, 3)), verbose=0).shape)  # (2, 5, 8)
    ```
    """

    axes: tuple[str, ...] = ()

    def __init__(
        self,
        shape: Shape,
        stages: Mapping[str, keras.layers.Layer],
        name: str,
        **kwargs: Any,
    ) -> None:
        inputs = keras.Input(shape, name=name)
        mask = PaddingMask(name=f"{name}_mask")(inputs)
        outputs = inputs
        for stage in stages.values():
            outputs = stage(outputs, mask=mask)
        super().__init__(inputs=inputs, outputs=outputs, name=name, **kwargs)
        self.sample_shape = tuple(shape)
        self.stages = dict(stages)

    def run(
        self, x: Tensor, mask: Tensor, after: str | None, until: str | None
    ) -> Tensor:
        """Runs the stages behind `after` up to and including `until`.

        Args:
            x: What stage `after` returned, or the input if it is `None`.
            mask: Length mask of the encoder's input.
            after: Last stage that has run, or `None`.
            until: Stage to stop after, or `None` for the last.
        """
        names = list(self.stages)
        first = 0 if after is None else names.index(after) + 1
        last = len(names) if until is None else names.index(until) + 1
        for name in names[first:last]:
            x = self.stages[name](x, mask=mask)
        return x

    def mask_after(self, stage: str, mask: Tensor) -> Tensor:
        """The mask of what a stage gives, from that of the encoder's input.

        A stage that shortens time says by how much in all, from the input of
        the encoder on, as `time_stride`.
        """
        return strided_mask(mask, getattr(self.stages[stage], "time_stride", 1))

    @classmethod
    def from_config(
        cls, config: dict[str, Any], custom_objects: Any = None
    ) -> "Encoder":
        return cls(**config)
