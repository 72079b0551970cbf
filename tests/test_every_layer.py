"""What holds for every public layer; a new layer fails until it has a case."""

import json

import keras
import numpy as np
import pytest

from keras_mmfusion import layers
from tests.backend import call, copied_weights, numpy_of

SEQUENCE = np.random.default_rng(0).normal(size=(3, 6, 8)).astype("float32")
TWO = {"a": SEQUENCE, "b": SEQUENCE[..., :6] + 1}

VECTORS = {k: v[:, 0, :6] for k, v in TWO.items()}
ALIKE = {"a": SEQUENCE, "b": SEQUENCE[:, :4] + 1}

CASES = {
    "BidirectionalLSTM": (lambda: layers.BidirectionalLSTM(4), SEQUENCE),
    "DecoupledGraphFusion": (lambda: layers.DecoupledGraphFusion(5), VECTORS),
    "HierarchicalCrossModalAttention": (
        lambda: layers.HierarchicalCrossModalAttention(2, dropout=0.1, seed=0),
        ALIKE,
    ),
    "MaskedAveragePooling": (layers.MaskedAveragePooling, SEQUENCE),
    "ModalityReinforcement": (
        lambda: layers.ModalityReinforcement(2, dropout=0.1, seed=0),
        SEQUENCE,
    ),
    "ModalityWeighting": (layers.ModalityWeighting, TWO),
    "PredictiveSelfAttention": (
        lambda: layers.PredictiveSelfAttention(2, dropout=0.1, seed=0),
        SEQUENCE,
    ),
    "SinePositions": (layers.SinePositions, SEQUENCE),
    "LSTM": (lambda: layers.LSTM(4, dropout=0.1), SEQUENCE),
    "BlockDropout": (lambda: layers.BlockDropout(0.5, seed=0), SEQUENCE),
    "CausalTemporalConvolution": (
        lambda: layers.CausalTemporalConvolution(4, dilation=2),
        SEQUENCE,
    ),
    "GatedJointCrossAttention": (
        lambda: layers.GatedJointCrossAttention(gate="hierarchical", seed=0),
        TWO,
    ),
    "GradientReversal": (
        lambda: layers.GradientReversal(0.5, ramp_steps=10),
        SEQUENCE,
    ),
    "JointCrossAttention": (
        lambda: layers.JointCrossAttention(temporal_mixing="conv", causal=True),
        TWO,
    ),
    "MaskedDense": (lambda: layers.MaskedDense(4, "relu", 0.1), SEQUENCE),
    "MaskedStatisticsPooling": (layers.MaskedStatisticsPooling, SEQUENCE),
    "PaddingMask": (layers.PaddingMask, SEQUENCE),
    "ResampleTime": (lambda: layers.ResampleTime(4), TWO),
    "SplitAttentionFusion": (
        lambda: layers.SplitAttentionFusion(4, segments=2, block_dropout=0.2),
        TWO,
    ),
}


@pytest.fixture(params=layers.__all__)
def case(request):
    if request.param not in CASES:
        pytest.fail(f"Add layers.{request.param} to CASES in {__file__}.")
    return CASES[request.param]


def shapes(inputs):
    return keras.tree.map_structure(lambda x: x.shape, inputs)


def values(outputs):
    return [numpy_of(y) for y in keras.tree.flatten(outputs)]


def test_config_is_plain_json_and_round_trips(case):
    layer = case[0]()
    config = json.loads(json.dumps(layer.get_config()))
    assert type(layer).from_config(config).get_config() == config


def test_one_seed_gives_every_weight_values_of_its_own(case):
    make, inputs = case
    config = make().get_config()
    if "seed" in config:
        layer = type(make()).from_config({**config, "seed": 3})
        layer(inputs)
        assert not copied_weights(layer.trainable_weights)


def test_build_alone_creates_all_weights(case):
    make, inputs = case
    layer = make()
    if not layer.built:
        layer.build(shapes(inputs))
    before = len(layer.weights)
    assert all(child.built for child in layer._flatten_layers())
    mode = {"training": True} if layer._call_has_training_arg else {}
    call(layer, inputs, **mode)
    assert len(layer.weights) == before


def test_a_twin_with_the_same_weights_is_the_same_function(case):
    make, inputs = case
    layer, twin = make(), make()
    first = values(layer(inputs))
    twin(inputs)
    twin.set_weights(layer.get_weights())
    for a, b in zip(first, values(twin(inputs)), strict=True):
        np.testing.assert_array_equal(a, b)


def test_symbolic_shapes_are_the_real_ones(case):
    make, inputs = case
    symbolic = make()(
        keras.tree.map_structure(
            lambda x: keras.Input(x.shape[1:], batch_size=len(x)), inputs
        )
    )
    real = make()(inputs)
    for s, r in zip(
        keras.tree.flatten(symbolic), keras.tree.flatten(real), strict=True
    ):
        assert tuple(s.shape) == tuple(r.shape)
        assert s.dtype == keras.backend.standardize_dtype(r.dtype)


def test_bfloat16_is_finite(case):
    make, inputs = case
    config = {**make().get_config(), "dtype": "mixed_bfloat16"}
    outputs = call(type(make()).from_config(config), inputs)
    for y in keras.tree.flatten(outputs):
        y = numpy_of(keras.ops.cast(y, "float32"))
        assert np.isfinite(y).all()
