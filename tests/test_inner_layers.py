"""A `.keras` file of any model that is made of our layers can be loaded."""

import importlib
import pkgutil

import keras
import numpy as np
import pytest

import keras_mmfusion
from keras_mmfusion import encoders, models, registry
from keras_mmfusion.models.mea_explain import _graph
from tests.backend import call, numpy_of
from tests.models.test_fuse import fused_images
from tests.test_every_model import CASES, SEQUENCES

# Classes that no file has to name, and why.
BASES = {  # Only subclasses of them are made.
    "encoder.Encoder",
    "encoder_stage.EncoderStage",
    "frame_encoder.FrameEncoder",
    "frame_encoder.FrameLayer",
    "fusion_model.FusionModel",
    "missing_modality._Unmasked",
    "modality_outputs.ModalityOutputs",
}
MADE_BY_THEIR_LAYER = {  # Inside another layer, whose config makes them.
    "feed_forward.FeedForward",
    "hcn_encoder.JointNetwork",
    "i3d_encoder.ConvolutionUnit",
    "ir_resnet_encoder.Block",
    "padded_conv3d.PaddedConv3D",
    "resnext3d_encoder.Block",
    "resnext3d_encoder.PointConv",
    "temporal_mixing.TemporalMixing",
}
IN_NO_GRAPH = {  # A model's own `call` or training step runs them.
    "grjca_stream._Advance",
    "mea_objective.MEAObjective",
}
ENCODERS = {
    "ChainedEncoder": lambda e: e.ChainedEncoder(
        [e.VGGishEncoder((8, 8), [[4], [8]], [16], 5), e.TCNEncoder(5, [4])]
    ),
    "DenseEncoder": lambda e: e.DenseEncoder(3, [6, 4], batch_norm=True),
    "HCNEncoder": lambda e: e.HCNEncoder(5, steps=8, features=4),
    "I3DEncoder": lambda e: e.I3DEncoder(9, width=1 / 16),
    "IRResNetEncoder": lambda e: e.IRResNetEncoder(
        5, blocks=[1, 2], widths=[2, 3], features=4
    ),
    "LSTMEncoder": lambda e: e.LSTMEncoder(3, 4, dropout=0.1),
    "MFCCEncoder": lambda e: e.MFCCEncoder(3, 24, channels=[4, 5, 6]),
    "ResNeXt3DEncoder": lambda e: e.ResNeXt3DEncoder(
        9, blocks=[1, 2], widths=[4, 8], groups=2, stem_width=3
    ),
    "TCNEncoder": lambda e: e.TCNEncoder(3, [4, 6]),
    "TemporalConvEncoder": lambda e: e.TemporalConvEncoder(
        3, [4, 6], strides=[2, 1], pooling="statistics"
    ),
    "VGGishEncoder": lambda e: e.VGGishEncoder((8, 8), [[4], [8]], [16], 5),
}
ENCODER_NAMES = [n for n in encoders.__all__ if n != "Encoder"]
MODELS = {
    **CASES,
    "MEA of few parts": lambda: models.MEA(
        SEQUENCES,
        width=4,
        latent=4,
        num_heads=2,
        exclusive_layers=1,
        agnostic_layers=1,
        chain=None,
        fusion="mul",
        pool="last",
        binary_heads=2,
    ),
    "GRJCA on a grid": lambda: models.GRJCA.from_shapes(
        SEQUENCES, channels=[4], resample="left", hidden_units=4
    ),
    "fuse": lambda: fused_images(num_classes=3),
}


def own_classes(*kinds):
    """Classes of the package of these kinds, by `<module>.<name>`."""
    found = {}
    for info in pkgutil.walk_packages(
        keras_mmfusion.__path__, "keras_mmfusion."
    ):
        if info.name.endswith("__main__"):
            continue
        for value in vars(importlib.import_module(info.name)).values():
            if isinstance(value, type) and issubclass(value, kinds):
                module = value.__module__
                if module == info.name:
                    name = f"{module.rpartition('.')[2]}.{value.__name__}"
                    found[name] = value
    return found


def test_keras_knows_every_layer_and_initializer():
    exempt = BASES | MADE_BY_THEIR_LAYER | IN_NO_GRAPH
    known = own_classes(keras.layers.Layer, keras.initializers.Initializer)
    assert exempt <= set(known)
    for name, cls in known.items():
        registered = keras.saving.get_registered_name(cls)
        found = keras.saving.get_registered_object(registered)
        if name in exempt:
            assert found is None, f"{name} is registered; it needs no excuse."
        else:
            assert found is cls, f"Decorate {name} with `register_inner`."
            assert registered.startswith("keras_mmfusion>")


def inputs_of(model):
    """Some values for every symbolic input, in its structure."""
    rng = np.random.default_rng(0)
    return keras.tree.map_structure(
        lambda x: rng.normal(size=[3, *(n or 12 for n in x.shape[1:])]).astype(
            "float32"
        ),
        model.input,
    )


def before_the_last(model):
    """What the last layer reads in this model's own graph."""
    last, call, _ = model.outputs[0]._keras_history
    return last._inbound_nodes[call].input_tensors[0]


def check_extractor(model, folder):
    """A plain model of features and outputs, so with every layer in it."""
    features = before_the_last(model)
    extractor = keras.Model(
        model.input, {"features": features, "outputs": model.output}
    )
    check_file(extractor, inputs_of(model), folder)


def check_file(model, x, folder):
    """The file gives the same layers, and the same outputs."""
    model.save(folder / "extractor.keras")
    again = keras.saving.load_model(folder / "extractor.keras")
    expected, found = call(model, x), call(again, x)
    for a, b in zip(
        keras.tree.flatten(expected), keras.tree.flatten(found), strict=True
    ):
        np.testing.assert_array_equal(numpy_of(a), numpy_of(b))
    mine = {type(layer) for layer in model._flatten_layers()}
    assert mine == {type(layer) for layer in again._flatten_layers()}


@pytest.mark.parametrize("name", MODELS)
def test_a_feature_extractor_of_a_model_round_trips(name, tmp_path):
    check_extractor(MODELS[name](), tmp_path)


@pytest.mark.parametrize("name", ENCODER_NAMES)
def test_a_feature_extractor_of_an_encoder_round_trips(name, tmp_path):
    if name not in ENCODERS:
        pytest.fail(f"Add encoders.{name} to ENCODERS in {__file__}.")
    check_extractor(ENCODERS[name](encoders), tmp_path)


@pytest.mark.once("torch")
@pytest.mark.parametrize("name", ["MSAF", "fuse"])
def test_a_feature_extractor_keeps_half_precision(name, tmp_path):
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = MODELS[name]()
    finally:
        keras.config.set_dtype_policy("float32")
    check_extractor(model, tmp_path)


@pytest.mark.once("torch")
def test_what_mea_attended_to_round_trips(tmp_path):
    model = CASES["MEA"]()
    check_file(_graph(model, True), inputs_of(model), tmp_path)


@pytest.mark.once
def test_presets_cannot_name_inner_layers():
    inner = own_classes(keras.layers.Layer).items()
    inner = {k: v for k, v in inner if v not in registry.registered().values()}
    assert "tcn_encoder.TemporalBlock" in inner
    for name, cls in inner.items():
        for spelled in (name, cls.__name__):
            with pytest.raises(ValueError, match="Unknown class name"):
                registry.lookup(spelled)
