"""How a model's score falls as its inputs get worse."""

import time
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from keras_mmfusion import metrics
from keras_mmfusion.data import Split
from keras_mmfusion.data.batches import Transform
from keras_mmfusion.evaluation.corrupter import Corrupter
from keras_mmfusion.evaluation.files import json_object, number
from keras_mmfusion.evaluation.scoring import mean_absolute_error
from keras_mmfusion.evaluation.training import (
    input_modalities,
    predictions,
    restricted,
)
from keras_mmfusion.metrics.additive import additive_form
from keras_mmfusion.types import Array, Metric

# Severity is, in this order: share of samples; share of a sequence's steps;
# the same; deviations of a feature; share of the median length; of samples.
SEVERITIES: dict[str, tuple[float, ...]] = {
    "missing modality": (0.0, 0.25, 0.5, 0.75, 1.0),
    "missing block": (0.0, 0.2, 0.4, 0.6, 0.8),
    "missing frames": (0.0, 0.2, 0.4, 0.6, 0.8),
    "noise": (0.0, 0.5, 1.0, 2.0),
    "time shift": (0.0, 0.1, 0.25, 0.5),
    "swapped partner": (0.0, 0.25, 0.5, 0.75, 1.0),
}
# No random numbers at these severities.
_CERTAIN = {"missing modality": (1.0,), "time shift": SEVERITIES["time shift"]}


@dataclass(frozen=True)
class Curve:
    """Score over the severity of one corruption of one modality.

    Attributes:
        corruption: A key of `SEVERITIES`.
        modality: Modality that is corrupted, or "all".
        severities: From 0, which is the clean data.
        mean: Score at each severity, averaged over the repeats.
        std: Standard deviation over the repeats; 0 where nothing is random.
    """

    corruption: str
    modality: str
    severities: tuple[float, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]

    @property
    def area(self) -> float:
        """Area under the curve over its width: the mean score."""
        x, y = np.asarray(self.severities), np.asarray(self.mean)
        area = float(((y[1:] + y[:-1]) / 2 * np.diff(x)).sum())
        return area / (x[-1] - x[0])

    def to_dict(self) -> dict[str, Any]:
        """Plain values, with the area."""
        return {
            "corruption": self.corruption,
            "modality": self.modality,
            "severities": list(self.severities),
            "mean": list(self.mean),
            "std": list(self.std),
            "area": self.area,
        }


