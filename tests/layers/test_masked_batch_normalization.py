import pytest

from keras_mmfusion.layers.masked_batch_normalization import (
    MaskedBatchNormalization,
)


@pytest.mark.once
def test_its_config_makes_it_again():
    config = MaskedBatchNormalization(name="norm").get_config()
    assert (config["momentum"], config["epsilon"]) == (0.9, 1e-5)
    assert MaskedBatchNormalization.from_config(config).get_config() == config
