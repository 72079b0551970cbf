"""Pictures of what split attention looks at."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from keras_mmfusion.plotting.attention_shares import (
    check_attention,
    class_shares,
    draw_class_shares,
)
from keras_mmfusion.plotting.figures import new_figure


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

    Raises:
        ValueError: If it is not the attention of one fusion, or the labels do
            not fit; see `class_shares`.

    Example:

    ```python
    import numpy as np
    from keras_mmfusion.plotting import plot_block_attention

    a = np.full((2, 1, 1, 4), 0.25)
    attention = {"a": a, "b": np.repeat(a, 3, axis=2)}
    plot_block_attention(attention).savefig("attention.png")
    ```
    """
    check_attention(attention)
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

    if labels is None:
        count = len(next(iter(attention.values())))
        labels, class_names = np.zeros(count, int), ["all samples"]
    else:
        right.set_xlabel("class")
    draw_class_shares(right, class_shares(attention, labels, class_names))
    return figure
