"""Classification metrics against scikit-learn, and IEMOCAP's four tasks."""

import numpy as np
import pytest
from sklearn import metrics as sk

from keras_mmfusion import metrics as m

pytestmark = pytest.mark.once


def scores(samples=200, classes=7, seed=0):
    """Labels that never name the last class; scores that often hit."""
    random = np.random.default_rng(seed)
    y = random.integers(0, classes - 1, samples)
    return y, np.eye(classes)[y] + random.normal(0, 0.7, (samples, classes))


@pytest.mark.parametrize("seed", range(3))
def test_values_equal_scikit_learn(seed):
    y, p = scores(seed=seed)
    guess = p.argmax(1)
    for ours, theirs in [
        (m.accuracy(y, p), sk.accuracy_score(y, guess)),
        (m.f1_weighted(y, p), sk.f1_score(y, guess, average="weighted")),
        (m.f1_macro(y, p), sk.f1_score(y, guess, average="macro")),
        (
            m.f1_weighted_swapped(y, p),
            sk.f1_score(guess, y, average="weighted"),
        ),
        (
            m.balanced_accuracy(y, p),
            sk.recall_score(y, guess, average="macro", labels=np.unique(y)),
        ),
        (
            m.top_k_accuracy(y, p, k=3),
            sk.top_k_accuracy_score(y, p, k=3, labels=np.arange(7)),
        ),
    ]:
        assert ours == pytest.approx(theirs, abs=1e-12)
    np.testing.assert_array_equal(
        m.confusion_matrix(y, p),
        sk.confusion_matrix(y, guess, labels=np.arange(7)),
    )


def test_all_ways_of_writing_labels_and_predictions_agree():
    y, p = scores()
    expected = m.f1_weighted(y, p)
    hot = np.eye(7)[y]
    softmax = np.exp(p) / np.exp(p).sum(1, keepdims=True)
    for truth, guess in [(hot, p), (y[:, None], softmax), (y, p.argmax(1))]:
        assert m.f1_weighted(truth, guess) == expected


def test_balanced_accuracy_is_the_weighted_accuracy_of_mosei_emotions():
    y, p = np.array([1] * 10 + [0] * 90), np.array([1] * 5 + [0] * 95)
    tp, tn, positives, negatives = 5, 90, 10, 90
    weighted = (tp * negatives / positives + tn) / (2 * negatives)
    assert m.balanced_accuracy(y, p) == pytest.approx(weighted)


def test_equal_scores_are_no_guess():
    y = [0, 1, 2, 3]
    assert m.top_k_accuracy(y, np.zeros((4, 4)), k=3) == 0.0
    assert m.accuracy(y, np.zeros((4, 4))) == 0.25


def test_top_one_is_accuracy():
    y, p = scores()
    assert m.top_k_accuracy(y, p, k=1) == m.accuracy(y, p)


@pytest.mark.parametrize(
    ("p", "k", "message"),
    [
        ([0, 1], 2, r"scores of shape \(N, classes\)"),
        (np.eye(2), 2, "`k` from 1 to 1"),
        (np.eye(2), 0, "Received: 0"),
    ],
)
def test_top_k_refuses_what_it_cannot_rank(p, k, message):
    with pytest.raises(ValueError, match=message):
        m.top_k_accuracy([0, 1], p, k=k)


def emotions(samples=80):
    random = np.random.default_rng(0)
    y = random.integers(0, 2, (samples, 4))
    return y, np.eye(2)[y] + random.normal(0, 0.6, (samples, 4, 2))


def test_each_emotion_is_its_own_task():
    y, p = emotions()
    for i, emotion in enumerate(m.IEMOCAP_EMOTIONS):
        guess = p[:, i].argmax(-1)
        assert m.iemocap_accuracy(y, p, emotion=emotion) == (
            (guess == y[:, i]).mean()
        )
        assert m.iemocap_f1(y, p, emotion=emotion) == pytest.approx(
            sk.f1_score(y[:, i], guess, average="weighted")
        )


def test_iemocap_labels_may_be_one_hot():
    y, p = emotions()
    expected = m.iemocap_f1(y, p, emotion="sad")
    assert m.iemocap_f1(np.eye(2)[y], p, emotion="sad") == expected


@pytest.mark.parametrize(
    ("y", "p", "emotion", "message"),
    [
        (np.zeros((2, 4)), np.zeros((2, 4, 2)), "bored", "neutral, happy"),
        (np.zeros((2, 6)), np.zeros((2, 4, 2)), "sad", r"shape \(N, 4\)"),
        (np.full((2, 4), 3), np.zeros((2, 4, 2)), "sad", "another protocol"),
        (np.zeros((2, 4)), np.zeros((2, 8)), "sad", r"shape \(N, 4, 2\)"),
        (np.zeros((2, 4)), np.zeros((3, 4, 2)), "sad", "2 labels `y` and 3"),
    ],
)
def test_iemocap_refuses_other_layouts(y, p, emotion, message):
    with pytest.raises(ValueError, match=message):
        m.iemocap_accuracy(y, p, emotion=emotion)
