"""Whether more of a quantity is better, decided by its name."""

import re

_LOWER = frozenset(
    {
        "loss",
        "error",
        "mae",
        "mse",
        "msle",
        "mape",
        "rmse",
        "hinge",
        "crossentropy",
        "entropy",
        "divergence",
        "perplexity",
    }
)
_HIGHER = frozenset(
    {
        "acc",
        "accuracy",
        "auc",
        "f1",
        "precision",
        "recall",
        "sensitivity",
        "specificity",
        "iou",
        "dice",
        "pearson",
        "corr",
        "correlation",
        "concordance",
        "ccc",
        "r2",
        "similarity",
        "top",
    }
)


def lower_is_better(name: str, mode: str = "auto") -> bool:
    """Whether less of the named quantity is better.

    The words of the name decide: `loss`, `error`, `mae`, `crossentropy`, ...
    are better if low; `accuracy`, `f1`, `auc`, `pearson`, `concordance`, ...
    if high. A loss is a loss, whatever else the name says.

    Args:
        name: Such as `val_loss` or `val_concordance_correlation`.
        mode: "min" or "max" decides whatever the name; "auto" goes by it.

    Returns:
        True for losses and errors.

    Raises:
        ValueError: If `mode` is unknown, or "auto" and no word of the name is.

    Example:

    ```python
    from keras_mmfusion.evaluation import lower_is_better

    assert lower_is_better("val_concordance_loss")
    assert not lower_is_better("val_accuracy")
    ```
    """
    if mode not in ("auto", "min", "max"):
        raise ValueError(
            f"`mode` must be 'auto', 'min' or 'max'. Received: mode={mode!r}"
        )
    if mode != "auto":
        return mode == "min"
    words = [w for w in re.split(r"[^a-z0-9]+", name.lower()) if w]
    # "acc7" and "top5" count as "acc" and "top"; "f1" and "r2" stay.
    words += [w.rstrip("0123456789") for w in words]
    if _LOWER.intersection(words):
        return True
    if _HIGHER.intersection(words):
        return False
    raise ValueError(
        f"Whether more of {name!r} is better cannot be read off its name. "
        'Say so with mode="max" or mode="min".'
    )
