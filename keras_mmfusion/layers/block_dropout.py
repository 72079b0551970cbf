"""BlockDropout: whole channel blocks are dropped together (MSAF, sec. 3)."""

from typing import Any

import keras
from keras import ops

from keras_mmfusion.rates import dropout_rate
from keras_mmfusion.registry import register
from keras_mmfusion.types import Shape, Tensor


@register()
class BlockDropout(keras.layers.Layer):
    """Drops whole feature blocks of a sample and scales up the others.

    For every sample and block k one m_k is drawn: y_k = m_k x_k, with m_k = 0
    with probability `rate` and 1 / (1 - rate) otherwise. Nothing happens at
    inference.

    Args:
        rate: Probability in [0, 1) with which a block is dropped.
        seed: Integer seed, or `None`.

    Call arguments:
        inputs: Tensor of shape (B, N, ...): N blocks per sample.
        training: Whether to drop.

    Returns:
        Tensor of the shape of `inputs`.

    Raises:
        ValueError: If `rate` is outside [0, 1).

    Example:

    ```python
    import numpy as np
    import keras_mmfusion as mmf

    layer = mmf.layers.BlockDropout(0.5, seed=0)
    y = np.array(layer(np.ones((2, 6, 4), "float32"), training=True))
    assert set(np.unique(y)) <= {0.0, 2.0}  # blocks vanish as a whole
    assert (y == y[:, :, :1]).all()
    ```

    Reference:
        Su et al., MSAF, arXiv 2012.07175. The official code drops per sample
        since December 2020; the paper's own runs dropped the same blocks for
        the whole batch.
    """

    def __init__(
        self, rate: float, seed: int | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.rate = dropout_rate("rate", rate)
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)
        self.supports_masking = True
        self.built = True

    def call(self, inputs: Tensor, training: bool | None = None) -> Tensor:
        if not training or self.rate == 0:
            return inputs
        shape = ops.shape(inputs)
        per_block = shape[:2] + (1,) * (len(shape) - 2)
        keep = keras.random.dropout(
            ops.ones(per_block, dtype=inputs.dtype),
            self.rate,
            seed=self.seed_generator,
        )
        return inputs * keep

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "rate": self.rate, "seed": self.seed}
