import keras
import numpy as np
import pytest

from keras_mmfusion import data
from keras_mmfusion.convert import load_official
from keras_mmfusion.encoders import DenseEncoder, LSTMEncoder
from keras_mmfusion.models import MSAF
from tests import goldens
from tests.backend import input_gradients, numpy_of, relative_error
from tests.reference import msaf as reference

MOSEI = {"visual": (35, 32), "audio": (74, 64), "text": (768, 128)}


def mosei_network() -> MSAF:
    """The published network, as the preset describes it."""
    return MSAF.from_preset("mosei", load_weights=False)


@pytest.fixture(scope="module")
def official():
    golden = goldens.load("msaf_mosei_network")
    model = mosei_network()
    load_official(model, golden.state_dict())
    return model, golden


def float32(arrays: dict) -> dict:
    return {k: v.astype("float32") for k, v in arrays.items()}


def small(segments: int = 3, **kwargs: object) -> MSAF:
    shapes = {"audio": (None, 5), "facts": (3,), "video": (None, 6)}
    kwargs = {"num_classes": 4, "units": 8, **kwargs}
    return MSAF.from_shapes(
        shapes, block_channels=4, segments=segments, **kwargs
    )


def small_batch(size: int = 4, steps: int = 7) -> dict:
    rng = np.random.default_rng(0)
    return float32(
        {
            "audio": rng.normal(size=(size, steps, 5)),
            "facts": rng.normal(size=(size, 3)),
            "video": rng.normal(size=(size, steps + 2, 6)),
        }
    )


def test_equals_the_official_network(official):
    model, golden = official
    output = model.predict(float32(golden.inputs()), verbose=0)
    assert relative_error(output, golden.outputs[0]) < 1e-5


def test_gradients_equal_the_official_network(official):
    model, golden = official
    cotangent = golden.cotangents()[0].astype("float32")
    grads = input_gradients(
        lambda x: keras.ops.sum(keras.ops.multiply(model(x), cotangent)),
        golden.inputs(),
    )
    for name, expected in golden.input_gradients.items():
        assert relative_error(grads[name], expected) < 1e-5


def test_parameter_count_is_the_published_one(official):
    model, golden = official
    trainable = sum(np.prod(v.shape) for v in model.trainable_variables)
    # PyTorch's LSTM has two biases that only ever act as their sum.
    second_biases = sum(2 * 4 * units for _, units in MOSEI.values())
    assert trainable + second_biases == golden.meta["parameters"] == 689_337


def test_padding_and_missing_modalities_equal_the_reference(official):
    model, golden = official
    x = golden.inputs()
    x["visual"][0, 31:] = 0
    x["audio"][1, 3:] = 0
    x["text"][2] = 0
    expected = reference.recurrent_network(
        x,
        golden.state_dict(),
        block_channels=16,
        segments=5,
        masks={k: reference.nonzero_mask(v) for k, v in x.items()},
    )
    output = model.predict(float32(x), verbose=0)
    assert relative_error(output, expected) < 1e-5


def test_every_length_is_taken():
    model = small()
    for steps in (1, 2, 9):
        assert model.predict(small_batch(2, steps), verbose=0).shape == (2, 4)


@pytest.mark.parametrize(
    ("combine", "expected"), [("concat", 1), ("sum", 1), ("none", 3)]
)
def test_combinations_of_the_final_features(combine, expected):
    config = {**small().get_config(), "combine": combine}
    outputs = MSAF(**config).predict(small_batch(), verbose=0)
    assert len(keras.tree.flatten(outputs)) == expected


def test_config_round_trip_gives_the_same_function():
    model = small(dropout=0.1)
    twin = MSAF.from_config(model.get_config())
    assert [v.path for v in twin.weights] == [v.path for v in model.weights]
    twin.set_weights(model.get_weights())
    np.testing.assert_array_equal(
        model.predict(small_batch(), verbose=0),
        twin.predict(small_batch(), verbose=0),
    )


def test_keras_file_round_trip_keeps_weights_and_optimizer(tmp_path):
    model = small()
    model.fit(small_batch(), np.arange(4), verbose=0)
    model.save(tmp_path / "model.keras")
    twin = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(
        model.predict(small_batch(), verbose=0),
        twin.predict(small_batch(), verbose=0),
    )
    assert int(numpy_of(twin.optimizer.iterations.value)) == 1


