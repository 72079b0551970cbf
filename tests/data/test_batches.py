"""Batches: orders, lengths, and `fit` over ragged lengths."""

import pickle

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_mmfusion.data import Ragged, Split
from keras_mmfusion.data.batches import Batches


def split(audio, video=None):
    """A split of the given lengths; row `i` of every array holds `i + 1`."""
    features = {}
    for name, lengths in (("audio", audio), ("video", video)):
        if lengths is None:
            continue
        values = np.repeat(np.arange(len(lengths)) + 1.0, lengths)
        offsets = np.append(0, np.cumsum(lengths)).astype(int)
        features[name] = Ragged(np.tile(values[:, None], (1, 3)), offsets)
    features["image"] = np.arange(len(audio))[:, None] + np.ones((1, 2))
    return Split(features, np.arange(len(audio), dtype=np.float64))


def lengths_like_speech(count=203, seed=0):
    random = np.random.default_rng(seed)
    return np.clip(random.gamma(4, 10, count), 2, 226).astype(int)


def shapes(batches, epoch=0):
    """Set of the shapes a model meets, one tuple per distinct batch."""
    found = set()
    for index in range(len(batches)):
        inputs, _ = batches.batch(epoch, index)
        found.add(tuple(v.shape for v in inputs.values()))
    return found


def model(modalities=("audio", "image")):
    shape = {"audio": (None, 3), "video": (None, 3), "image": (2,)}
    inputs = {k: keras.Input(shape[k], name=k) for k in modalities}
    pooled = [
        keras.layers.GlobalMaxPooling1D()(v) if len(v.shape) == 3 else v
        for v in inputs.values()
    ]
    outputs = keras.layers.Dense(1)(keras.layers.concatenate(pooled))
    network = keras.Model(inputs, outputs)
    network.compile("sgd", "mse", metrics=["mae"])
    return network


def record(batches):
    """Samples of the batches in the order in which they are asked for."""
    asked = []
    get = batches.batch

    def recorded(epoch, index):
        inputs, labels = get(epoch, index)
        asked.append((epoch, labels.astype(int).tolist()))
        return inputs, labels

    batches.batch = recorded
    return asked


def test_order_stays_without_shuffle_and_the_last_batch_is_kept():
    part = split(lengths_like_speech(203))
    batches = part.batches(32)
    assert isinstance(batches, keras.utils.PyDataset)
    assert len(batches) == 7
    labels = [batches[index][1] for index in range(7)]
    assert [len(y) for y in labels] == [32] * 6 + [11]
    np.testing.assert_array_equal(np.concatenate(labels), np.arange(203))
    assert labels[0].dtype == np.float32
    with pytest.raises(IndexError, match="Batch 7 of 7"):
        batches[7]


def test_content_is_that_of_the_arrays():
    part = split(lengths_like_speech(40), lengths_like_speech(40, seed=1))
    whole, _ = part.arrays()
    for batches in (part.batches(7), part.batches(7, shuffle=True)):
        for index in range(len(batches)):
            inputs, labels = batches[index]
            rows = labels.astype(int)
            for name, values in inputs.items():
                assert values.dtype == np.float32
                expected = whole[name][rows]
                if values.ndim == 3:
                    steps = values.shape[1]
                    assert not expected[:, steps:].any()
                    expected = expected[:, :steps]
                np.testing.assert_array_equal(values, expected)


def test_shuffle_is_new_every_epoch_and_repeats_under_the_seed():
    part = split(lengths_like_speech())
    batches = part.batches(32, shuffle=True, seed=5)
    twin = part.batches(32, shuffle=True, seed=5)
    orders = []
    for _ in range(3):
        order = np.concatenate([batches[i][1] for i in range(len(batches))])
        again = np.concatenate([twin[i][1] for i in range(len(twin))])
        np.testing.assert_array_equal(order, again)
        assert sorted(order) == list(range(203))
        orders.append(order)
        batches.on_epoch_end()
        twin.on_epoch_end()
    assert not np.array_equal(orders[0], orders[1])
    assert not np.array_equal(orders[1], orders[2])
    other = part.batches(32, shuffle=True, seed=6)
    order = np.concatenate([other[i][1] for i in range(len(other))])
    assert not np.array_equal(orders[0], order)


def test_companions_of_a_sample_change_between_epochs():
    batches = split(lengths_like_speech()).batches(8, shuffle=True)
    companions = set()
    for epoch in range(5):
        for rows in batches.indices(epoch):
            if 0 in rows:
                companions.add(tuple(sorted(rows.tolist())))
    assert len(companions) > 1


