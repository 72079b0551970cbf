"""One run that many tests look at."""

from pathlib import Path

import pytest

from keras_mmfusion.evaluation import Result
from tests.evaluation.tiny import Guarded, linear, small_run

BUILDS = {
    "image": {
        "slow": linear("image", 0.001),
        "fast": linear("image", 0.2),
    },
    "audio": linear("audio"),
}


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("run")


@pytest.fixture(scope="session")
def result(folder: Path) -> Result:
    """Two models, one with two candidates; the test split is guarded."""
    return small_run(
        BUILDS, Guarded(folder), folder, groups="recording", name="A run"
    )
