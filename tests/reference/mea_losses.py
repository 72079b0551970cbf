"""The loss terms of MEA in float64 NumPy, from the specification alone.

Names: B samples, M modalities, d_h latent width. `present` is boolean (B,):
a modality's terms run over the samples that have it, and are 0 if none has.
"""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from tests.reference.mea_layers import (
    Bool,
    Float64,
    Weights,
    perceptron,
    standardize,
)

Labels = Float64 | npt.NDArray[np.int64]


def hsic(first: Float64, second: Float64) -> float:
    """Tr(U K_1 U K_2) / (n - 1)^2 with inner-product kernels K = H H^T.

    Computed as |centred(H_1)^T centred(H_2)|_F^2 / (n - 1)^2 (Eq. 13); 0 for
    fewer than two rows.
    """
    rows = len(first)
    if rows < 2:
        return 0.0
    product = _centre(first).T @ _centre(second)
    return float(np.sum(product**2)) / (rows - 1) ** 2


def scale_free_hsic(first: Float64, second: Float64) -> float:
    """HSIC(e, a) / sqrt(HSIC(e, e) HSIC(a, a)), in [0, 1]; linear CKA.

    0 when the denominator vanishes, which in rounded numbers means that it
    falls below 1e-20.
    """
    denominator = float(np.sqrt(hsic(first, first) * hsic(second, second)))
    return hsic(first, second) / denominator if denominator > 1e-20 else 0.0


def orthogonality(first: Float64, second: Float64) -> float:
    """|H_1^T H_2|_F^2, H centred over the rows, then each row of length 1."""
    product = _unit_rows(_centre(first)).T @ _unit_rows(_centre(second))
    return float(np.sum(product**2))


DISPARITIES = {
    "hsic": hsic,
    "cka": scale_free_hsic,
    "orthogonal": orthogonality,
}


def disparity(
    exclusive: Mapping[str, Float64],
    agnostic: Mapping[str, Float64],
    present: Mapping[str, Bool],
    kind: str,
) -> float:
    """Mean over modalities of the disparity of (B, d_h) pairs (Eq. 14)."""
    measure = DISPARITIES[kind]
    terms = [
        measure(h[present[name]], agnostic[name][present[name]])
        for name, h in exclusive.items()
    ]
    return sum(terms) / len(terms)


def modality_log_probabilities(
    h: Float64, weights: Weights, bounded: bool
) -> Float64:
    """log D_m(h), (B, M): dense, GeLU, dense, softmax."""
    seen = standardize(h) if bounded else h
    return log_softmax(
        perceptron(seen, weights, "discriminator.modality.", "scores")
    )


def importance_log_probabilities(
    h: Float64, weights: Weights, bounded: bool
) -> Float64:
    """log D_i(h), (B, M): softmax of one linear layer without bias."""
    seen = standardize(h) if bounded else h
    return log_softmax(seen @ weights["discriminator.importance.kernel"])


def discrimination(
    log_probabilities: Mapping[str, Float64],
    present: Mapping[str, Bool],
    importance: Mapping[str, Float64] | None = None,
) -> float:
    """-(sum over m of the mean over present samples of w log D(h_m)[m]).

    Args:
        log_probabilities: modality name to (B, M), in the order of M.
        present: modality name to (B,).
        importance: modality name to weights w (B,); 1 if None.
    """
    total = 0.0
    for m, (name, logs) in enumerate(log_probabilities.items()):
        rows = present[name]
        if rows.any():
            terms = logs[rows, m]
            if importance is not None:
                terms = terms * importance[name][rows]
            total -= float(np.mean(terms))
    return total


def task_loss(prediction: Float64, labels: Labels, task: str) -> float:
    """The loss of the prediction.

    Args:
        prediction: (B, outputs).
        labels: "regression": (B, outputs) values; "classification": (B,)
            class indices; "binary_heads": (B, heads) of 0 and 1, where the
            outputs are (heads, 2) laid out flat.
        task: "regression" (mean squared error) or one of the others (cross
            entropy, averaged over samples and heads).
    """
    if task == "regression":
        return float(
            np.mean((prediction - np.reshape(labels, prediction.shape)) ** 2)
        )
    classes = 2 if task == "binary_heads" else prediction.shape[1]
    logs = log_softmax(prediction.reshape(-1, classes))
    chosen = np.asarray(labels, np.int64).reshape(-1)
    return -float(np.mean(logs[np.arange(len(logs)), chosen]))


def log_softmax(x: Float64) -> Float64:
    """Log of the softmax over the last axis."""
    shifted = x - x.max(axis=-1, keepdims=True)
    logs: Float64 = shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))
    return logs


def _centre(h: Float64) -> Float64:
    centred: Float64 = h - h.mean(axis=0)
    return centred


def _unit_rows(h: Float64) -> Float64:
    length: Float64 = np.sqrt(np.sum(h**2, axis=1, keepdims=True))
    return h / np.maximum(length, 1e-12)