def test_shuffled_batches_hold_samples_of_similar_length():
    lengths = lengths_like_speech(1000)
    part = split(lengths)

    def padding(batches):
        total = sum(batches[i][0]["audio"][..., 0].size for i in range(32))
        return 1 - lengths.sum() / total

    static = padding(part.batches(32, buckets=1))
    ordered = padding(part.batches(32))
    bucketed = padding(part.batches(32, shuffle=True))
    assert bucketed < 0.5 * ordered
    assert ordered < static


def test_the_small_batch_is_not_always_that_of_the_longest():
    lengths = np.r_[np.full(60, 4), np.full(5, 100)]
    batches = split(lengths).batches(32, shuffle=True)
    for epoch in range(5):
        (small,) = (r for r in batches.indices(epoch) if len(r) == 1)
        assert lengths[small] == [4]


def test_few_shapes_whatever_the_number_of_modalities():
    """JAX compiles once per shape: count them over several epochs."""
    audio = lengths_like_speech(1000)
    video = lengths_like_speech(1000, seed=1) // 3 + 1
    part = split(audio, video)
    for buckets in (1, 2, 5):
        batches = part.batches(32, shuffle=True, buckets=buckets)
        seen = set()
        for epoch in range(4):
            seen |= shapes(batches, epoch)
        # One more for the batch that is not full.
        assert len(seen) <= buckets + 1
    exact = part.batches(32, shuffle=True, buckets=10**6)
    assert len(shapes(exact)) > 20


def test_lengths_are_multiples_of_the_step_up_to_the_longest():
    part = split([1, 9, 30, 18, 11, 30])
    lengths = {shape[0][1] for shape in shapes(part.batches(1, buckets=4))}
    assert lengths <= {8, 16, 24, 30}
    batches = part.batches(1, buckets=4, max_length=12)
    assert {shape[0][1] for shape in shapes(batches)} <= {3, 6, 9, 12}
    assert batches[2][0]["audio"].shape == (1, 12, 3)
    assert batches[2][0]["audio"].all()


def test_a_modality_missing_everywhere_keeps_one_step_of_padding():
    part = split([3, 5], [0, 0])
    inputs, _ = part.batches(2)[0]
    assert inputs["video"].shape == (2, 1, 3)
    assert not inputs["video"].any()


@settings(max_examples=200, deadline=None)
@given(
    lengths=st.lists(
        st.tuples(st.integers(0, 40), st.integers(0, 5)),
        min_size=1,
        max_size=40,
    ),
    batch_size=st.integers(1, 9),
    buckets=st.integers(1, 9),
    shuffle=st.booleans(),
    start=st.integers(0, 3),
)
def test_first_two_batches_tell_tensorflow_which_lengths_vary(
    lengths, batch_size, buckets, shuffle, start
):
    """The first two batches of any epoch cover the lengths of all later."""
    audio, video = np.array(lengths).T
    batches = split(audio, video).batches(
        batch_size, shuffle, seed=1, buckets=buckets
    )
    first_two = [batches.batch(start, i)[0] for i in range(len(batches))][:2]
    for name, own in (("audio", audio), ("video", video)):
        frozen = {inputs[name].shape[1] for inputs in first_two}
        for epoch in range(start, start + 3):
            rows = batches.indices(epoch)
            assert sorted(np.concatenate(rows)) == list(range(len(audio)))
            for index, samples in enumerate(rows):
                length = batches.batch(epoch, index)[0][name].shape[1]
                assert own[samples].max() <= length <= max(own.max(), 1)
                if len(frozen) == 1:
                    assert length in frozen


@pytest.mark.parametrize("shuffle", [False, True])
@pytest.mark.parametrize("buckets", [1, 4])
def test_fit_evaluate_and_predict_over_ragged_lengths(shuffle, buckets):
    # The first two batches are of the same, short length.
    audio = np.r_[np.full(16, 4), lengths_like_speech(59)]
    part = split(audio)
    network = model()
    batches = part.batches(8, shuffle=shuffle, buckets=buckets)
    asked = record(batches)
    network.fit(batches, validation_data=part.batches(8), epochs=2, verbose=0)
    epochs = sorted({epoch for epoch, _ in asked})[-2:]
    for epoch in epochs:
        # A batch may be asked for once more, for the model's build.
        rows = {tuple(rows) for e, rows in asked if e == epoch}
        assert sorted(r for part in rows for r in part) == list(range(75))
    scores = network.predict(part.batches(8, buckets=buckets), verbose=0)
    inputs, labels = part.arrays()
    expected = network.predict(inputs, batch_size=75, verbose=0)
    np.testing.assert_allclose(scores, expected, rtol=1e-4, atol=1e-4)
    _, error = network.evaluate(part.batches(8), verbose=0)
    np.testing.assert_allclose(
        error, np.abs(expected[:, 0] - labels).mean(), rtol=1e-4
    )


