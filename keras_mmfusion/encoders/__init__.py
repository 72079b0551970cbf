"""Unimodal networks, each a Keras model with named stages."""

from keras_mmfusion.encoders.chained_encoder import ChainedEncoder
from keras_mmfusion.encoders.dense_encoder import DenseEncoder
from keras_mmfusion.encoders.encoder import Encoder
from keras_mmfusion.encoders.hcn_encoder import HCNEncoder
from keras_mmfusion.encoders.i3d_encoder import I3DEncoder
from keras_mmfusion.encoders.ir_resnet_encoder import IRResNetEncoder
from keras_mmfusion.encoders.lstm_encoder import LSTMEncoder
from keras_mmfusion.encoders.mfcc_encoder import MFCCEncoder
from keras_mmfusion.encoders.resnext3d_encoder import ResNeXt3DEncoder
from keras_mmfusion.encoders.tcn_encoder import TCNEncoder
from keras_mmfusion.encoders.temporal_conv_encoder import TemporalConvEncoder
from keras_mmfusion.encoders.vggish_encoder import VGGishEncoder

__all__ = [
    "ChainedEncoder",
    "DenseEncoder",
    "Encoder",
    "HCNEncoder",
    "I3DEncoder",
    "IRResNetEncoder",
    "LSTMEncoder",
    "MFCCEncoder",
    "ResNeXt3DEncoder",
    "TCNEncoder",
    "TemporalConvEncoder",
    "VGGishEncoder",
]
