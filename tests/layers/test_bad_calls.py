"""Ranks and batch sizes that would broadcast to a wrong number."""

import keras
import numpy as np
import pytest

from keras_mmfusion import layers

pytestmark = pytest.mark.once

ONE, THREE = np.ones((1, 6, 8), "float32"), np.ones((3, 6, 8), "float32")


@pytest.mark.parametrize(
    "layer",
    [
        layers.BidirectionalLSTM(4),
        layers.CausalTemporalConvolution(4),
        layers.LSTM(4),
        layers.MaskedAveragePooling(),
        layers.MaskedStatisticsPooling(),
        layers.SinePositions(),
    ],
    ids=lambda layer: type(layer).__name__,
)
def test_what_reads_sequences_takes_no_vectors(layer):
    with pytest.raises(ValueError, match="expected ndim=3, found ndim=2"):
        layer(keras.KerasTensor((3, 3)))


def test_a_graph_fuses_vectors():
    layer = layers.DecoupledGraphFusion(4)
    with pytest.raises(ValueError, match="must be vectors"):
        layer.build({"a": (2, 2, 5), "b": (2, 2, 5)})


@pytest.mark.parametrize(
    "layer",
    [
        layers.ResampleTime(4),
        layers.SplitAttentionFusion(4),
        layers.JointCrossAttention(temporal_mixing="none"),
        layers.HierarchicalCrossModalAttention(2),
        layers.ModalityWeighting(),
    ],
    ids=lambda layer: type(layer).__name__,
)
def test_modalities_hold_the_same_samples(layer):
    with pytest.raises(ValueError, match=r"batch sizes: {'a': 3, 'b': 1}"):
        layer({"a": THREE, "b": ONE})


def test_source_and_target_hold_the_same_samples():
    layer = layers.ModalityReinforcement(2)
    with pytest.raises(ValueError, match="'target': 3, 'source': 1"):
        layer(THREE, ONE)
