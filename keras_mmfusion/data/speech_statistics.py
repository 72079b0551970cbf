"""Log-mel frames of one utterance as one vector: what is said how."""

import itertools
from typing import Any

import numpy as np
from numpy.typing import NDArray

from keras_mmfusion.data.cosine_waves import cosine_waves
from keras_mmfusion.data.motion import interpolate
from keras_mmfusion.data.padding import Floats

Frames = NDArray[np.float64]

_LEAST_FRAMES = 8
_CEPSTRA = 20
# A frame is speech if it is so far from the silence to the peak of its clip.
_LOUD_SHARE = 0.3
_MARGIN = 5  # frames kept on both sides
_LOW_BANDS = 10  # where the pitch of a voice lies
_RHYTHM = 32  # steps that speech is stretched to
_BANDS = 8  # wide bands whose modulation is measured
# Bins of a Fourier transform of 256 steps; for 50 frames a second, 5.1 a Hz.
_MODULATION = (1, 6, 12, 20, 31, 51, 82, 128)


def speech_statistics(frames: NDArray[np.floating[Any]]) -> Floats:
    """What is heard in a clip, as one vector of statistics.

    Loud frames are those whose mean over bands is above its 40th percentile.
    The speech is what lies between the first and the last frame that is 0.3
    or more of the way from the 5th to the 98th percentile of that mean, with
    five frames on both sides. Cepstra are the first 20 coefficients of the
    orthonormal cosine transform over the bands.

    Args:
        frames: log-mel frames of one clip, shape (T, bands), T >= 8 and 20
            bands or more, from low to high.

    Returns:
        Float32 vector of 486 numbers:

        | size | what |
        | --- | --- |
        | 100 | mean, deviation, percentiles 10, 50, 90 of loud cepstra |
        | 40 | deviation of cepstra minus those 1 and 3 frames before |
        | 45 | correlations of the first ten cepstra of loud frames |
        | 117 | by third of the speech: deviation, percentiles 10 and 90 |
        | 96 | course: speech on 32 steps, 8 x 12 cosine coefficients |
        | 56 | log modulation spectrum of 8 wide bands in 7 ranges |
        | 11 | place and prominence of the peak of the ten lowest bands |
        | 21 | lengths, pauses, level and course of the loudness |

        The thirds have 13 cepstra; the course is transformed over time and
        bands.

    Raises:
        ValueError: if the clip has fewer than 8 frames or 20 bands.

    Example:

    ```python
    import numpy as np
    from keras_mmfusion.data.speech_statistics import speech_statistics

    frames = np.random.default_rng(0).normal(size=(100, 40))
    assert speech_statistics(frames).shape == (486,)
    ```
    """
    x = np.asarray(frames, np.float64)
    if x.ndim != 2 or len(x) < _LEAST_FRAMES or x.shape[1] < _CEPSTRA:
        raise ValueError(
            f"Expected a clip of {_LEAST_FRAMES} frames or more and "
            f"{_CEPSTRA} bands or more. Received: shape {x.shape}"
        )
    energy = x.mean(axis=1)
    loud = energy > np.percentile(energy, 40)
    if not loud.any():  # All alike: nothing is louder.
        loud[:] = True
    speech = _speech(x, energy)
    cepstra = x @ cosine_waves(_CEPSTRA, x.shape[1]).T
    parts = [
        _distribution(cepstra[loud], (10, 50, 90), mean=True),
        *(_movement(cepstra, loud, lag) for lag in (1, 3)),
        _correlations(cepstra[loud, :10]),
        *(
            _distribution(third, (10, 90))
            for third in np.array_split(
                speech @ cosine_waves(13, x.shape[1]).T, 3
            )
        ),
        (
            cosine_waves(8, _RHYTHM)
            @ _stretched(speech, _RHYTHM)
            @ cosine_waves(12, x.shape[1]).T
        ).ravel(),
        _modulation(speech),
        _pitch(speech),
        _rhythm(energy, speech.mean(axis=1)),
    ]
    return np.concatenate(parts).astype(np.float32)


