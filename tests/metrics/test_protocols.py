"""Every published protocol against its own code's numbers."""

import re
import warnings

import numpy as np
import pytest

from keras_mmfusion import metrics as m
from tests.metrics.expected import EXPECTED, P, Y, noisy_sentiment

pytestmark = pytest.mark.once

# protocol, stored block, our key -> stored key, tolerance of what is stored.
CASES = [
    (
        "mmsa",
        "MMSA.MetricsTop.regression.mosi",
        {
            "acc2_has0": "Has0_acc_2",
            "f1_has0": "Has0_F1_score",
            "acc2_non0": "Non0_acc_2",
            "f1_non0": "Non0_F1_score",
            "acc5": "Mult_acc_5",
            "acc7": "Mult_acc_7",
            "mae": "MAE",
            "corr": "Corr",
        },
        5e-5,  # rounded to four decimals
    ),
    (
        "sims",
        "MMSA.MetricsTop.regression.sims",
        {
            "acc2_has0": "Mult_acc_2",
            "acc3": "Mult_acc_3",
            "acc5": "Mult_acc_5",
            "f1_has0": "F1_score",
            "mae": "MAE",
            "corr": "Corr",
        },
        5e-5,
    ),
    (
        "mult",
        "MulT.eval_mosi(exclude_zero=True)",
        {
            "mae": "MAE",
            "corr": "Correlation Coefficient",
            "acc7": "mult_acc_7",
            "acc5": "mult_acc_5",
            "f1_non0": "F1 score",
            "acc2_non0": "Accuracy",
        },
        1e-6,
    ),
    (
        "mult",
        "MulT.eval_mosi(exclude_zero=False)",
        {"f1_has0": "F1 score", "acc2_has0": "Accuracy"},
        1e-6,
    ),
    (
        "msaf",
        "MSAF.main_utils",
        {"acc2_non0": "acc2", "f1_non0": "f1", "acc7": "acc7"},
        1e-6,
    ),
    (
        "multibench",
        "MultiBench.eval_affect",
        {"acc2_non0": "exclude_zero", "acc2_has0": "all"},
        1e-6,
    ),
    (
        "misa",
        "MISA.calc_metrics",
        {"acc2_non0": "acc_posneg", "acc2_has0": "acc_nonneg_neg"},
        1e-6,
    ),
    (
        "mag",
        "MAG.test_score_model",
        {
            "mae": "mae_nonzero_only",
            "corr": "corr_nonzero_only",
            "acc2_non0": "acc",
            "f1_non0": "f1",
        },
        1e-6,
    ),
]
KNOWN = ("mmsa", "mult", "misa", "mag", "msaf", "multibench")


