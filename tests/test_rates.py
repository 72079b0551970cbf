"""Dropout rates: the same range for all that takes one."""

import inspect

import pytest

from keras_mmfusion import encoders, evaluation, layers, models
from keras_mmfusion.models import fuse
from keras_mmfusion.rates import dropout_rate
from tests import test_every_layer, test_every_model
from tests.models.test_fuse import TAPS, audio_network, image_network

pytestmark = pytest.mark.once("torch")

BAD = [1, 1.0, 1.5, -0.1, float("nan"), None, "0.1"]
SHAPES = {"left": (None, 5), "right": (None, 5)}
NOT_RATES = ("official_dropout",)
TAKERS = {
    "DenseEncoder": lambda **a: encoders.DenseEncoder(3, 4, name="m", **a),
    "HCNEncoder": lambda **a: encoders.HCNEncoder(steps=8, features=4, **a),
    "I3DEncoder": encoders.I3DEncoder,
    "IRResNetEncoder": encoders.IRResNetEncoder,
    "LSTMEncoder": lambda **a: encoders.LSTMEncoder(3, 4, name="m", **a),
    "MFCCEncoder": encoders.MFCCEncoder,
    "TCNEncoder": lambda **a: encoders.TCNEncoder(3, [4], name="m", **a),
    "TemporalConvEncoder": lambda **a: encoders.TemporalConvEncoder(
        3, [4], name="m", **a
    ),
}


def rates(taker):
    """Arguments that are rates of dropout."""
    names = inspect.signature(taker).parameters
    return [
        name
        for name in names
        if ("dropout" in name and name not in NOT_RATES) or name == "rate"
    ]


def made_like(case):
    made = case()
    return lambda **a: type(made)(**{**made.get_config(), **a})


def cases():
    for name in layers.__all__:
        for argument in rates(getattr(layers, name)):
            case = test_every_layer.CASES[name][0]
            yield f"layers.{name}", argument, made_like(case)
    for name in encoders.__all__:
        for argument in rates(getattr(encoders, name)):
            yield f"encoders.{name}", argument, TAKERS[name]
    for name in test_every_model.CLASSES:
        cls, case = getattr(models, name), test_every_model.CASES[name]
        for argument in rates(cls):
            yield f"models.{name}", argument, made_like(case)
        for argument in rates(getattr(cls, "from_shapes", lambda: 0)):
            yield f"{name}.from_shapes", argument, made_from_shapes(cls)
    for argument in rates(fuse):
        yield "models.fuse", argument, fused
    for argument in rates(evaluation.baselines):
        yield "evaluation.baselines", argument, baselines


def made_from_shapes(cls):
    return lambda **a: cls.from_shapes(SHAPES, num_classes=2, **a)


def fused(**arguments):
    networks = {"image": image_network(), "audio": audio_network()}
    return fuse(networks, TAPS, block_channels=4, **arguments)


def baselines(**arguments):
    return evaluation.baselines(SHAPES, num_classes=2, **arguments)


@pytest.mark.parametrize(
    ("argument", "make"),
    [pytest.param(a, make, id=f"{n}.{a}") for n, a, make in cases()],
)
def test_a_rate_of_one_or_more_is_refused(argument, make):
    several = argument == "dropouts"
    for rate in (1, -0.1):
        given = [0.2, rate] if several else rate
        with pytest.raises(ValueError, match=r"a number in \[0, 1\)") as error:
            make(**{argument: given})
        assert f"{rate!r}" in str(error.value)


@pytest.mark.parametrize("rate", BAD)
def test_only_numbers_from_0_to_below_1_are_rates(rate):
    with pytest.raises(ValueError, match=r"`drop` .* \[0, 1\)") as error:
        dropout_rate("drop", rate)
    assert f"drop={rate!r}" in str(error.value)


@pytest.mark.parametrize("rate", [0, 0.0, 0.999])
def test_all_other_rates_are_taken(rate):
    assert dropout_rate("drop", rate) == rate
