"""What several recipes train with."""

from collections.abc import Callable
from typing import Any

import keras
from keras import ops


def adamw(
    steps: int, weight_decay: float = 2e-2, warm: float = 0.1
) -> keras.optimizers.Optimizer:
    """AdamW whose rate rises to 3e-3, then falls along a cosine.

    Args:
        steps: Training steps in all.
        weight_decay: Of AdamW.
        warm: Share of the steps in which the rate rises.
    """
    rising = max(int(steps * warm), 1)
    rate = keras.optimizers.schedules.CosineDecay(
        3e-4, max(steps - rising, 1), warmup_target=3e-3, warmup_steps=rising
    )
    return keras.optimizers.AdamW(
        rate, weight_decay=weight_decay, global_clipnorm=1.0
    )


def smoothed(
    num_classes: int, smoothing: float = 0.1
) -> Callable[[Any, Any], Any]:
    """Cross-entropy with a share of the truth spread over all classes.

    Keras has it for one-hot labels alone.
    """

    def smoothed_cross_entropy(y: Any, logits: Any) -> Any:
        y = ops.cast(ops.reshape(y, (-1,)), "int32")
        return keras.losses.categorical_crossentropy(
            ops.one_hot(y, num_classes),
            logits,
            from_logits=True,
            label_smoothing=smoothing,
        )

    return smoothed_cross_entropy