def quietly(*args, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return m.evaluate(*args, **options)


def largest_difference(protocol, block, keys):
    """Largest distance to the stored numbers of one block."""
    # The SIMS numbers were made from the same pairs brought into [-1, 1].
    scale = 3.0 if protocol == "sims" else 1.0
    found = quietly(Y / scale, P / scale, protocol=protocol)
    return max(abs(found[a] - EXPECTED[block][b]) for a, b in keys.items())


@pytest.mark.parametrize(("protocol", "block", "keys", "tolerance"), CASES)
def test_protocol_equals_its_own_code(protocol, block, keys, tolerance):
    assert largest_difference(protocol, block, keys) <= tolerance


def test_every_stored_number_is_compared_somewhere():
    compared = {
        (block, k) for _, block, keys, _ in CASES for k in keys.values()
    }
    elsewhere = {
        ("MSAF.main_utils", "n_counted"),
        ("MISA.calc_metrics", "f1_swapped_args_variable_never_printed"),
    }
    repeated = {
        ("MulT.eval_mosi(exclude_zero=False)", key)
        for key in EXPECTED["MulT.eval_mosi(exclude_zero=True)"]
    }
    stored = {
        (block, key)
        for block, values in EXPECTED.items()
        if block != "CCC"
        for key in values
    }
    assert stored - compared - elsewhere - repeated == set()
    counted = EXPECTED["MSAF.main_utils"]["n_counted"]
    assert m.counted_msaf(Y, P) == counted


def test_float32_predictions_give_the_same_protocol_numbers():
    for name in KNOWN:
        a = quietly(Y, P, protocol=name)
        b = quietly(Y.astype("float32"), P.astype("float32"), protocol=name)
        assert a == pytest.approx(b, abs=1e-6)


def test_protocols_disagree_when_labels_are_often_zero():
    y, p = noisy_sentiment(2000, zeros=0.3)
    found = {name: quietly(y, p, protocol=name) for name in KNOWN}
    assert found["mmsa"]["acc2_has0"] < found["mmsa"]["acc2_non0"] - 0.05
    assert found["mag"]["corr"] > found["mmsa"]["corr"] + 0.01
    assert found["msaf"]["acc2_non0"] > found["mmsa"]["acc2_non0"] + 0.01
    assert found["mult"]["acc2_has0"] != found["misa"]["acc2_has0"]


def test_the_default_is_mmsa():
    assert m.evaluate(Y, P) == m.evaluate(Y, P, protocol="mmsa")


def test_defective_protocols_warn_and_sound_ones_do_not():
    for name, message in [
        ("mult", "arguments exchanged.*87.08 instead of 87.06"),
        ("mag", "leave out the 5 samples"),
        ("msaf", "107 of 116 samples"),
    ]:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            m.evaluate(Y, P, protocol=name)
        assert all(w.category is m.ProtocolWarning for w in caught)
        assert re.search(message, " ".join(str(w.message) for w in caught))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for name in ("mmsa", "misa", "multibench"):
            m.evaluate(Y, P, protocol=name)


def test_a_defect_that_does_not_show_is_not_reported():
    y, p = np.array([-1.0, 2.0, 1.5]), np.array([-0.5, 1.0, -0.2])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        m.evaluate(y, p, protocol="msaf")
        m.evaluate(y, p, protocol="mag")


@pytest.mark.parametrize(
    ("y", "p", "protocol", "message"),
    [
        (Y, P, "cmu", "mmsa, mult, misa.*'cmu'"),
        (Y + 4, P, "mmsa", r"\[-3, 3\] for protocol mmsa"),
        (Y, P, "sims", r"\[-1, 1\] for protocol sims"),
        (Y, P[:-1], "mult", "121 labels `y` and 120"),
        ([], [], "mag", "at least one sample"),
        (Y, np.where(P > 2, np.nan, P), "msaf", "NaN"),
        ([5], [[0.1, 0.9]], "classes", "labels up to 5"),
        (Y, P, "affwild2", r"`y` of shape \(N, 2\)"),
        (Y, P, "iemocap", r"`y` of shape \(N, 4\)"),
    ],
)
def test_input_that_does_not_fit_is_refused(y, p, protocol, message):
    with pytest.raises(ValueError, match=message):
        m.evaluate(y, p, protocol=protocol)


def test_one_sample_is_scored_and_its_correlation_is_not_a_number():
    with pytest.warns(m.UndefinedMetricWarning):
        found = m.evaluate([1.0], [1.2])
    assert found["acc7"] == 1.0
    assert np.isnan(found["corr"])


def test_classes_have_top_k_only_where_there_are_enough_scores():
    y = [0, 1, 2, 3]
    assert "top3" not in m.evaluate(y, y, protocol="classes")
    assert "top3" not in m.evaluate([0, 1, 2], np.eye(3), protocol="classes")
    found = m.evaluate(y, np.eye(4), protocol="classes")
    assert found["top3"] == 1.0
    assert "top5" not in found


def test_affwild2_is_the_mean_of_both_outputs():
    random = np.random.default_rng(0)
    y = random.uniform(-1, 1, (50, 2))
    p = y + random.normal(0, 0.3, (50, 2))
    found = m.evaluate(y, p, protocol="affwild2")
    mean = (found["ccc_valence"] + found["ccc_arousal"]) / 2
    assert found["ccc_mean"] == pytest.approx(mean)
    expected = m.concordance_lin(y[:, 0], p[:, 0])
    assert found["ccc_valence"] == pytest.approx(expected)


def test_iemocap_scores_four_emotions_separately():
    y = np.array([[0, 1, 0, 0], [1, 0, 0, 1]])
    found = m.evaluate(y, np.eye(2)[y], protocol="iemocap")
    assert set(found.values()) == {1.0}
    assert len(found) == 8
