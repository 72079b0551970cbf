"""Windows of sequences, and their overlaps averaged back."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_mmfusion.data import (
    Ragged,
    Split,
    average_overlaps,
    split_windows,
)
from keras_mmfusion.data.windows import Window

pytestmark = pytest.mark.once


def videos(*lengths, seed=0):
    """Sequences of the given lengths with values that are never zero."""
    random = np.random.default_rng(seed)
    values = random.uniform(0.1, 1, (sum(lengths), 3))
    labels = np.full((len(lengths), max(lengths), 2), -5.0)
    for row, length in zip(labels, lengths, strict=True):
        row[:length] = random.uniform(-1, 1, (length, 2))
    names = [f"batch/{n}" for n in range(len(lengths))]
    column = Ragged(values, np.append(0, np.cumsum(lengths)))
    return Split({"audio": column}, labels, names, {"video": names})


def windows_by_hand(length, window, hop):
    """Hops from the start, and one window that ends with the video."""
    if length <= window:
        return [(0, length)]
    starts = []
    start = 0
    while start + window < length:
        starts.append(start)
        start += hop
    return [(s, s + window) for s in [*starts, length - window]]


@given(
    st.lists(st.integers(1, 60), min_size=1, max_size=4),
    st.integers(1, 20),
    st.data(),
)
@settings(max_examples=100, deadline=None)
def test_there_and_back_is_the_identity(lengths, window, data):
    hop = data.draw(st.integers(1, window))
    split = videos(*lengths)
    cut = split_windows(split, window, hop)
    back = average_overlaps(cut.labels, cut.ids)
    assert list(back) == split.ids
    features, _ = cut.arrays()
    audio = average_overlaps(features["audio"], cut.ids)
    for index, (name, length) in enumerate(
        zip(split.ids, lengths, strict=True)
    ):
        np.testing.assert_array_equal(back[name], split.labels[index, :length])
        np.testing.assert_array_equal(
            audio[name], split.features["audio"][index]
        )
        own = [Window.from_id(i) for i in cut.ids]
        spans = [(w.start, w.stop) for w in own if w.sequence == name]
        assert spans == windows_by_hand(length, window, hop)


def test_published_windows():
    cut = split_windows(videos(1000, 700, 299))
    assert [i.split("/")[2] for i in cut.ids] == [
        "00001-00300",
        "00201-00500",
        "00401-00700",
        "00601-00900",
        "00701-01000",  # the last one ends with the video
        "00001-00300",
        "00201-00500",
        "00401-00700",
        "00001-00299",  # padded
    ]
    assert cut.labels.shape == (9, 300, 2)
    assert (cut.labels[8, 299] == -5).all()
    assert cut.features["audio"].lengths().tolist() == [300] * 8 + [299]
    assert cut.groups["video"].tolist()[:2] == ["batch/0"] * 2
    assert cut.batches(4)[0][0]["audio"].shape == (4, 300, 3)


def test_overlaps_are_averaged_frame_by_frame():
    p = np.array([[1.0, 2, 3, 4], [5, 6, 7, 8]])[..., None]
    found = average_overlaps(p, ["v/00001-00004", "v/00003-00006"])
    assert found["v"][:, 0].tolist() == [1, 2, 4, 5, 7, 8]
    # Steps beyond a window's end are padding.
    found = average_overlaps(p, ["v/00001-00004", "w/00001-00002"])
    assert found["w"][:, 0].tolist() == [5, 6]
    assert found["v"].dtype == np.float64
    assert (
        average_overlaps(p[:1].astype("float32"), ["v/00001-00004"])["v"].dtype
        == np.float32
    )


def test_annotations_and_zeros_inside_stay():
    split = videos(10)
    split.labels[0, 3:6] = -5
    split.labels[0, 9] = -5
    values = np.ones((10, 3))
    values[4:6] = 0
    split.features["audio"] = Ragged(values, [0, 10])
    cut = split_windows(split, 4, 2)
    back = average_overlaps(cut.labels, cut.ids)["batch/0"]
    np.testing.assert_array_equal(back, split.labels[0])
    inputs, _ = cut.arrays()
    assert inputs["audio"][1].any(axis=1).tolist() == [True, True, False, False]


def test_features_are_views():
    values = np.ones((50, 8), np.float32)
    column = Ragged(values, [0, 50])
    cut = split_windows(Split({"x": column}, np.zeros((1, 50, 1))), 20, 10)
    for index in range(len(cut)):
        assert np.shares_memory(cut.features["x"][index], values)


def test_sequences_without_steps_have_no_window():
    column = Ragged(np.ones((5, 2)), [0, 0, 5])
    labels = np.full((2, 5, 1), -5.0)
    cut = split_windows(Split({"x": column}, labels, ["a", "b"]), 3, 3)
    assert cut.ids == ["b/00001-00003", "b/00003-00005"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"window": 0}, "`window` must be a positive"),
        ({"window": 2.0}, "`window` must be a positive"),
        ({"hop": -1}, "`hop` must be a positive"),
        ({"window": 4, "hop": 5}, "at most `window`"),
    ],
)
def test_bad_windows(arguments, message):
    with pytest.raises(ValueError, match=message):
        split_windows(videos(10), **arguments)


def test_what_has_no_windows():
    single = Split({"x": np.ones((2, 4, 3))}, [0.0, 1.0])
    with pytest.raises(ValueError, match="a label at every step"):
        split_windows(single)
    image = Split({"x": np.ones((2, 3))}, np.zeros((2, 4, 1)))
    with pytest.raises(ValueError, match=r"without steps: \['x'\]"):
        split_windows(image)


BAD_VALUES = {
    "fewer windows": (np.zeros((1, 4)), ["v/00001-00004"] * 2, "2 windows"),
    "integers": (np.zeros((1, 4), int), ["v/00001-00004"], "real numbers"),
    "one number": (np.zeros(1), ["v/00001-00004"], "real numbers"),
    "too few steps": (np.zeros((1, 3)), ["v/00001-00004"], "all steps"),
    "other ids": (np.zeros((1, 4)), ["1-30/00001"], "ids of windows"),
    "backwards": (np.zeros((1, 4)), ["v/00004-00001"], "ids of windows"),
    "a hole": (
        np.zeros((2, 4)),
        ["v/00001-00004", "v/00007-00010"],
        "No window covers step 5 of 'v'",
    ),
}


@pytest.mark.parametrize("case", BAD_VALUES)
def test_bad_values(case):
    values, ids, message = BAD_VALUES[case]
    with pytest.raises(ValueError, match=message):
        average_overlaps(values, ids)
