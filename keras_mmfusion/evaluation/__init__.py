"""Evaluation that researchers can trust: sealed runs, robustness, reports."""

from keras_mmfusion.evaluation.baselines import baselines, with_only
from keras_mmfusion.evaluation.directions import lower_is_better
from keras_mmfusion.evaluation.preset_metadata import preset_metadata
from keras_mmfusion.evaluation.result import ModelResult, Result, SeedRun
from keras_mmfusion.evaluation.robustness_suite import (
    SEVERITIES,
    Curve,
    Robustness,
    robustness,
)
from keras_mmfusion.evaluation.runner import run
from keras_mmfusion.evaluation.scoring import Score
from keras_mmfusion.evaluation.trained import trained_model
from keras_mmfusion.evaluation.training import FitSettings

__all__ = [
    "SEVERITIES",
    "Curve",
    "FitSettings",
    "ModelResult",
    "Result",
    "Robustness",
    "Score",
    "SeedRun",
    "baselines",
    "lower_is_better",
    "preset_metadata",
    "robustness",
    "run",
    "trained_model",
    "with_only",
]
