"""The published networks."""

from keras_mmfusion.models.fuse import fuse
from keras_mmfusion.models.fused_model import FusedModel
from keras_mmfusion.models.fusion_model import FusionModel
from keras_mmfusion.models.grjca import GRJCA
from keras_mmfusion.models.grjca_stream import GRJCAStream
from keras_mmfusion.models.mea import MEA
from keras_mmfusion.models.msaf import MSAF
from keras_mmfusion.models.unimodal import copy_layers, unimodal

__all__ = [
    "GRJCA",
    "MEA",
    "MSAF",
    "FusedModel",
    "FusionModel",
    "GRJCAStream",
    "copy_layers",
    "fuse",
    "unimodal",
]
