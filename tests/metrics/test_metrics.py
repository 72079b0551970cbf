"""The room as a whole: what it exports and what its parts import."""

import ast
from pathlib import Path

import pytest

from keras_mmfusion import metrics

pytestmark = pytest.mark.once
FILES = sorted(Path(metrics.__file__).parent.glob("*.py"))


def imported(path):
    """Names of all modules that a file imports."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_only_keras_files_import_keras(path):
    names = set(imported(path))
    uses_keras = any(n.split(".")[0] == "keras" for n in names)
    assert uses_keras == path.name.startswith("keras_")
    rooms = {n.split(".")[1] for n in names if n.startswith("keras_mmfusion.")}
    assert rooms <= {"metrics", "ops", "types"}


def test_everything_exported_is_documented():
    for name in metrics.__all__:
        value = getattr(metrics, name)
        if callable(value):
            assert value.__doc__, name
            assert value.__module__.startswith("keras_mmfusion.metrics"), name


def test_every_keras_metric_is_registered():
    from keras.saving import get_registered_object

    for name in (
        "SentimentAccuracy",
        "SentimentF1",
        "PearsonCorrelation",
        "ConcordanceCorrelation",
    ):
        found = get_registered_object(f"keras_mmfusion>{name}")
        assert found is getattr(metrics, name)
