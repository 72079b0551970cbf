"""Scores over the frames of whole videos: valence and arousal."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from keras_mmfusion.evaluation.clusters import clusters
from keras_mmfusion.metrics import Report, moving_average, report

Videos = Mapping[str, NDArray[Any]]


def smooth(
    predicted: Videos, frames: tuple[int, ...]
) -> dict[str, NDArray[Any]]:
    """Moving average of every video's predictions, clipped to [-1, 1].

    Args:
        predicted: Video to predictions (frames, outputs).
        frames: Length of the average for every output.

    Returns:
        Video to smoothed predictions; see `metrics.moving_average`.
    """
    result = {}
    for name, values in predicted.items():
        if values.ndim != 2 or values.shape[1] != len(frames):
            raise ValueError(
                f"`frames` must have one length for each output of {name!r}. "
                f"Received: frames={frames}, predictions {values.shape}"
            )
        columns = zip(values.T, frames, strict=True)
        result[name] = np.stack([moving_average(*c) for c in columns], axis=1)
    return result


def report_videos(
    truth: Videos,
    predicted: Videos,
    smoothing: tuple[int, int] | None = None,
    bootstrap: int = 1000,
    seed: int = 0,
) -> Report:
    """Concordance of valence and arousal over all frames of all videos.

    The Aff-Wild2 protocol: one value over the annotated frames of all videos
    put together. Intervals resample whole videos.

    Args:
        truth: Video to labels (frames, 2), -5 where not annotated.
        predicted: Video to predictions, likewise.
        smoothing: Frames of the moving average for valence and arousal, (20,
            50) in RJA's evaluation; `None` for none. The report says which.
        bootstrap: Resamples for the intervals; 0 leaves them out.
        seed: Seed of the resampling.

    Returns:
        The `metrics.Report` of protocol "affwild2". Its summary and its
        `to_dict()` tell the number of videos and the smoothing.

    Raises:
        ValueError: If videos or their frames differ, or a prediction is NaN.

    Example:

    ```python
    import numpy as np
    from keras_mmfusion.evaluation import report_videos

    curve = np.sin(np.arange(100) / 9)[:, None] * [0.5, 0.3]
    truth = {"a": curve, "b": -curve}
    scores = report_videos(truth, {"a": curve * 0.9, "b": -curve * 0.9})
    assert scores.results["affwild2"]["ccc_mean"].value > 0.99
    assert "smoothing: none" in str(scores)
    ```
    """
    if set(truth) != set(predicted) or not truth:
        different = sorted(set(truth) ^ set(predicted))
        raise ValueError(
            "Labels and predictions must be of the same videos, one or more. "
            f"Received: {len(truth)} and {len(predicted)} videos, in one of "
            f"them only: {different[:5]}"
        )
    for name, labels in truth.items():
        if labels.shape != predicted[name].shape:
            raise ValueError(
                f"Labels and predictions of {name!r} must have the same shape "
                f"(frames, 2). Received: {labels.shape} and "
                f"{predicted[name].shape}"
            )
    text = "smoothing: none"
    if smoothing is not None:
        predicted = smooth(predicted, smoothing)
        text = (
            "smoothing: moving average of {} (valence) and {} (arousal) "
            "frames, zeros beyond the ends".format(*smoothing)
        )
    found = report(
        np.concatenate(list(truth.values())),
        np.concatenate([predicted[name] for name in truth]),
        protocol="affwild2",
        bootstrap=bootstrap,
        seed=seed,
        groups=clusters(
            np.repeat(list(truth), [len(y) for y in truth.values()])
        ),
    )
    summary = f"{found.summary}; {len(truth)} videos; {text}"
    return replace(found, summary=summary)