def test_lengths_that_all_stand_in_one_bucket_but_one():
    """Longest first: a batch cannot be padded beyond the longest sample."""
    part = split([20] * 8 + [3] * 4)
    network = model()
    network.fit(part.batches(4), epochs=1, verbose=0)
    assert len(shapes(part.batches(4))) == 1
    assert len(shapes(part.batches(4, shuffle=True))) == 2


@pytest.mark.parametrize("workers", [1, 3])
def test_first_evaluation_counts_every_sample_once(workers):
    """Keras' own enqueuer does not: it reuses batches read for the build."""
    part = split(np.full(120, 3))
    network = model()
    _, error = network.evaluate(part.batches(4, workers=workers), verbose=0)
    inputs, labels = part.arrays()
    scores = network.predict(inputs, verbose=0)[:, 0]
    np.testing.assert_allclose(error, np.abs(scores - labels).mean(), 1e-4)


def test_workers_load_the_same_batches():
    part = split(lengths_like_speech(50), lengths_like_speech(50, seed=2))
    alone = part.batches(16, shuffle=True)
    helped = part.batches(16, shuffle=True, workers=4)
    for index in range(len(alone)):
        for name, values in alone[index][0].items():
            np.testing.assert_array_equal(values, helped[index][0][name])
    network = model(("audio", "video", "image"))
    network.fit(helped, epochs=1, verbose=0)


def test_batches_can_be_pickled():
    batches = split(lengths_like_speech(20)).batches(8, shuffle=True)
    copy = pickle.loads(pickle.dumps(batches))
    np.testing.assert_array_equal(copy[1][1], batches[1][1])


def test_integer_labels_stay_integers():
    part = Split({"image": np.ones((3, 2))}, [0, 1, 2])
    assert part.batches(2)[0][1].dtype.kind == "i"


@pytest.mark.parametrize("name", ["batch_size", "buckets", "workers"])
@pytest.mark.parametrize("value", [0, -1, 1.5, True])
def test_numbers_must_be_positive(name, value):
    arguments = {"batch_size": 2, name: value}
    with pytest.raises(ValueError, match=f"`{name}` must be a positive"):
        Batches(split([1, 2]), **arguments)
    with pytest.raises(ValueError, match="`max_length` must be"):
        Batches(split([1, 2]), 2, max_length=0)


@pytest.mark.once
def test_tf_dataset_gives_the_batches_epoch_by_epoch():
    tf = pytest.importorskip("tensorflow")
    part = split(lengths_like_speech(50))
    dataset = part.to_tf_dataset(16, shuffle=True, seed=3)
    expected = part.batches(16, shuffle=True, seed=3)
    assert int(dataset.cardinality()) == 4
    inputs, labels = dataset.element_spec
    assert inputs["audio"].shape.as_list() == [None, None, 3]
    assert labels.dtype == tf.float32
    for epoch in range(2):
        for index, (inputs, labels) in enumerate(dataset):
            wanted, wanted_labels = expected.batch(epoch, index)
            np.testing.assert_array_equal(labels, wanted_labels)
            for name, values in wanted.items():
                np.testing.assert_array_equal(inputs[name], values)
    with pytest.raises(ValueError, match="at least one sample"):
        part.subset([]).to_tf_dataset(4)


@pytest.mark.once
@pytest.mark.parametrize("num_workers", [0, 1])
def test_torch_loader_gives_the_batches_epoch_by_epoch(num_workers):
    torch = pytest.importorskip("torch")
    part = split(lengths_like_speech(50))
    loader = part.to_torch(16, num_workers=num_workers, shuffle=True, seed=3)
    expected = part.batches(16, shuffle=True, seed=3)
    assert isinstance(loader, torch.utils.data.DataLoader)
    assert len(loader) == 4
    for epoch in range(2):
        for index, (inputs, labels) in enumerate(loader):
            wanted, wanted_labels = expected.batch(epoch, index)
            np.testing.assert_array_equal(labels.numpy(), wanted_labels)
            for name, values in wanted.items():
                np.testing.assert_array_equal(inputs[name].numpy(), values)
