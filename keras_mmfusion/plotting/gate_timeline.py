"""Pictures of what gated joint cross-attention relied on over time."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from keras_mmfusion.plotting.figures import new_figure

Array = NDArray[Any]


def iterate_weights(
    gates: Mapping[str, Mapping[str, Array]],
) -> dict[str, Array]:
    """Weight of the modality itself and of each attended version of it.

    A flat gate gives these weights directly. Of a hierarchical one they are
    Σ_j w_j w_jk, the weight of level j times the weight of x^k in it.

    Args:
        gates: Level to modality to array (B, T, choices), the `gates` of
            `GRJCA.explain(x)`.

    Returns:
        Modality to array (B, T, n + 1) for n attention steps. Choice 0 is the
        modality as it came; the choices of a valid step sum to one.

    Example:

    ```python
    import numpy as np
    from keras_mmfusion.plotting import iterate_weights

    gates = {
        "gate1": {"audio": np.array([[[0.4, 0.6]]])},
        "gate2": {"audio": np.array([[[0.0, 0.5, 0.5]]])},
        "gate": {"audio": np.array([[[0.5, 0.5]]])},
    }
    print(iterate_weights(gates)["audio"])  # [[[0.2  0.55 0.25]]]
    ```
    """
    if not gates:
        raise ValueError(
            "There are no gates to draw: the model was built with gate=None."
        )
    levels = sorted(gates.keys() - {"gate"}, key=lambda name: int(name[4:]))
    if not levels:
        return {m: np.asarray(w) for m, w in gates["gate"].items()}
    result = {}
    for m in gates[levels[0]]:
        size = gates[levels[-1]][m].shape[-1]
        parts = np.stack([_widened(gates[name][m], size) for name in levels], 2)
        shares = gates["gate"][m] if "gate" in gates else parts[..., 0] * 0 + 1
        result[m] = np.einsum("btj,btjk->btk", shares, parts)
    return result


def plot_gate_timeline(
    gates: Mapping[str, Mapping[str, Array]],
    prediction: Array,
    truth: Array | None = None,
    sample: int = 0,
    names: Sequence[str] = ("valence", "arousal"),
    rate: float | None = None,
    ignore_value: float = -5.0,
) -> Any:
    """Draws prediction and truth, and what each modality relied on.

    Args:
        gates: The `gates` of `GRJCA.explain(x)`.
        prediction: Array (B, T, outputs), or (B, T).
        truth: Labels of the same shape, or `None`.
        sample: Which sample of the batch to draw.
        names: Name of every output.
        rate: Steps per second, to label the time axis in seconds.
        ignore_value: Label of steps that are not annotated.

    Returns:
        A `matplotlib.figure.Figure`. Padded steps are not drawn.

    Raises:
        ValueError: If the model has no gates.

    Example:

    ```python
    import numpy as np
    from keras_mmfusion.plotting import plot_gate_timeline

    gate = np.full((1, 50, 3), 1 / 3)
    figure = plot_gate_timeline(
        {"gate": {"audio": gate, "video": gate}},
        prediction=np.sin(np.linspace(0, 6, 50))[None, :, None],
        rate=30,
    )
    figure.savefig("timeline.png")
    ```
    """
    weights = {m: w[sample] for m, w in iterate_weights(gates).items()}
    valid = sum(w.sum(axis=-1) for w in weights.values()) > 0
    steps = int(np.max(np.nonzero(valid)[0], initial=-1)) + 1
    time = np.arange(steps) / (rate or 1)
    curves = [_curves(prediction, sample, steps)]
    if truth is not None:
        curves.append(_curves(truth, sample, steps))

    outputs = curves[0].shape[1]
    figure = new_figure(width=10, height=2 * (outputs + len(weights)))
    axes = figure.subplots(
        outputs + len(weights), 1, sharex=True, squeeze=False
    )[:, 0]
    for k in range(outputs):
        axes[k].plot(time, curves[0][:, k], label="prediction")
        if truth is not None:
            shown = np.where(
                curves[1][:, k] == ignore_value, np.nan, curves[1][:, k]
            )
            axes[k].plot(time, shown, color="black", lw=1, label="truth")
        axes[k].set_ylabel(names[k] if k < len(names) else f"output {k + 1}")
        axes[k].axhline(0, color="grey", lw=0.5)
    axes[0].legend(loc="upper right")
    for axis, (m, w) in zip(axes[outputs:], weights.items(), strict=True):
        _draw_shares(axis, time, w[:steps])
        axis.set_ylabel(m)
    axes[outputs].legend(loc="upper right")
    axes[-1].set_xlabel("seconds" if rate else "step")
    return figure


def _widened(weights: Array, size: int) -> Array:
    """Weights of more choices, the new ones zero."""
    missing = size - weights.shape[-1]
    return np.pad(weights, [(0, 0), (0, 0), (0, missing)])


def _curves(values: Array, sample: int, steps: int) -> Array:
    values = np.asarray(values, "float64")[sample, :steps]
    return values[:, None] if values.ndim == 1 else values


def _draw_shares(axis: Any, time: Array, weights: Array) -> None:
    labels = ["itself"] + [
        f"attended, step {k}" for k in range(1, weights.shape[1])
    ]
    axis.stackplot(time, weights.T, labels=labels, alpha=0.8)
    axis.set_ylim(0, 1)
