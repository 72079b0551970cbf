"""The published networks."""

from keras_mmfusion.models.fusion_model import FusionModel
from keras_mmfusion.models.grjca import GRJCA
from keras_mmfusion.models.grjca_stream import GRJCAStream
from keras_mmfusion.models.mea import MEA
from keras_mmfusion.models.msaf import MSAF

__all__ = ["GRJCA", "MEA", "MSAF", "FusionModel", "GRJCAStream"]
