"""TensorFlow's SavedModel, with any number of samples and steps."""

import keras
import numpy as np
import pytest

from tests.backend import relative_error
from tests.models.export_cases import EXPORTED
from tests.test_every_model import batch

pytestmark = pytest.mark.skipif(
    keras.backend.backend() == "torch", reason="Keras exports other formats"
)


@pytest.mark.parametrize("name", EXPORTED)
def test_a_saved_model_takes_any_length(name, tmp_path):
    tf = pytest.importorskip("tensorflow")
    model = EXPORTED[name]()
    model.export(tmp_path / "model", verbose=False)
    saved = tf.saved_model.load(tmp_path / "model")
    for samples, steps in ((3, 11), (1, 2)):
        x = {m: v[:samples] for m, v in batch(model, steps).items()}
        x["left"][0, steps // 2 :] = 0
        x["right"][-1] = 0
        expected = np.asarray(model.predict(x, verbose=0))
        assert relative_error(np.asarray(saved.serve(x)), expected) < 1e-5
