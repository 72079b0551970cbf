"""A label at every step: splits, batches, descriptions, and what refuses."""

import keras
import numpy as np
import pytest

from keras_mmfusion.data import (
    MultimodalDataset,
    Ragged,
    Split,
    Standardizer,
)
from keras_mmfusion.data.formats import write_file
from keras_mmfusion.evaluation import robustness, run
from keras_mmfusion.models import GRJCA, MSAF

STEPS = 12


def split(lengths=(12, 5, 9), steps=STEPS, labels=None, **arguments):
    """Sample i has value i + 1 in all steps; label t / 100 at step t."""
    features = {}
    for name, width in (("audio", 3), ("video", 4)):
        values = np.repeat(np.arange(len(lengths)) + 1.0, lengths)
        offsets = np.append(0, np.cumsum(lengths)).astype(int)
        features[name] = Ragged(np.tile(values[:, None], (1, width)), offsets)
    if labels is None:
        labels = np.full((len(lengths), steps, 2), -5.0)
        for row, length in zip(labels, lengths, strict=True):
            row[:length] = np.arange(length)[:, None] / 100
    return Split(features, labels, **arguments)


def dataset(part, **arguments):
    given = {"name": "toy", "task": "regression", "class_names": ["v", "a"]}
    return MultimodalDataset(part, part, None, **given | arguments)


def small(**arguments):
    shapes = {"audio": (None, 3), "video": (None, 4)}
    given = {"channels": [4], "num_targets": 2, "hidden_units": 4, "seed": 0}
    return GRJCA.from_shapes(shapes, **given | arguments)


def test_arrays_and_batches_are_as_long_as_the_labels():
    part = split((7, 5, 2))
    inputs, labels = part.arrays()
    assert inputs["audio"].shape == (3, STEPS, 3)
    assert labels.shape == (3, STEPS, 2)
    batch, y = part.batches(2)[1]
    assert batch["video"].shape == (1, STEPS, 4)
    assert y.dtype == np.float32
    np.testing.assert_array_equal(y, part.labels[2:].astype(np.float32))
    cut, y = part.batches(3, max_length=4)[0]
    assert cut["audio"].shape[1] == y.shape[1] == 4
    cut, y = part.arrays(max_length=4)
    assert cut["audio"].shape[1] == y.shape[1] == 4


@pytest.mark.parametrize("buckets", [1, 3, 8])
@pytest.mark.parametrize("shuffle", [False, True])
def test_buckets_lose_no_label(buckets, shuffle):
    part = split((12, 5, 9, 2, 3, 12, 1))
    # No input in the last annotated steps of sample 3.
    part.labels[3, :8] = 0.5
    seen = []
    batches = part.batches(2, shuffle=shuffle, buckets=buckets)
    for index in range(len(batches)):
        x, y = batches[index]
        assert x["audio"].shape[1] == x["video"].shape[1] == y.shape[1]
        seen.append(y[y != -5])
    found = np.sort(np.concatenate(seen))
    wanted = np.sort(part.labels[part.labels != -5].astype(np.float32))
    np.testing.assert_array_equal(found, wanted)


@pytest.mark.once
def test_sequences_longer_than_the_labels_are_refused():
    part = split((7, 5), labels=np.zeros((2, 6, 1)))
    with pytest.raises(ValueError, match=r"'audio' with 7 steps in sample 0"):
        part.batches(2)
    with pytest.raises(ValueError, match="Resample"):
        part.arrays()
    vectors = Split({"image": np.ones((2, 3))}, np.zeros((2, 6, 1)))
    with pytest.raises(ValueError, match="needs a modality with steps"):
        vectors.batches(2)


@pytest.mark.once
@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (np.zeros((3, 4, 2), int), "must be real numbers"),
        (np.full((3, 4, 2), np.nan), "NaN or inf in 3 samples, first 0"),
        (np.zeros((3, 4, 2, 1)), r"\(N, T, K\)"),
        (np.zeros((2, 4, 2)), "as many samples as there"),
    ],
)
def test_bad_labels(labels, message):
    with pytest.raises(ValueError, match=message):
        split(labels=labels)


@pytest.mark.once
def test_data_sets_of_such_splits():
    part = split(ids=["a", "b", "c"], groups={"video": ["v", "v", "w"]})
    text = dataset(part).describe()
    assert "labels v, annotated steps" in text
    counts = [int(line.split()[-1]) for line in text.splitlines()[-7:]]
    assert sum(counts) == 12 + 5 + 9  # the steps without a label count not
    assert {leak.kind for leak in dataset(part).check_leaks()} == {
        "id",
        "video",
    }
    chosen = part.subset([2, 0])
    assert chosen.labels.shape == (2, STEPS, 2)
    scaled = Standardizer(part).transform(part)
    assert scaled.labels is part.labels
    with pytest.raises(ValueError, match=r"shape \(N, 1\)"):
        dataset(part, class_names=["valence"])
    with pytest.raises(ValueError, match="'regression'"):
        dataset(part, task="classification", class_names=None)
    single = split(labels=np.zeros((3, 2)))
    with pytest.raises(ValueError, match="All splits must have a label per"):
        MultimodalDataset(part, single, None, "toy", "regression")


@pytest.mark.once
def test_what_refuses_them(tmp_path):
    part = split()
    with pytest.raises(ValueError, match="a label per sample"):
        write_file(dataset(part), tmp_path / "x.npz", "arrays")
    whole = MultimodalDataset(part, part, part, "toy", "regression")
    with pytest.raises(ValueError, match="report_videos"):
        run(lambda seed: small(seed=seed), whole, verbose=0)
    with pytest.raises(ValueError, match="to be a function"):
        robustness(small(), part, verbose=0)
    shapes = {"audio": (None, 3), "video": (None, 4)}
    with pytest.raises(ValueError, match=r"\(N,\) or \(N, K\)"):
        MSAF.from_shapes(shapes).fit(part.batches(2))


@pytest.mark.once
def test_models_take_labels_that_suit_them():
    part = split()
    with pytest.raises(ValueError, match=r"\(3, 'T', 1\)"):
        small(num_targets=1).fit(part.batches(3))
    with pytest.raises(ValueError, match="per_step=False"):
        small().fit(split(labels=np.zeros((3, 2))).batches(3))
    with pytest.raises(ValueError, match=r"\(N,\) or \(N, K\)"):
        small(per_step=False).fit(part.batches(3))
    model = small()
    model.compile(loss="mse", metrics=[])
    with pytest.raises(ValueError, match="not annotated"):
        model.fit(part.batches(3))
    model.fit(split((12, 12), labels=np.zeros((2, 12, 2))).batches(2))


def test_fit_equals_fit_on_arrays():
    part = split((12, 5, 9, 12))
    x, y = part.arrays()
    losses = []
    for given in ({"x": part.batches(4)}, {"x": x, "y": y, "batch_size": 4}):
        keras.utils.set_random_seed(0)
        model = small(encoder_dropout=0, dropout=0)
        history = model.fit(**given, shuffle=False, epochs=2, verbose=0)
        losses.append(history.history["loss"])
    np.testing.assert_allclose(*losses, rtol=1e-5)
    assert model.predict(part.batches(3), verbose=0).shape == (4, STEPS, 2)
