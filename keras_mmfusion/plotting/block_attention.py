"""Pictures of what split attention looks at."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from keras_mmfusion.plotting.figures import new_figure


def modality_shares(
    attention: Mapping[str, NDArray[Any]],
) -> dict[str, NDArray[Any]]:
    """Share of the attention that each modality gets in each sample.

    For a channel the attention of all blocks sums to one (attention floor 0),
    so the sum over a modality's blocks, averaged over segments and channels,
    is its share.

    Args:
        attention: Modality to array (B, S, n, C), one fusion of
            `model.explain(x)`.

    Returns:
        Modality to array (B,). The shares of a sample sum to one.

    Example:

    ```python
    import numpy as np
    from keras_mmfusion.plotting import modality_shares

    a = np.full((2, 1, 1, 4), 0.25)
    attention = {"a": a, "b": np.repeat(a, 3, axis=2)}
    print(modality_shares(attention)["b"])  # [0.75 0.75]
    ```
    """
    shares = {m: a.sum(axis=2).mean(axis=(1, 2)) for m, a in attention.items()}
    total = sum(shares.values())
    return {m: share / total for m, share in shares.items()}


def plot_block_attention(
    attention: Mapping[str, NDArray[Any]],
    labels: NDArray[Any] | None = None,
    class_names: Sequence[str] | None = None,
) -> Any:
    """Draws the attention of every block, and each modality's share by class.

    Args:
        attention: Modality to array (B, S, n, C), one fusion of
            `model.explain(x)`.
        labels: Integer class of every sample; without it the shares of all
            samples are one group.
        class_names: Names of the classes.

    Returns:
        A `matplotlib.figure.Figure`.

    Example:

    ```python
    import numpy as np
    from keras_mmfusion.plotting import plot_block_attention

    a = np.full((2, 1, 1, 4), 0.25)
    attention = {"a": a, "b": np.repeat(a, 3, axis=2)}
    plot_block_attention(attention).savefig("attention.png")
    ```
    """
    figure = new_figure(width=10, height=4)
    left, right = figure.subplots(1, 2, width_ratios=[3, 2])
    blocks = np.concatenate(
        [a.mean(axis=(0, 3)) for a in attention.values()], axis=1
    )
    image = left.imshow(blocks.T, aspect="auto", cmap="viridis", vmin=0)
    figure.colorbar(image, ax=left, label="mean attention")
    names = [
        f"{m} {i + 1}" for m, a in attention.items() for i in range(a.shape[2])
    ]
    left.set_yticks(range(len(names)), names)
    left.set_xticks(range(len(blocks)), range(1, len(blocks) + 1))
    left.set_xlabel("time segment")
    left.set_title("Attention by channel block")

    _draw_shares(right, modality_shares(attention), labels, class_names)
    return figure


def _draw_shares(
    axes: Any,
    shares: Mapping[str, NDArray[Any]],
    labels: NDArray[Any] | None,
    class_names: Sequence[str] | None,
) -> None:
    count = len(next(iter(shares.values())))
    groups = np.zeros(count, int) if labels is None else np.asarray(labels)
    classes = np.unique(groups)
    bottom = np.zeros(len(classes))
    for modality, share in shares.items():
        height = np.array([share[groups == c].mean() for c in classes])
        axes.bar(range(len(classes)), height, bottom=bottom, label=modality)
        bottom += height
    if labels is None:
        axes.set_xticks([0], ["all samples"])
    else:
        names = class_names or [str(c) for c in range(classes.max() + 1)]
        axes.set_xticks(range(len(classes)), [names[c] for c in classes])
        axes.set_xlabel("class")
    axes.set_ylim(0, 1)
    axes.set_title("Share of each modality")
    below = {"loc": "upper center", "bbox_to_anchor": (0.5, -0.15)}
    axes.legend(**below, ncols=len(shares), frameon=False)
