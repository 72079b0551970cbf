"""Standardisation leaves padding, holes and missing modalities alone."""

import numpy as np
import pytest

from keras_mmfusion.data import Split, Standardizer

pytestmark = pytest.mark.once


def split():
    random = np.random.default_rng(0)
    audio = random.normal(5.0, 3.0, (6, 8, 3))
    audio[..., 2] = 0.1  # never changes
    audio[1, 5:] = 0.0
    audio[2, 3] = 0.0  # a missing frame
    audio[3] = 0.0  # a missing modality
    image = random.normal(-2.0, 4.0, (6, 2))
    return Split({"audio": audio, "image": image}, np.zeros(6))


def test_real_rows_get_mean_zero_and_deviation_one():
    scaled = Standardizer(split()).transform(split())
    before, _ = split().arrays()
    after, _ = scaled.arrays()
    real = before["audio"].any(axis=-1)
    rows = after["audio"][real]
    np.testing.assert_allclose(rows.mean(axis=0), 0.0, atol=1e-6)
    np.testing.assert_allclose(rows.std(axis=0)[:2], 1.0, rtol=1e-5)
    np.testing.assert_allclose(rows[:, 2], 0.0, atol=1e-6)
    np.testing.assert_allclose(after["image"].std(axis=0), 1.0, rtol=1e-5)


def test_zero_rows_stay_zero_and_lengths_stay():
    before, _ = split().arrays()
    scaled = Standardizer(split()).transform(split())
    after, _ = scaled.arrays()
    np.testing.assert_array_equal(
        before["audio"].any(axis=-1), after["audio"].any(axis=-1)
    )
    for name in ("audio", "image"):
        np.testing.assert_array_equal(
            scaled.features[name].lengths(), split().features[name].lengths()
        )


def test_a_row_equal_to_the_mean_does_not_become_padding():
    audio = np.array([[[1.0, 4.0], [3.0, 8.0], [2.0, 6.0], [0.0, 0.0]]])
    scaled = Standardizer(Split({"x": audio}, [0])).transform(
        Split({"x": audio}, [0])
    )
    inputs, _ = scaled.arrays()
    assert inputs["x"][0, 2].any()
    assert np.abs(inputs["x"][0, 2]).max() <= 1e-6
    vector = Split({"x": np.array([[2.0], [2.0]])}, [0, 1])
    alone = Standardizer(vector).transform(vector)
    assert alone.features["x"][0].any()


def test_arrays_and_splits_are_scaled_alike():
    standardizer = Standardizer(split(), modalities=["audio"])
    before, _ = split().arrays()
    after, _ = standardizer.transform(split()).arrays()
    direct = standardizer(before)
    np.testing.assert_array_equal(direct["audio"], after["audio"])
    np.testing.assert_array_equal(direct["image"], before["image"])
    assert direct["audio"].dtype == np.float32


def test_statistics_are_those_of_the_training_split_alone():
    train = Split({"x": np.array([[1.0], [3.0]])}, [0, 1])
    test = Split({"x": np.array([[5.0]])}, [0], ids=["a"])
    scaled = Standardizer(train).transform(test)
    assert scaled.features["x"][0].tolist() == [3.0]
    assert scaled.ids == ["a"]


def test_unknown_modality_is_an_error():
    with pytest.raises(ValueError, match=r"'audio', 'image'.*'text'"):
        Standardizer(split(), modalities=["text"])


def test_a_value_that_is_no_number_is_named():
    x = np.ones((4, 3))
    x[2, 1] = np.nan
    with pytest.raises(ValueError, match=r"'sensor'.*in sample 2"):
        Standardizer(Split({"sensor": x}, np.arange(4)))
