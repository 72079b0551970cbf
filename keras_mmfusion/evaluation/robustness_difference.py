"""Whether one model stands corruption better than another, over seeds."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from keras_mmfusion.evaluation.robustness_suite import Robustness
from keras_mmfusion.types import Array


@dataclass(frozen=True)
class Difference:
    """How two models differ under one corruption, seed by seed.

    Attributes:
        corruption: The corruption.
        modality: Modality that is corrupted, or "all".
        area: Area under the curve of the first model minus that of the
            second, mean over the seeds.
        area_interval: 95 % interval of it.
        kept: The same of the area minus the clean score: above 0 the first
            model loses less (of a score that is better if high).
        kept_interval: 95 % interval of it.
        above: Number of seeds whose area is larger for the first model.
        seeds: Number of seeds.
    """

    corruption: str
    modality: str
    area: float
    area_interval: tuple[float, float]
    kept: float
    kept_interval: tuple[float, float]
    above: int
    seeds: int

    def __str__(self) -> str:
        """One line: both differences with intervals, and seeds counted."""
        return (
            f"{self.corruption} of {self.modality}: area {self.area:+.3f} "
            f"{_shown(self.area_interval)}, {self.above} of {self.seeds} "
            f"seeds above; kept {self.kept:+.3f} {_shown(self.kept_interval)}"
        )


def robustness_difference(
    first: Mapping[int, Robustness], second: Mapping[int, Robustness]
) -> list[Difference]:
    """Compares the robustness of two models that were trained alike.

        d_s = area_s(first) - area_s(second)          for every seed s
        mean(d) ± t std(d) / √S

    with t the 97.5 % quantile of Student's t of S - 1 degrees of freedom: it
    says what other seeds would bring, not other test samples. The same is
    done with what is left of the clean score, area - clean.

    Args:
        first: Seed to the robustness of the first model.
        second: The same of the second, with the same seeds and corruptions.

    Returns:
        One `Difference` per corruption and modality.

    Raises:
        ImportError: If SciPy is not installed.
        ValueError: If seeds or curves are not the same, or there are fewer
            than two seeds.

    Example:

    ```python
    from keras_mmfusion.evaluation import (
        Curve, Robustness, robustness_difference,
    )

    def made(clean, worst):
        curve = Curve("noise", "audio", (0.0, 1.0), (clean, worst), (0.0, 0.0))
        return Robustness("accuracy", clean, 10, 1, 0, (curve,))

    gated = {0: made(0.9, 0.7), 1: made(0.8, 0.6)}
    plain = {0: made(0.9, 0.5), 1: made(0.8, 0.5)}
    (difference,) = robustness_difference(gated, plain)
    print(difference)  # noise of audio: area +0.075 [...], 2 of 2 seeds above
    ```
    """
    seeds = sorted(first)
    if seeds != sorted(second) or len(seeds) < 2:
        raise ValueError(
            "Both models need the same two or more seeds. Received: "
            f"{seeds} and {sorted(second)}"
        )
    places = {seed: _places(one) for seed, one in first.items()}
    others = {seed: _places(one) for seed, one in second.items()}
    known = places[seeds[0]]
    if any(p != known for p in [*places.values(), *others.values()]):
        raise ValueError(
            "All curves must be of the same corruptions, modalities and "
            f"severities. Received: {known} and others"
        )
    found = []
    for i, (corruption, modality, _) in enumerate(known):
        area = np.array(
            [first[s].curves[i].area - second[s].curves[i].area for s in seeds]
        )
        clean = np.array([first[s].clean - second[s].clean for s in seeds])
        kept = area - clean
        found.append(
            Difference(
                corruption,
                modality,
                float(area.mean()),
                _interval(area),
                float(kept.mean()),
                _interval(kept),
                int((area > 0).sum()),
                len(seeds),
            )
        )
    return found


def _places(one: Robustness) -> list[tuple[str, str, tuple[float, ...]]]:
    return [(c.corruption, c.modality, c.severities) for c in one.curves]


def _interval(values: Array) -> tuple[float, float]:
    error = values.std(ddof=1) / np.sqrt(len(values))
    half = _student_quantile(len(values) - 1) * error
    return float(values.mean() - half), float(values.mean() + half)


def _student_quantile(freedom: int) -> float:
    """97.5 % quantile of Student's t."""
    try:
        from scipy.stats import t
    except ImportError as error:
        raise ImportError(
            "Intervals over seeds need SciPy: "
            "pip install 'keras_mmfusion[statistics]'"
        ) from error
    return float(t.ppf(0.975, freedom))


def _shown(interval: tuple[float, float]) -> str:
    return f"[{interval[0]:+.3f}, {interval[1]:+.3f}]"
