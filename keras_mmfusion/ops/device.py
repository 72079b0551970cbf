"""What computes; a place where code depends on the backend."""

import keras

from keras_mmfusion.types import Tensor


def on_cpu(x: Tensor) -> bool:
    """Whether `x` is computed by a processor, not by a GPU or a TPU."""
    if keras.backend.backend() == "torch":
        # Symbolic tensors have no device, or one called "meta".
        return getattr(x, "device", None) is None or x.device.type in (
            "cpu",
            "meta",
        )
    return keras.distribution.list_devices()[0].startswith("cpu")
