from inspect import signature

import numpy as np
import pytest

from keras_mmfusion import encoders
from keras_mmfusion.encoders import DenseEncoder, LSTMEncoder
from tests.backend import numpy_of


def test_lstm_reads_the_last_valid_step():
    encoder = LSTMEncoder(3, 5, layers=2, name="audio")
    x = np.random.default_rng(0).normal(size=(2, 6, 3)).astype("float32")
    x[0, 4:] = 0
    y = encoder.predict(x, verbose=0)
    alone = encoder.predict(x[:1, :4], verbose=0)
    np.testing.assert_allclose(y[:1], alone, atol=1e-6)


@pytest.mark.parametrize("encoder", [LSTMEncoder, DenseEncoder])
def test_a_missing_sample_gives_zeros(encoder):
    model = encoder(3, 5, name="m")
    for variable in model.trainable_variables:
        variable.assign(np.ones(variable.shape))
    shape = (2, 4, 3) if encoder is LSTMEncoder else (2, 3)
    x = np.ones(shape, "float32")
    x[1] = 0
    y = model.predict(x, verbose=0)
    assert y[0].all()
    assert not y[1].any()


def test_stages_run_one_after_the_other():
    encoder = LSTMEncoder(3, 5, layers=3, name="m")
    x = np.ones((2, 4, 3), "float32")
    mask = np.ones((2, 4), bool)
    assert list(encoder.stages) == ["lstm1", "lstm2", "lstm3"]
    middle = encoder.run(x, mask, None, "lstm2")
    assert middle.shape == (2, 4, 5)
    end = encoder.run(middle, mask, "lstm2", None)
    np.testing.assert_allclose(
        numpy_of(end), encoder.predict(x, verbose=0), atol=1e-6
    )


def test_an_encoder_trains_without_fusion():
    encoder = DenseEncoder(3, 1, name="m")
    encoder.compile(optimizer="adam", loss="mse")
    history = encoder.fit(
        np.ones((8, 3)), np.ones((8, 1)), epochs=2, verbose=0
    ).history
    assert np.isfinite(history["loss"]).all()


@pytest.mark.parametrize("encoder", [LSTMEncoder, DenseEncoder])
def test_sizes_below_one_are_refused(encoder):
    with pytest.raises(ValueError, match="at least 1"):
        encoder(0, 5)


def test_dense_layers_may_have_widths_of_their_own():
    encoder = DenseEncoder(3, [6, 4], batch_norm=True, name="m")
    assert encoder.output_shape == (None, 4)
    assert list(encoder.stages) == ["dense1", "dense2"]
    again = DenseEncoder.from_config(encoder.get_config())
    assert [w.shape for w in again.weights] == [
        w.shape for w in encoder.weights
    ]
    with pytest.raises(ValueError, match="at least 1"):
        DenseEncoder(3, [])


TWINS = {
    "DenseEncoder": lambda c, n: c(3, 4, layers=2, dropout=0.5, seed=0, name=n),
    "HCNEncoder": lambda c, n: c(steps=8, features=4, seed=0, name=n),
    "I3DEncoder": None,  # It has one dropout, and takes long to build.
    "IRResNetEncoder": None,
    "LSTMEncoder": lambda c, n: c(3, 4, layers=2, dropout=0.5, seed=0, name=n),
    "MFCCEncoder": lambda c, n: c(seed=0, name=n),
    "TCNEncoder": lambda c, n: c(3, [4, 4], dropout=0.5, seed=0, name=n),
    "TemporalConvEncoder": lambda c, n: c(
        3, [4, 4], dropout=0.5, seed=0, name=n
    ),
}


@pytest.mark.once("torch")
def test_twins_of_one_seed_drop_each_their_own():
    takers = {
        name
        for name in encoders.__all__
        if "seed" in signature(getattr(encoders, name)).parameters
    }
    assert takers == set(TWINS)
    for name, make in TWINS.items():
        if make is None:
            continue
        states = [
            int(numpy_of(v)[0])
            for twin in ("left", "right")
            for v in make(getattr(encoders, name), twin).variables
            if v.name == "seed_generator_state"
        ]
        assert len(states) > 1, name
        assert len(set(states)) == len(states), name
