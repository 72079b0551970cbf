"""MSAF with one output per modality, and with their sum."""

import keras
import numpy as np
import pytest

from keras_mmfusion import data, presets
from keras_mmfusion.encoders import (
    DenseEncoder,
    Encoder,
    LSTMEncoder,
    TCNEncoder,
)
from keras_mmfusion.encoders.encoder_stage import EncoderStage
from keras_mmfusion.models import MSAF, unimodal
from tests.backend import numpy_of

LABELS = np.array([0, 1, 2, 1])


def network(
    combine: str = "none",
    num_classes: int | None = 3,
    reduction_factor: int = 4,
) -> MSAF:
    """Fused behind the last stages, so that masks reach the heads."""
    return MSAF(
        {
            "audio": LSTMEncoder(5, 8, name="audio", seed=0),
            "facts": DenseEncoder(3, 8, name="facts", seed=0),
        },
        [
            {
                "after": {"audio": "lstm2", "facts": "dense2"},
                "block_channels": 4,
                "reduction_factor": reduction_factor,
            }
        ],
        num_classes=num_classes,
        combine=combine,
        seed=0,
    )


def samples() -> dict[str, np.ndarray]:
    """Complete, padded, and without either modality."""
    rng = np.random.default_rng(0)
    x = {"audio": rng.normal(size=(4, 6, 5)), "facts": rng.normal(size=(4, 3))}
    x["audio"][1, 4:] = 0
    x["audio"][2] = 0
    x["facts"][3] = 0
    return {m: v.astype("float32") for m, v in x.items()}


def accuracy(logits: np.ndarray) -> float:
    return float(np.mean(logits.argmax(axis=1) == LABELS))


def test_every_modality_learns_the_labels_given_once():
    model = network()
    scores = model.evaluate(samples(), LABELS, verbose=0, return_dict=True)
    logits = model.predict(samples(), verbose=0)
    for m, z in logits.items():
        log_sum = np.log(np.exp(z).sum(axis=1))
        # All samples count, also those without the modality.
        loss = np.mean(log_sum - z[np.arange(4), LABELS])
        np.testing.assert_allclose(scores[f"{m}_loss"], loss, rtol=1e-5)
        np.testing.assert_allclose(scores[f"{m}_accuracy"], accuracy(z))
    total = sum(logits.values())
    np.testing.assert_allclose(scores["sum_accuracy"], accuracy(total))
    losses = scores["audio_loss"] + scores["facts_loss"]
    np.testing.assert_allclose(scores["loss"], losses, rtol=1e-5)


@pytest.mark.parametrize("combine", ["concat", "sum"])
def test_one_output_counts_samples_without_a_modality_too(combine):
    model = network(combine)
    loss = model.evaluate(samples(), LABELS, verbose=0)[0]
    z = model.predict(samples(), verbose=0)
    log_sum = np.log(np.exp(z).sum(axis=1))
    expected = np.mean(log_sum - z[np.arange(4), LABELS])
    np.testing.assert_allclose(loss, expected, rtol=1e-5)


def test_both_losses_reach_every_encoder():
    # Of one or few units of the fusion's ReLU, all can be off by chance.
    keras.utils.set_random_seed(0)
    model = network(reduction_factor=1)
    before = {
        name: numpy_of(v).copy()
        for name, v in presets.named_weights(model).items()
    }
    model.compile("sgd", loss_weights={"audio": 0.0, "facts": 1.0})
    model.train_on_batch(samples(), LABELS)
    after = presets.named_weights(model)
    for name in ("audio_lstm1/kernel", "facts_dense1/dense/kernel"):
        assert np.abs(numpy_of(after[name]) - before[name]).max() > 1e-7
    np.testing.assert_array_equal(
        numpy_of(after["head_audio/kernel"]), before["head_audio/kernel"]
    )


