"""Unimodal networks, each a Keras model with named stages."""

from keras_mmfusion.encoders.dense_encoder import DenseEncoder
from keras_mmfusion.encoders.encoder import Encoder
from keras_mmfusion.encoders.lstm_encoder import LSTMEncoder
from keras_mmfusion.encoders.tcn_encoder import TCNEncoder

__all__ = ["DenseEncoder", "Encoder", "LSTMEncoder", "TCNEncoder"]
