"""The published building blocks, one file per named idea."""

from keras_mmfusion.layers.bidirectional_lstm import BidirectionalLSTM
from keras_mmfusion.layers.block_dropout import BlockDropout
from keras_mmfusion.layers.causal_temporal_convolution import (
    CausalTemporalConvolution,
)
from keras_mmfusion.layers.decoupled_graph_fusion import DecoupledGraphFusion
from keras_mmfusion.layers.gated_joint_cross_attention import (
    GatedJointCrossAttention,
)
from keras_mmfusion.layers.gradient_reversal import GradientReversal
from keras_mmfusion.layers.hierarchical_cross_modal_attention import (
    HierarchicalCrossModalAttention,
)
from keras_mmfusion.layers.joint_cross_attention import JointCrossAttention
from keras_mmfusion.layers.lstm import LSTM
from keras_mmfusion.layers.masked_average_pooling import MaskedAveragePooling
from keras_mmfusion.layers.masked_dense import MaskedDense
from keras_mmfusion.layers.masked_statistics_pooling import (
    MaskedStatisticsPooling,
)
from keras_mmfusion.layers.modality_reinforcement import ModalityReinforcement
from keras_mmfusion.layers.modality_weighting import ModalityWeighting
from keras_mmfusion.layers.padding_mask import PaddingMask
from keras_mmfusion.layers.predictive_self_attention import (
    PredictiveSelfAttention,
)
from keras_mmfusion.layers.resample_time import ResampleTime
from keras_mmfusion.layers.sine_positions import SinePositions
from keras_mmfusion.layers.split_attention_fusion import SplitAttentionFusion

__all__ = [
    "LSTM",
    "BidirectionalLSTM",
    "BlockDropout",
    "CausalTemporalConvolution",
    "DecoupledGraphFusion",
    "GatedJointCrossAttention",
    "GradientReversal",
    "HierarchicalCrossModalAttention",
    "JointCrossAttention",
    "MaskedAveragePooling",
    "MaskedDense",
    "MaskedStatisticsPooling",
    "ModalityReinforcement",
    "ModalityWeighting",
    "PaddingMask",
    "PredictiveSelfAttention",
    "ResampleTime",
    "SinePositions",
    "SplitAttentionFusion",
]