def test_fit_learns_a_rule_that_needs_both_modalities():
    rng = np.random.default_rng(0)
    bits = rng.integers(0, 2, (256, 2))
    x = {
        "audio": rng.normal(size=(256, 6, 4)) * 0.1 + bits[:, :1, None],
        "facts": rng.normal(size=(256, 3)) * 0.1 + bits[:, 1:],
    }
    model = MSAF.from_shapes(
        {"audio": (None, 4), "facts": (3,)},
        num_classes=2,
        units=16,
        block_channels=8,
        segments=2,
        seed=0,
    )
    model.compile(optimizer=keras.optimizers.Adam(0.01))
    y = bits[:, 0] ^ bits[:, 1]
    model.fit(float32(x), y, epochs=30, batch_size=64, verbose=0, shuffle=False)
    accuracy = model.evaluate(float32(x), y, verbose=0)[1]
    assert accuracy > 0.95


def test_regression_is_the_default():
    model = small(num_classes=None, num_targets=2)
    loss = model.train_on_batch(small_batch(), np.zeros((4, 2)))
    assert np.isfinite(numpy_of(loss[0]))
    assert model.predict(small_batch(), verbose=0).shape == (4, 2)


def test_explain_gives_the_attention_of_each_modality():
    x = small_batch()
    x["video"][0] = 0
    attention = small().explain(x)["fusion1"]
    assert {k: v.shape for k, v in attention.items()} == {
        "audio": (4, 3, 2, 4),
        "facts": (4, 3, 2, 4),
        "video": (4, 3, 2, 4),
    }
    total = sum(v.sum(axis=2) for v in attention.values())
    np.testing.assert_allclose(total, 1, rtol=1e-5)
    assert attention["video"][0].max() == 0


def test_bad_inputs_are_named():
    model, x = small(), small_batch()
    bad = {
        "unknown|Unknown": {**x, "vidoe": x["video"]},
        "facts": {k: v for k, v in x.items() if k != "facts"},
        "audio": {**x, "audio": x["audio"][0]},
        "width|shape": {**x, "facts": x["facts"][:, :2]},
        "batch|samples": {**x, "facts": x["facts"][:2]},
        "NaN": {**x, "video": np.full_like(x["video"], np.nan)},
        "inf": {**x, "video": np.full_like(x["video"], np.inf)},
    }
    for message, inputs in bad.items():
        with pytest.raises(ValueError, match=message):
            model.predict(inputs, verbose=0)
        with pytest.raises(ValueError, match=message):
            model.fit(inputs, np.arange(4), verbose=0)


@pytest.mark.parametrize("labels", [[0, 1, 2, 4], [0, -1, 2, 3], [0.5] * 4])
def test_labels_out_of_range_are_refused(labels):
    with pytest.raises(ValueError, match="label"):
        small().fit(small_batch(), np.array(labels), verbose=0)


def test_labels_of_a_data_set_are_checked_too():
    x = small_batch()
    split = data.Split(x, np.array([0, 1, 2, 7]))
    for kwargs in (
        {"x": split.batches(2)},
        {"x": x, "y": np.arange(4), "validation_data": split.batches(2)},
    ):
        with pytest.raises(ValueError, match="label"):
            small().fit(**kwargs, verbose=0)


def test_bad_configurations_are_named():
    audio = LSTMEncoder(4, 8, name="audio")
    facts = DenseEncoder(3, 8, name="facts")
    fusion = {
        "after": {"audio": "lstm1", "facts": "dense1"},
        "block_channels": 4,
    }
    both = {"audio": audio, "facts": facts}
    with pytest.raises(ValueError, match="two or more"):
        MSAF({"audio": audio}, [])
    with pytest.raises(ValueError, match="must be named so"):
        MSAF({"sound": audio, "facts": facts}, [])
    with pytest.raises(ValueError, match="no stage 'lstm9'"):
        MSAF(both, [{**fusion, "after": {"audio": "lstm9", "facts": "dense1"}}])
    late = {**fusion, "after": {"audio": "lstm2", "facts": "dense1"}}
    with pytest.raises(ValueError, match="order of the stages"):
        MSAF(both, [late, fusion])
    with pytest.raises(ValueError, match="`after`"):
        MSAF(both, [{"block_channels": 4}])
    with pytest.raises(ValueError, match=r"\['seed'\]\. Leave them out"):
        MSAF(both, [{**fusion, "seed": 3}])
    with pytest.raises(ValueError, match="combine"):
        MSAF(both, [fusion], combine="product")
    with pytest.raises(ValueError, match="sequences"):
        MSAF.from_shapes({"clip": (None, 8, 8, 3), "facts": (3,)})
