"""Exclusive and agnostic representations on a plane."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from keras_mmfusion.plotting.figures import new_figure

Array = NDArray[Any]
MARKERS = {"exclusive": "o", "agnostic": "x"}


def principal_plane(vectors: ArrayLike) -> Array:
    """Vectors on the plane of their two largest principal components.

    Args:
        vectors: Array (N, D), N of 2 or more.

    Returns:
        Array (N, 2), centred.

    Raises:
        ValueError: If it is no such array.

    Example:

    ```python
    from keras_mmfusion.plotting import principal_plane

    print(principal_plane([[0.0, 1.0, 1.0], [2.0, 1.0, 1.0]]).shape)  # (2, 2)
    ```
    """
    x = np.asarray(vectors, np.float64)
    if x.ndim != 2 or len(x) < 2 or not np.isfinite(x).all():
        raise ValueError(
            "Expected finite vectors (N, D), two or more. Received: shape "
            f"{x.shape}"
        )
    x = x - x.mean(axis=0)
    _, _, directions = np.linalg.svd(x, full_matrices=False)
    plane = x @ directions[:2].T
    # Of one dimension alone there is one component.
    return np.pad(plane, [(0, 0), (0, 2 - plane.shape[1])])


def plot_representations(
    stages: Mapping[str, Mapping[str, Any]], method: str = "pca"
) -> Any:
    """Draws where the vectors of all modalities lie, stage by stage.

    Colours are modalities; circles are exclusive, crosses agnostic vectors.
    Training shall bring the crosses of all colours together and keep the
    circles of every colour to themselves. Each stage has a plane of its own.

    Args:
        stages: Title, such as "before training", to `MEA.explain(x)`. Only
            its `latent` and `present` are used; samples without a modality
            are left out.
        method: "pca", or "tsne" (scikit-learn, extra `tuner`).

    Returns:
        A `matplotlib.figure.Figure`.

    Raises:
        ValueError: If there is no stage or vector, what is given does not
            come from `explain`, or the method is unknown.

    Example:

    ```python
    import numpy as np
    from keras_mmfusion.plotting import plot_representations

    h = np.random.normal(size=(20, 6))
    present = np.ones(20, bool)
    seen = {
        "latent": {
            "exclusive": {"text": h, "audio": h + 3},
            "agnostic": {"text": h, "audio": h[::-1]},
        },
        "present": {"text": present, "audio": present},
    }
    plot_representations({"simulated": seen}).savefig("vectors.png")
    ```
    """
    if method not in ("pca", "tsne"):
        raise ValueError(
            f"`method` must be 'pca' or 'tsne'. Received: method={method!r}"
        )
    if not stages:
        raise ValueError("Expected one stage or more. Received: none")
    for title, seen in stages.items():
        if not {"latent", "present"} <= seen.keys():
            raise ValueError(
                "Expected title to MEA.explain(x), with `latent` and "
                f"`present`. Received: {title!r} with {list(seen)}"
            )
    figure = new_figure(width=4.4 * len(stages), height=4.0)
    axes = figure.subplots(1, len(stages), squeeze=False)[0]
    for axis, (title, seen) in zip(axes, stages.items(), strict=True):
        groups = {
            (branch, m): np.asarray(h)[np.asarray(seen["present"][m], bool)]
            for branch, vectors in seen["latent"].items()
            for m, h in vectors.items()
        }
        joined = np.concatenate(list(groups.values()))
        plane = principal_plane(joined) if method == "pca" else _tsne(joined)
        _draw(axis, plane, groups)
        axis.set_title(title)
    axes[0].legend(fontsize="x-small")
    return figure


def _draw(
    axis: Any, plane: Array, groups: Mapping[tuple[str, str], Array]
) -> None:
    colours = {
        m: f"C{i}" for i, m in enumerate(dict.fromkeys(m for _, m in groups))
    }
    first = 0
    for (branch, m), vectors in groups.items():
        points = plane[first : first + len(vectors)]
        first += len(vectors)
        axis.scatter(
            *points.T,
            s=14,
            alpha=0.6,
            linewidths=1,
            color=colours[m],
            marker=MARKERS[branch],
            label=f"{m}, {branch}",
        )
    axis.set(xticks=[], yticks=[])


def _tsne(vectors: Array) -> Array:
    try:
        from sklearn.manifold import TSNE
    except ImportError as error:
        raise ImportError(
            'method="tsne" needs scikit-learn. Run: pip install '
            "'keras_mmfusion[tuner]'"
        ) from error
    perplexity = min(30.0, (len(vectors) - 1) / 3)
    found = TSNE(perplexity=perplexity, random_state=0).fit_transform(vectors)
    return np.asarray(found)