def test_batches_and_validation_data_train_it():
    history = (
        network()
        .fit(
            data.Split(samples(), LABELS).batches(2),
            epochs=2,
            validation_data=(samples(), LABELS),
            shuffle=False,
            verbose=0,
        )
        .history
    )
    assert np.isfinite(history["loss"]).all()
    assert {"val_sum_accuracy", "val_audio_accuracy"} <= set(history)


def test_a_preset_of_it_loads_as_the_sum(tmp_path):
    model = network()
    model.save_to_preset(tmp_path / "preset")
    total = MSAF.from_preset(tmp_path / "preset", combine="sum")
    np.testing.assert_allclose(
        total.predict(samples(), verbose=0),
        sum(model.predict(samples(), verbose=0).values()),
        rtol=1e-5,
        atol=1e-6,
    )


def test_a_keras_file_keeps_losses_and_metrics(tmp_path):
    model = network()
    scores = model.evaluate(samples(), LABELS, verbose=0, return_dict=True)
    model.save(tmp_path / "model.keras")
    twin = keras.saving.load_model(tmp_path / "model.keras")
    again = twin.evaluate(samples(), LABELS, verbose=0, return_dict=True)
    assert scores.keys() == again.keys()
    for name, value in scores.items():
        np.testing.assert_allclose(again[name], value, rtol=1e-5)


@pytest.mark.once
def test_losses_and_metrics_of_ones_own_hold_for_every_output():
    model = network()
    model.compile(
        "sgd",
        "sparse_categorical_crossentropy",
        metrics=[keras.metrics.SparseTopKCategoricalAccuracy(2, name="top2")],
        weighted_metrics=["accuracy"],
    )
    scores = model.evaluate(samples(), LABELS, verbose=0, return_dict=True)
    for output in ("audio", "facts", "sum"):
        assert {f"{output}_top2", f"{output}_accuracy"} <= set(scores)


@pytest.mark.once
def test_regression_has_no_metric_of_the_sum():
    model = network(num_classes=None)
    y = np.ones((4, 1), "float32")
    scores = model.evaluate(samples(), y, verbose=0, return_dict=True)
    assert {"audio_mae", "facts_mae"} <= set(scores)
    assert "sum_mae" not in scores


@pytest.mark.once
def test_what_would_be_ambiguous_is_refused():
    labels = {"audio": LABELS, "facts": LABELS}
    with pytest.raises(ValueError, match="once"):
        network().evaluate(samples(), labels, verbose=0)
    encoders = {m: DenseEncoder(3, 4, name=m) for m in ("sum", "other")}
    with pytest.raises(ValueError, match='called "sum"'):
        MSAF(encoders, [], combine="none", num_classes=2)


def test_of_a_sequence_the_head_reads_the_mean_of_the_valid_steps():
    audio = TCNEncoder(5, [4], name="audio", seed=0)
    facts = DenseEncoder(3, 4, name="facts", seed=0)
    model = MSAF({"audio": audio, "facts": facts}, [], num_classes=3)
    x = samples()
    sequence = audio.predict(x["audio"], verbose=0)
    counts = np.array([6, 4, 1, 6])  # a missing one has a mean of zero
    mean = sequence.sum(axis=1) / counts[:, None]
    vector = facts.predict(x["facts"], verbose=0)
    kernel, bias = model.get_layer("head").get_weights()
    expected = np.concatenate([mean, vector], axis=1) @ kernel + bias
    logits = model.predict(x, verbose=0)
    np.testing.assert_allclose(logits, expected, atol=1e-6)
    alone = unimodal(model, "audio")
    assert alone.output_shape == (None, 3)


class Same(EncoderStage):
    def call(self, inputs, mask=None):
        return inputs


@pytest.mark.once
def test_encoders_that_give_maps_are_refused():
    image = Encoder((4, 4, 3), {"same": Same(name="image_same")}, "image")
    facts = DenseEncoder(3, 4, name="facts")
    with pytest.raises(ValueError, match=r"a vector \(B, C\) or a sequence"):
        MSAF({"facts": facts, "image": image}, [])
