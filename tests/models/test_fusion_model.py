"""What all models inherit."""

import numpy as np
import pytest

from keras_mmfusion import models, presets

NAME = "av_digits"


class MyMEA(models.MEA):
    """A user's own, not registered."""


@pytest.mark.once("torch")
def test_a_subclass_has_the_presets_of_its_parent():
    assert MyMEA.presets() == models.MEA.presets()
    model, own = MyMEA.from_preset(NAME), models.MEA.from_preset(NAME)
    assert type(model) is MyMEA
    assert model.get_config() == own.get_config()
    for a, b in zip(model.get_weights(), own.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.once
def test_a_preset_of_an_unrelated_class_is_refused():
    with pytest.raises(presets.PresetFileError, match="holds a MSAF, not a My"):
        MyMEA.from_preset(f"msaf_{NAME}")


@pytest.mark.once
def test_the_base_of_all_models_has_all_presets_by_their_global_names():
    every = models.FusionModel.presets()
    assert {f"msaf_{NAME}", "mea_mosei"} <= set(every)


@pytest.mark.once
def test_whether_to_load_weights_is_yes_or_no():
    with pytest.raises(ValueError, match="load_weights='no'"):
        models.MEA.from_preset(NAME, load_weights="no")