@dataclass(frozen=True)
class Robustness:
    """Curves of one model. `print` shows the areas under them.

    Attributes:
        metric: Name of the score.
        clean: Score on the clean data.
        samples: Number of samples.
        repeats: Draws of each random corruption.
        seed: Seed of the first draw.
        curves: One per corruption and modality.
    """

    metric: str
    clean: float
    samples: int
    repeats: int
    seed: int
    curves: tuple[Curve, ...]

    def curve(self, corruption: str, modality: str) -> Curve:
        """The curve of one corruption and modality.

        Raises:
            ValueError: If there is none.
        """
        for curve in self.curves:
            if (curve.corruption, curve.modality) == (corruption, modality):
                return curve
        known = [(c.corruption, c.modality) for c in self.curves]
        raise ValueError(
            f"Expected one of {known}. Received: {(corruption, modality)}"
        )

    def __str__(self) -> str:
        """Table of worst scores and areas."""
        lines = [
            f"{self.metric} on {self.samples} samples: {self.clean:.3f} clean",
            f"{'corruption':<17} {'modality':<10} {'up to':>6} "
            f"{'score there':>12} {'area':>7}",
        ]
        for c in self.curves:
            lines.append(
                f"{c.corruption:<17} {c.modality:<10} {c.severities[-1]:>6g} "
                f"{c.mean[-1]:>12.3f} {c.area:>7.3f}"
            )
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON; numbers that are not finite become None."""
        return json_object(
            {
                "metric": self.metric,
                "clean": self.clean,
                "samples": self.samples,
                "repeats": self.repeats,
                "seed": self.seed,
                "curves": [curve.to_dict() for curve in self.curves],
            }
        )

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "Robustness":
        """The curves that `to_dict` wrote."""
        curves = tuple(
            Curve(
                c["corruption"],
                c["modality"],
                tuple(c["severities"]),
                tuple(number(value) for value in c["mean"]),
                tuple(number(value) for value in c["std"]),
            )
            for c in data["curves"]
        )
        names = ("samples", "repeats", "seed")
        rest = {name: data[name] for name in names}
        return cls(data["metric"], number(data["clean"]), curves=curves, **rest)


def robustness(
    model: Any,
    split: Split,
    severities: Mapping[str, Sequence[float]] | None = None,
    metric: str | Metric | None = None,
    repeats: int = 3,
    seed: int = 0,
    batch_size: int = 256,
    max_length: int | None = None,
    output: str | None = None,
    verbose: int = 1,
) -> Robustness:
    """Scores a model on corrupted data, corruption by corruption.

    | corruption | what happens | severity |
    | --- | --- | --- |
    | missing modality | zeros for whole samples | share of samples |
    | missing block | one block of zeros | share of a sequence's steps |
    | missing frames | single steps of zeros | share of steps |
    | noise | Gaussian, at each step and feature | in feature deviations |
    | time shift | in a circle, against the others | share of median length |
    | swapped partner | modality of another sample | share of samples |

    Each is done to each modality it applies to, and, except the last two, to
    all modalities together. The data is read in batches for every point.

    Args:
        model: A Keras model with dict inputs.
        split: The samples; in a sealed run the test split, after the run.
        severities: Which corruptions at which severities, such as
            `{"noise": (0.5, 1.0)}`; default `SEVERITIES`. 0 is added.
        metric: Name of a function in `metrics`, or a function (y, p) ->
            float. Default: accuracy if labels are whole numbers, (N,) or
            (N, 1), or one-hot rows and the model has several outputs, else
            the mean absolute error over samples and columns.
        repeats: Draws of each random corruption.
        seed: Seed of the first draw.
        batch_size: Samples in a batch.
        max_length: Sequences are cut to this many steps.
        output: Which output is scored, of a model that returns a dict; "sum"
            for the sum of all, as for `MSAF` with `combine="none"`; models
            with one output are scored by that.
        verbose: 1 for a line per curve.

    Returns:
        A `Robustness`; `plotting.robustness.plot_robustness` draws it.

    Raises:
        ValueError: For an unknown corruption, modality or metric, a
            severity out of range, or if no metric was given and none suits
            the labels and predictions.

    Example:

    ```python
    import keras
    import numpy as np
    from keras_mmfusion.data import Split
    from keras_mmfusion.evaluation import robustness

    x = np.random.default_rng(0).normal(size=(40, 3))
    split = Split({"sensor": x}, labels=x.sum(axis=1))
    inputs = {"sensor": keras.Input((3,), name="sensor")}
    layer = keras.layers.Dense(1, kernel_initializer="ones")
    model = keras.Model(inputs, layer(inputs["sensor"]))
    curves = robustness(model, split, {"noise": (0.5, 1.0)}, verbose=0)
    assert curves.clean < curves.curve("noise", "sensor").mean[-1]
    ```
    """
    wanted = _checked(severities)
    if repeats < 1:
        raise ValueError(
            f"`repeats` must be 1 or more. Received: repeats={repeats}"
        )
    if split.per_step and not callable(metric):
        raise ValueError(
            "Labels at every step, (N, T, K), need `metric` to be a function "
            f"(y, p) -> float. Received: metric={metric!r}"
        )
    part = restricted(split, input_modalities(model, split.modalities))

    def predict(one: Split, transform: Transform | None, draw: int) -> Array:
        batches = one.batches(
            batch_size, seed=draw, max_length=max_length, transform=transform
        )
        result: Array = predictions(model, batches, output)
        return result

    guess = predict(part, None, 0)
    name, score = _metric(metric, part.labels, guess)
    clean = score(part.labels, guess)
    maker = Corrupter(part, wanted)
    curves = []
    for corruption, modality in maker.pairs():
        start = time.monotonic()
        mean, std = [clean], [0.0]
        for severity in wanted[corruption][1:]:
            certain = severity in _CERTAIN.get(corruption, ())
            values = [
                score(part.labels, predict(*changed, draw))
                for draw in range(seed, seed + (1 if certain else repeats))
                for changed in [
                    maker.corrupt(corruption, modality, severity, draw)
                ]
            ]
            mean.append(float(np.mean(values)))
            std.append(_deviation_of(values))
        curve = Curve(
            corruption, modality, wanted[corruption], tuple(mean), tuple(std)
        )
        curves.append(curve)
        if verbose:
            _print_curve(curve, name, time.monotonic() - start)
    return Robustness(name, clean, len(part), repeats, seed, tuple(curves))


def _print_curve(curve: Curve, name: str, seconds: float) -> None:
    print(
        f"{curve.corruption}, {curve.modality}: {name} {curve.mean[0]:.3f} to "
        f"{curve.mean[-1]:.3f}, area {curve.area:.3f}  {seconds:.1f} s",
        flush=True,
    )


def _deviation_of(values: list[float]) -> float:
    return float(np.std(values, ddof=1)) if len(values) > 1 else 0.0


def _checked(
    severities: Mapping[str, Sequence[float]] | None,
) -> dict[str, tuple[float, ...]]:
    """Rising severities from 0 for every corruption that is wanted."""
    checked = {}
    for name, values in (severities or SEVERITIES).items():
        if name not in SEVERITIES:
            raise ValueError(
                f"Expected corruptions among {list(SEVERITIES)}. "
                f"Received: {name!r}"
            )
        rising = sorted({0.0, *(float(value) for value in values)})
        largest = np.inf if name == "noise" else 1.0
        if len(rising) < 2 or rising[0] < 0 or not rising[-1] <= largest:
            raise ValueError(
                f"Severities of {name!r} must lie between 0 and {largest}, "
                f"with one above 0. Received: {list(values)}"
            )
        checked[name] = tuple(rising)
    return checked


def _default_metric(labels: Array, guess: Array) -> str:
    several = guess.ndim == 2 and guess.shape[1] > 1
    if several and labels.size == len(labels) and (labels % 1 == 0).all():
        return "accuracy"
    if (
        several
        and labels.shape == guess.shape
        and np.isin(labels, (0, 1)).all()
    ):
        if (labels.sum(axis=1) == 1).all():
            return "accuracy"
        # Heads of yes or no: the error of logits would say nothing.
        raise ValueError(_no_metric("default", labels, guess))
    if labels.shape == guess.shape or labels.size == guess.size == len(labels):
        return "mae"
    raise ValueError(_no_metric("default", labels, guess))


def _no_metric(name: str, labels: Array, guess: Array) -> str:
    return (
        f"There is no {name} metric for labels of shape {labels.shape} and "
        f"predictions of shape {guess.shape}. Expected class numbers (N,) or "
        "one-hot rows and predictions (N, classes), or real numbers of the "
        "predictions' shape. For others pass `metric`, a function (y, p) -> "
        "float of these two arrays."
    )


def _metric(
    metric: str | Metric | None, labels: Array, guess: Array
) -> tuple[str, Metric]:
    """Name of the score, and the score without warnings."""
    if metric is None:
        metric = _default_metric(labels, guess)
    if metric == "mae" and max(labels.size, guess.size) > len(labels):
        if labels.shape != guess.shape:
            raise ValueError(_no_metric("mae", labels, guess))
        return metric, mean_absolute_error
    if isinstance(metric, str):
        found = getattr(metrics, metric, None)
        if found is None or additive_form(found) is None:
            raise ValueError(
                "Expected `metric` as the name of a metric (y, p) -> float in "
                f"keras_mmfusion.metrics. Received: {metric!r}"
            )
        name, function = metric, found
    else:
        name, function = getattr(metric, "__name__", "score"), metric

    def score(y: Array, p: Array) -> float:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", metrics.UndefinedMetricWarning)
            return float(function(y, p))

    return name, score
