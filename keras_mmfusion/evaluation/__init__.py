"""Evaluation that researchers can trust: sealed runs, robustness, reports."""

from keras_mmfusion.evaluation.attention_ladder import attention_ladder
from keras_mmfusion.evaluation.baselines import baselines, with_only
from keras_mmfusion.evaluation.directions import lower_is_better
from keras_mmfusion.evaluation.findings import (
    add_robustness,
    comparison_in_words,
    corruption_in_words,
)
from keras_mmfusion.evaluation.folds import pool_folds, pool_robustness
from keras_mmfusion.evaluation.late_fusion import add_late_fusion
from keras_mmfusion.evaluation.preset_metadata import preset_metadata
from keras_mmfusion.evaluation.result import ModelResult, Result, SeedRun
from keras_mmfusion.evaluation.robustness_difference import (
    Difference,
    robustness_difference,
)
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
from keras_mmfusion.evaluation.videos import report_videos

__all__ = [
    "SEVERITIES",
    "Curve",
    "Difference",
    "FitSettings",
    "ModelResult",
    "Result",
    "Robustness",
    "Score",
    "SeedRun",
    "add_late_fusion",
    "add_robustness",
    "attention_ladder",
    "baselines",
    "comparison_in_words",
    "corruption_in_words",
    "lower_is_better",
    "pool_folds",
    "pool_robustness",
    "preset_metadata",
    "report_videos",
    "robustness",
    "robustness_difference",
    "run",
    "trained_model",
    "with_only",
]
