"""Identity forward, reversed gradient backward."""

from typing import Any

import keras
from keras import ops

from keras_mmfusion.registry import register
from keras_mmfusion.types import Shape, Tensor


@register()
class GradientReversal(keras.layers.Layer):
    """Leaves values as they are and multiplies their gradient by -λ.

    What is trained behind the layer learns to tell something apart; what is
    in front learns to hide it. With f = stop_gradient(x),

        y = f - λ (x - f)

    so that y is exactly x. With `ramp_steps`, λ grows over the training steps
    as scale (2 / (1 + exp(-10 p)) - 1), p = min(step / ramp_steps, 1).

    Args:
        scale: λ at the end.
        ramp_steps: Training steps until then; 0 for λ = `scale` from the
            start. The steps are counted in the layer and saved with it.

    Call arguments:
        inputs: Float tensor of any shape, finite.
        training: Whether to reverse; without it the layer is the identity.

    Returns:
        The inputs.

    Raises:
        ValueError: If `scale` or `ramp_steps` is negative.

    Example:

    ```python
    import numpy as np
    import keras_mmfusion as mmf

    layer = mmf.layers.GradientReversal(scale=0.5)
    x = np.ones((2, 3), "float32")
    assert (np.array(layer(x)) == x).all()
    ```

    Reference:
        Ganin and Lempitsky, Unsupervised Domain Adaptation by
        Backpropagation, arXiv 1409.7495.
    """

    def __init__(
        self, scale: float = 1.0, ramp_steps: int = 0, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        for name, value in (("scale", scale), ("ramp_steps", ramp_steps)):
            if value < 0:
                raise ValueError(
                    f"`{name}` must be at least 0. Received: {name}={value}"
                )
        self.scale = scale
        self.ramp_steps = ramp_steps
        self.supports_masking = True

    def build(self, input_shape: Shape) -> None:
        if self.ramp_steps:
            self.step = self.add_weight(
                name="step",
                shape=(),
                dtype="int32",
                initializer="zeros",
                trainable=False,
            )
        self.built = True

    def call(self, inputs: Tensor, training: bool | None = None) -> Tensor:
        if not training:
            return inputs
        fixed = ops.stop_gradient(inputs)
        return fixed - self._strength(inputs.dtype) * (inputs - fixed)

    def _strength(self, dtype: Any) -> Any:
        """λ of this step; the step is counted."""
        if not self.ramp_steps:
            return self.scale
        p = ops.minimum(ops.cast(self.step, "float32") / self.ramp_steps, 1.0)
        self.step.assign(self.step + 1)
        ramp = 2.0 / (1.0 + ops.exp(-10.0 * p)) - 1.0
        return ops.cast(self.scale * ramp, dtype)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "scale": self.scale,
            "ramp_steps": self.ramp_steps,
        }
