"""Modalities that are called like a layer of the model."""

import keras
import pytest

from keras_mmfusion import evaluation, models

pytestmark = pytest.mark.once("torch")


def shapes(name):
    return {"left": (None, 5), name: (None, 5)}


def mea(name):
    sizes = {"width": 4, "latent": 4, "num_heads": 2}
    return models.MEA(shapes(name), num_classes=2, **sizes)


def msaf(combine):
    def make(name):
        model = models.MSAF.from_shapes(
            shapes(name), num_classes=2, units=4, block_channels=4
        )
        return models.MSAF(**{**model.get_config(), "combine": combine})

    return make


def grjca(name):
    arguments = {"channels": [4], "resample": "left"}
    return models.GRJCA.from_shapes(shapes(name), num_classes=2, **arguments)


def network():
    return keras.Sequential(
        [
            keras.Input((5,)),
            keras.layers.Dense(4, name="hidden"),
            keras.layers.Dense(4, name="out"),
        ]
    )


def fused(num_classes):
    def make(name):
        networks = {"left": network(), name: network()}
        taps = [{"left": "hidden", name: "hidden"}]
        return models.fuse(networks, taps, num_classes, block_channels=4)

    return make


def baseline(name):
    builds = evaluation.baselines(shapes(name), num_classes=2, units=4)
    return builds["concat"](0)


@pytest.mark.parametrize(
    "make",
    [
        mea,
        msaf("concat"),
        msaf("sum"),
        grjca,
        fused(None),
        fused(2),
        baseline,
    ],
)
def test_a_modality_called_like_a_layer_is_named(make):
    names = [
        operation.name
        for operation in make("right").operations
        if isinstance(operation, keras.layers.Layer)
    ]
    taken = [name for name in names if "right" not in name and name != "left"]
    assert len(taken) > 3
    for name in taken:
        with pytest.raises(ValueError, match=f"can be called .{name}."):
            make(name)


@pytest.mark.parametrize("name", ["right_one", "fusion", "name", "layers"])
def test_other_names_work(name):
    assert name in mea(name).modalities


def test_other_errors_stay():
    with pytest.raises(ValueError, match="width"):
        models.MEA(shapes("right"), num_classes=2, width=3)
