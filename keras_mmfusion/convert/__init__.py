"""Official PyTorch weights in our layers and models."""

from keras_mmfusion.convert.checkpoint_preset import checkpoint_to_preset
from keras_mmfusion.convert.load_official import load_official

__all__ = ["checkpoint_to_preset", "load_official"]
