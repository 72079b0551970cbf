import json

import numpy as np
import pytest

from keras_mmfusion.evaluation import Curve, Result, Robustness
from tests.evaluation.conftest import BUILDS
from tests.evaluation.tiny import dataset, linear, same, small_run

CURVES = Robustness(
    "accuracy",
    0.9,
    48,
    3,
    0,
    (Curve("noise", "image", (0.0, 1.0), (0.9, np.nan), (0.0, 0.1)),),
)


def test_a_saved_result_is_read_back(result, tmp_path):
    result.robustness["image"] = CURVES
    result.save(tmp_path)
    del result.robustness["image"]
    again = Result.load(tmp_path)
    same(again, result)
    assert again.ids == result.ids
    np.testing.assert_array_equal(again.labels, result.labels)
    np.testing.assert_array_equal(again.groups, result.groups)
    assert again.floors == result.floors
    assert again.warnings == result.warnings
    assert again.choices == result.choices
    curve = again.robustness["image"].curve("noise", "image")
    assert np.isnan(curve.mean[1])
    assert curve.severities == (0.0, 1.0)


@pytest.mark.once
def test_the_files_are_plain(result, folder):
    def refuse(constant):
        raise AssertionError(constant)

    text = (folder / "result.json").read_text()
    data = json.loads(text, parse_constant=refuse)
    assert data["models"]["image"]["scores"]["accuracy"]["mean"] > 0.4
    with np.load(folder / "predictions.npz", allow_pickle=False) as arrays:
        assert arrays["predictions/image"].shape == (2, 48, 3)
        assert arrays["ids"].tolist() == result.ids
    html = (folder / "report.html").read_text()
    assert "A run" in html


@pytest.mark.once
def test_the_text_shows_models_floors_and_tests(result):
    text = str(result)
    score = result.models["audio"].scores["accuracy"]
    assert f"audio                    {score}" in text
    assert "majority class of train" in text
    assert "over 8 groups (recording)" in " ".join(text.split())
    assert "audio minus image: sign-flip test" in text
    assert max(map(len, text.splitlines())) <= 79


@pytest.mark.once
def test_the_best_seed_follows_the_direction(result):
    model = result.models["image"]
    values = {run.seed: run.value for run in model.runs}
    assert model.best_seed(lower=True) == min(values, key=values.get)
    assert model.best_seed(lower=False) == max(values, key=values.get)


@pytest.mark.once
@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("result.json", b"{}", "must have format 1"),
        ("result.json", b'{"format": 2}', "Received: 2"),
        ("result.json", b'{"format": 1}', "do not fit"),
        ("predictions.npz", b"", "not an .npz file"),
    ],
)
def test_damaged_results_are_refused(result, tmp_path, file, content, message):
    result.save(tmp_path)
    (tmp_path / file).write_bytes(content)
    with pytest.raises(ValueError, match=message):
        Result.load(tmp_path)
    with pytest.raises(FileNotFoundError, match="finished run"):
        Result.load(tmp_path / "none")


@pytest.mark.once
def test_a_result_can_be_compared_later(result, folder):
    tests = result.compare(folder)
    assert [name for name, _, _ in tests] == ["image", "audio"]
    assert tests[0][2].difference == 0
    assert tests[0][2].p_value == 1
    assert tests[1][2] == result.paired[0][2]
    own = small_run(
        linear(),
        dataset(),
        seeds=1,
        protocol={"hits": lambda y, p: float((p.argmax(1) == y).mean())},
    )
    assert own.first.scores["hits"].mean > 0.4
    with pytest.raises(ValueError, match="its own functions"):
        own.compare(result)


@pytest.mark.once
def test_other_labels_for_the_same_ids_are_refused(result, folder):
    other = Result.load(folder)
    other.labels = (other.labels + 1) % 3
    with pytest.raises(ValueError, match="other labels"):
        result.compare(other)
    assert list(result.models) == list(BUILDS)
