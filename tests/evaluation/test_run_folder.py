"""A run without a directory leaves none."""

import tempfile

import pytest

from keras_mmfusion.evaluation import run
from tests.evaluation.tiny import FIT, dataset, linear


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def runs(folder):
    return list(folder.glob("keras_mmfusion_run_*"))


def test_nothing_is_left_of_a_run(temporary):
    result = run(linear(), dataset(), seeds=1, fit=FIT, verbose=0)
    assert result.first.scores
    assert not runs(temporary)


@pytest.mark.once
def test_nothing_is_left_after_an_error(temporary):
    with pytest.raises(ValueError, match="val_"):
        run(linear(), dataset(), select="loss", verbose=0)
    assert not runs(temporary)
