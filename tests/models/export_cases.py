"""Models whose exported forms are tried."""

from keras_mmfusion import models
from tests.test_every_model import CASES, SEQUENCES

EXPORTED = {
    **CASES,
    "GRJCA resampled": lambda: models.GRJCA.from_shapes(
        SEQUENCES,
        num_classes=4,
        per_step=False,
        channels=[8],
        resample="left",
        seed=0,
    ),
}