def _speech(x: Frames, energy: Frames) -> Frames:
    """The frames from the first loud one to the last, and a margin."""
    low, high = np.percentile(energy, [5, 98])
    loud = np.flatnonzero(energy >= low + _LOUD_SHARE * (high - low))
    start = max(min(loud[0] - _MARGIN, len(x) - _LEAST_FRAMES), 0)
    end = max(loud[-1] + 1 + _MARGIN, start + _LEAST_FRAMES)
    return x[start:end]


def _stretched(x: Frames, steps: int) -> Frames:
    """The frames at so many places in time, evenly spread."""
    places = np.linspace(0, len(x) - 1, steps)
    return interpolate(x[None], places[None])[0]


def _distribution(
    x: Frames, percentiles: tuple[int, ...], mean: bool = False
) -> Frames:
    parts = [x.mean(axis=0)] if mean else []
    parts += [x.std(axis=0), *np.percentile(x, percentiles, axis=0)]
    return np.concatenate(parts)


def _movement(x: Frames, loud: NDArray[np.bool_], lag: int) -> Frames:
    """Deviation of what changes within `lag` frames, at loud ones."""
    changes = (x[lag:] - x[:-lag])[loud[lag:]]
    return changes.std(axis=0) if len(changes) else np.zeros(x.shape[1])


def _correlations(x: Frames) -> Frames:
    centred = x - x.mean(axis=0)
    # The small number keeps columns without variance finite.
    table = centred.T @ centred / len(x) + 1e-3 * np.eye(x.shape[1])
    scale = np.sqrt(np.diag(table))
    first, second = np.triu_indices(x.shape[1], 1)
    return (table / np.outer(scale, scale))[first, second]


def _modulation(speech: Frames) -> Frames:
    """How fast wide bands go up and down, (8 x 7,)."""
    bands = [part.mean(axis=1) for part in np.array_split(speech, _BANDS, 1)]
    x = np.stack(bands, axis=1)
    x = (x - x.mean(axis=0)) * np.hanning(len(x))[:, None]
    spectrum = np.abs(np.fft.rfft(x, 256, axis=0)) / np.sqrt(len(x))
    ranges = itertools.pairwise(_MODULATION)
    power = [spectrum[first:end].mean(axis=0) for first, end in ranges]
    return np.log(np.stack(power) + 1e-3).ravel()


def _pitch(speech: Frames) -> Frames:
    """Where the lowest bands peak in the louder half of the speech."""
    low = speech[:, :_LOW_BANDS]
    weight = np.exp(low - low.max(axis=1, keepdims=True))
    centre = weight @ np.arange(_LOW_BANDS)  # Prominence times place.
    peak = low.argmax(axis=1)
    prominence = low.max(axis=1) - low.mean(axis=1)
    energy = speech.mean(axis=1)
    louder = energy >= np.median(energy)
    time = np.linspace(-1, 1, len(centre))
    return np.array(
        [
            centre[louder].mean(),
            centre[louder].std(),
            *np.percentile(centre[louder], [10, 50, 90]),
            peak[louder].mean(),
            peak[louder].std(),
            prominence[louder].mean(),
            prominence[louder].std(),
            np.abs(np.diff(centre)).mean(),
            (time * centre).sum() / (time**2).sum(),
        ]
    )


def _rhythm(energy: Frames, speech: Frames) -> Frames:
    """Lengths and pauses; level and course of the loudness."""
    floor = np.percentile(energy, 5)
    smooth = np.convolve(speech - speech.mean(), np.full(3, 1 / 3), "same")
    inner = smooth[1:-1]
    peaks = (inner > smooth[:-2]) & (inner > smooth[2:]) & (inner > 0)
    steps = np.diff(speech)
    course = cosine_waves(8, _RHYTHM) @ _stretched(speech[:, None], _RHYTHM)
    return np.array(
        [
            len(energy),
            len(speech),
            (speech > speech.mean()).mean(),
            peaks.sum(),
            peaks.mean(),
            speech.std(),
            speech.max(),
            speech.mean(),
            speech.max() - floor,
            floor,
            steps.std(),
            steps.max(),
            steps.min(),
            *course[:, 0],
        ]
    )
