import keras
import numpy as np
import pytest

from keras_mmfusion.data import ModalityDropout, Split
from keras_mmfusion.evaluation import FitSettings, baselines
from keras_mmfusion.evaluation.training import (
    BestEpoch,
    input_modalities,
    restricted,
)
from tests.evaluation.tiny import dataset, linear, small_run, split


class Weights:
    """Stands for a model whose weights are the number of the epoch."""

    stop_training = False
    epoch = 0

    def get_weights(self):
        return [np.array(self.epoch)]


def epochs(values, lower=True, patience=None, last=False):
    lines = []
    best = BestEpoch("val_x", lower, patience, lines.append, last)
    best.set_model(Weights())
    best.set_params({"epochs": len(values)})
    for epoch, value in enumerate(values):
        best.model.epoch = epoch + 1
        best.on_epoch_begin(epoch)
        best.on_epoch_end(epoch, {"x": 0.0, "val_x": value})
        if best.model.stop_training:
            break
    return best, lines


@pytest.mark.once
@pytest.mark.parametrize(
    ("values", "lower", "epoch"),
    [
        ([3.0, 1.0, 2.0], True, 2),
        ([3.0, 1.0, 2.0], False, 1),
        ([1.0, 1.0], True, 1),
        ([np.nan, 2.0, np.inf, 1.0], True, 4),
        ([np.nan], True, 0),
    ],
)
def test_the_best_finite_epoch_is_kept(values, lower, epoch):
    best, lines = epochs(values, lower)
    assert best.epoch == epoch
    if epoch:
        assert best.weights[0] == epoch
        assert best.value == values[epoch - 1]
    assert len(lines) == len(values)
    assert [" * " in line for line in lines].count(True) >= (epoch > 0)


@pytest.mark.once
def test_patience_ends_training():
    best, lines = epochs([3.0, 1.0, 2.0, 2.0, 2.0, 0.5], patience=2)
    assert (best.epoch, len(lines)) == (2, 4)
    best, lines = epochs([np.nan] * 5, patience=2)
    assert len(lines) == 2


@pytest.mark.once
def test_the_last_epoch_is_kept_if_asked_for():
    best, _ = epochs([1.0, 3.0, 2.0], last=True)
    assert (best.epoch, best.value) == (3, 2.0)
    with pytest.raises(ValueError, match="'best' or 'last'"):
        FitSettings.from_mapping({"keep": "first"})


@pytest.mark.once
def test_settings_describe_what_changes_results():
    settings = FitSettings.from_mapping(
        {"epochs": 2, "transform": ModalityDropout(0.3), "workers": 3}
    )
    described = settings.describe()
    assert described["transform"]["rate"] == 0.3
    assert "workers" not in described
    training = settings.batches(split(0), shuffled_by=4)
    assert training.shuffle
    assert training.seed == 4
    testing = settings.batches(split(0))
    assert not testing.shuffle
    assert testing.transform is None


@pytest.mark.once
def test_a_model_gets_the_modalities_it_takes():
    part = restricted(split(0), ["image"])
    assert part.modalities == ["image"]
    assert part.ids == split(0).ids
    assert part.groups.keys() == {"recording"}
    assert restricted(part, ["image"]) is part
    assert input_modalities(linear("audio")(0), ["audio", "image"]) == ["audio"]
    layers = [keras.Input((4,), name="image"), keras.layers.Dense(3)]
    unnamed = keras.Sequential(layers)
    assert input_modalities(unnamed, ["audio", "image"]) == ["image"]
    with pytest.raises(ValueError, match=r"takes \['image'\].*has \['video'\]"):
        input_modalities(unnamed, ["video"])


def test_a_split_in_which_no_sample_has_a_modality():
    data = dataset()
    shapes = {"audio": (None, 5), "image": (4,)}
    valid = split(1, 4)
    inputs, labels = valid.arrays()
    inputs["audio"][:] = 0
    data.valid = Split(inputs, labels, ids=valid.ids)
    result = small_run(
        baselines(shapes, num_classes=3, units=4)["concat"],
        data,
        fit={"epochs": 1},
    )
    assert result.models["model"].predictions.shape == (2, 48, 3)
