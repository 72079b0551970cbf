"""Checks at the data boundary."""

import tracemalloc

import keras
import numpy as np
import pytest

from keras_mmfusion.data import check_inputs, check_labels

SHAPES = {"audio": (None, 40), "video": (None, 35), "image": (4,)}


def batch(**changes):
    inputs = {
        "audio": np.ones((3, 7, 40), np.float32),
        "video": np.ones((3, 5, 35), np.float32),
        "image": np.ones((3, 4), np.float32),
    }
    return inputs | changes


def without(name):
    inputs = batch()
    del inputs[name]
    return inputs


def spoiled(value):
    audio = np.ones((3, 7, 40), np.float32)
    audio[1, 2, 3:5] = value
    audio[2, 0, 0] = value
    return audio


def ragged():
    audio = np.empty(3, object)
    audio[:] = [np.ones((n, 40)) for n in (1, 2, 3)]
    return audio


BAD_INPUTS = {
    "missing": (without("image"), "Missing: .'image'.*all zeros"),
    "unknown": (batch(speech=np.ones((3, 4))), "Unknown: .'speech'"),
    "misspelled": (
        without("video") | {"vidoe": np.ones((3, 5, 35))},
        "Did you mean 'video' instead of 'vidoe'",
    ),
    "not a dict": (np.ones((3, 7, 40)), "dict from modality.*ndarray"),
    "a list": (batch(image=[[1, 2, 3, 4]] * 3), "'image' must be an array"),
    "rank": (batch(image=np.ones((3, 1, 4))), "'image' must have 2 axes"),
    "one sample": (batch(audio=np.ones((7, 40))), r"array\[None\]"),
    "width": (
        batch(audio=np.ones((3, 7, 41))),
        r"'audio' must have shape \(batch, any, 40\).*\(3, 7, 41\)",
    ),
    "beyond float32": (
        batch(image=np.full((3, 4), 1e39)),
        "'image' must be finite.*12 infinite",
    ),
    "byte order": (
        batch(image=np.ones((3, 4), ">f4")),
        "'image' must have this machine's byte order.*>f4.*newbyteorder",
    ),
    "batch sizes": (
        batch(image=np.ones((2, 4))),
        "'audio': 3, 'video': 3, 'image': 2",
    ),
    "empty": (
        {k: v[:0] for k, v in batch().items()},
        "at least one sample",
    ),
    "no steps": (
        batch(audio=np.ones((3, 0, 40))),
        "'audio' must not have an empty axis.*one step of zeros",
    ),
    "nan": (
        batch(audio=spoiled(np.nan)),
        "'audio' must be finite.*3 NaN and 0 infinite.*first in sample 1",
    ),
    "inf": (
        batch(audio=spoiled(-np.inf)),
        "0 NaN and 3 infinite values, the first in sample 1",
    ),
    "nan in a vector": (
        batch(image=np.array([[0, 0, 0, 0], [0, 0, 0, 0], [0, np.nan, 0, 0]])),
        "'image' must be finite.*sample 2",
    ),
    "objects": (batch(audio=ragged()), "real numbers.*dtype object"),
    "text": (batch(image=np.full((3, 4), "a")), "real numbers.*dtype <U1"),
    "complex": (batch(image=np.ones((3, 4), complex)), "dtype complex128"),
}


@pytest.mark.parametrize("case", BAD_INPUTS)
def test_bad_inputs(case):
    inputs, message = BAD_INPUTS[case]
    with pytest.raises(ValueError, match=message):
        check_inputs(inputs, SHAPES)


def test_good_inputs_pass():
    check_inputs(batch(), SHAPES)
    check_inputs(batch(audio=np.zeros((3, 9, 40))), SHAPES)
    check_inputs(batch(image=np.ones((3, 4), np.int64)), SHAPES)


def test_tensors_are_checked_for_their_shape_alone():
    image = np.full((3, 4), np.nan, np.float32)
    check_inputs(batch(image=keras.ops.convert_to_tensor(image)), SHAPES)
    check_inputs(batch(image=keras.KerasTensor((None, 4))), SHAPES)
    with pytest.raises(ValueError, match="'image' must have shape"):
        check_inputs(batch(image=keras.KerasTensor((None, 5))), SHAPES)


def test_large_arrays_are_not_copied():
    audio = np.ones((64, 2000, 40), np.float32)
    tracemalloc.start()
    try:
        check_inputs({"audio": audio}, {"audio": (None, 40)})
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # A boolean per value would take 5 MB.
    assert peak < audio.size / 5


BAD_LABELS = {
    "too few": (np.zeros(2), {"num_samples": 3}, "Expected 3 .*2 labels"),
    "width": (
        np.zeros((3, 2)),
        {"num_outputs": 3},
        r"shape \(N, 3\).*\(3, 2\)",
    ),
    "width of a vector": (np.zeros(3), {"num_outputs": 2}, r"\(N, 2\)"),
    "byte order": (np.ones(3, ">i4"), {}, "Labels must have this machine's"),
    "nan": (np.array([1.0, np.nan]), {}, "1 NaN .* sample 1.*Drop"),
    "inf": (np.array([np.inf, 0.0]), {}, "1 infinite .* sample 0"),
    "too large": (
        np.array([0, 3, 1]),
        {"num_classes": 3},
        r"0\.\.2\. Received: 1 others, the first is 3 of sample 1",
    ),
    "negative": (np.array([0, -1]), {"num_classes": 3}, "first is -1"),
    "fraction": (np.array([0.0, 0.5]), {"num_classes": 3}, "first is 0.5"),
    "one-hot": (np.eye(3), {"num_classes": 3}, "argmax"),
    "text": (np.array(["a"]), {}, "dtype <U1"),
    "empty": (np.zeros(0), {}, "at least one label"),
    "ragged": ([[1, 2], [3]], {}, "different lengths"),
    "rank": (np.zeros((2, 2, 2)), {}, r"shape \(2, 2, 2\)"),
}


@pytest.mark.parametrize("case", BAD_LABELS)
def test_bad_labels(case):
    labels, arguments, message = BAD_LABELS[case]
    with pytest.raises(ValueError, match=message):
        check_labels(labels, **arguments)


def test_good_labels_pass():
    check_labels(np.array([0, 1, 2]), num_samples=3, num_classes=3)
    check_labels(np.array([[0.0], [2.0]]), num_classes=3)
    check_labels([0, 1], num_classes=2)
    check_labels(np.zeros((4, 3)), num_samples=4, num_outputs=3)
    check_labels(np.zeros(4), num_outputs=1)
