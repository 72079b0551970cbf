"""A failed step costs a model nothing, whatever the backend."""

import keras
import numpy as np
import pytest

from keras_mmfusion.models import MSAF

X = {
    "audio": np.ones((6, 3), np.float32),
    "text": np.ones((6, 4), np.float32),
}
Y = np.arange(6) % 3


class Batches(keras.utils.PyDataset):
    """Three batches, one of which cannot be read."""

    def __init__(self, bad):
        super().__init__()
        self.bad = bad

    def __len__(self):
        return 3

    def __getitem__(self, index):
        if index == self.bad:
            raise OSError("unreadable")
        return X, Y


def model():
    return MSAF.from_shapes(
        {"audio": (3,), "text": (4,)}, num_classes=3, units=8
    )


@pytest.mark.parametrize("bad", [0, 2])
@pytest.mark.parametrize("method", ["fit", "evaluate", "predict"])
def test_a_bad_batch_costs_no_weights(method, bad, tmp_path):
    built = model()
    before = built.get_weights()
    options = {"shuffle": False} if method == "fit" else {}
    with pytest.raises(Exception, match="unreadable"):
        getattr(built, method)(Batches(bad), verbose=0, **options)
    after = built.get_weights()
    moved = [not np.allclose(a, b) for a, b in zip(before, after, strict=True)]
    assert any(moved) == (method == "fit" and bad == 2)
    built.save_weights(tmp_path / "after.weights.h5")
    assert np.isfinite(built.predict(X, verbose=0)).all()
    steps = int(built.optimizer.iterations)
    built.fit(X, Y, verbose=0)
    assert int(built.optimizer.iterations) == steps + 1


@pytest.mark.parametrize("method", ["evaluate", "predict"])
def test_an_interruption_costs_no_weights(method):
    class Stop(keras.callbacks.Callback):
        def on_test_batch_end(self, batch, logs=None):
            raise KeyboardInterrupt

        on_predict_batch_end = on_test_batch_end

    built = model()
    before = built.get_weights()
    call = {
        "evaluate": lambda **options: built.evaluate(X, Y, **options),
        "predict": lambda **options: built.predict(X, **options),
    }[method]
    with pytest.raises(KeyboardInterrupt):
        call(batch_size=2, verbose=0, callbacks=[Stop()])
    for a, b in zip(before, built.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    # Nothing of the failed one comes back later.
    built.fit(X, Y, verbose=0)
    trained = built.get_weights()
    with pytest.raises(Exception, match="unreadable"):
        built.predict(Batches(0), verbose=0)
    for a, b in zip(trained, built.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
