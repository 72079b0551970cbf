"""Unimodal networks, each a Keras model with named stages."""

from keras_mmfusion.encoders.chained_encoder import ChainedEncoder
from keras_mmfusion.encoders.dense_encoder import DenseEncoder
from keras_mmfusion.encoders.encoder import Encoder
from keras_mmfusion.encoders.ir_resnet_encoder import IRResNetEncoder
from keras_mmfusion.encoders.lstm_encoder import LSTMEncoder
from keras_mmfusion.encoders.tcn_encoder import TCNEncoder
from keras_mmfusion.encoders.temporal_conv_encoder import TemporalConvEncoder
from keras_mmfusion.encoders.vggish_encoder import VGGishEncoder

__all__ = [
    "ChainedEncoder",
    "DenseEncoder",
    "Encoder",
    "IRResNetEncoder",
    "LSTMEncoder",
    "TCNEncoder",
    "TemporalConvEncoder",
    "VGGishEncoder",
]
