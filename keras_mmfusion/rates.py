"""Rates of dropout, as all that takes one checks them."""

from typing import Any


def dropout_rate(name: str, value: Any) -> float:
    """The share of values that dropout drops.

    At 1 nothing would be left to scale up.

    Args:
        name: Of the argument, for the message.
        value: What was given for it.

    Raises:
        ValueError: If it is no number in [0, 1).
    """
    try:
        rate = float(value)
    except (TypeError, ValueError):
        rate = -1.0
    if isinstance(value, str) or not 0 <= rate < 1:
        raise ValueError(
            f"`{name}` is the share of values that dropout drops, a number in "
            f"[0, 1). Received: {name}={value!r}"
        )
    return rate
