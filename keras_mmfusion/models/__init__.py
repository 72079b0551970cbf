"""The published networks."""

from keras_mmfusion.models.fusion_model import FusionModel
from keras_mmfusion.models.msaf import MSAF

__all__ = ["MSAF", "FusionModel"]
