"""Arguments that several models take."""

import inspect
import math
import numbers
import operator
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any


def whole_number(
    name: str, value: Any, optional: bool = False, least: int | None = None
) -> Any:
    """An `int`, such as those of NumPy are not; `None` too if optional.

    Raises:
        ValueError: If it is something else, or less than the least; says the
            name.
    """
    if optional and value is None:
        return None
    try:
        number = int(operator.index(value))
    except TypeError:
        raise ValueError(
            f"`{name}` must be a whole number{', or None' if optional else ''}"
            f". Received: {name}={value!r}"
        ) from None
    if least is not None and number < least:
        raise ValueError(
            f"`{name}` must be at least {least}. Received: {name}={number}"
        )
    return number


def weight(name: str, value: Any) -> float:
    """The weight of a term of a loss.

    Raises:
        ValueError: If it is no finite number of at least 0; says the name.
    """
    number = isinstance(value, numbers.Real) and not isinstance(value, bool)
    if not number or not 0 <= value < math.inf:
        raise ValueError(
            f"`{name}` must be a finite number of at least 0. "
            f"Received: {name}={value!r}"
        )
    return float(value)


def whole_sizes(num_classes: Any, num_targets: Any) -> tuple[int | None, int]:
    """Both numbers of outputs, as whole numbers."""
    classes = whole_number("num_classes", num_classes, optional=True)
    return classes, whole_number("num_targets", num_targets)


def check_modality_names(names: Iterable[Any]) -> None:
    """Raises for names that layers and their weights cannot have."""
    for name in names:
        text = name if isinstance(name, str) else ""
        if not text or "/" in text or "." in text:
            raise ValueError(
                "The name of a modality is a string that is not empty and has "
                f"no '/' and no '.'. Received: {name!r}"
            )


@contextmanager
def names_of_layers(modalities: Iterable[str]) -> Iterator[None]:
    """Where Keras may find a layer named like a modality, to say it so."""
    try:
        yield
    except ValueError as error:
        name = re.search(r'The name "(.+)" is used \d+ times', str(error))
        if name is None:
            raise
        raise ValueError(
            f"No modality can be called {name[1]!r}: a layer of the model is "
            f"called so. Choose another name. Received: {list(modalities)}"
        ) from error


def takes_class_numbers(loss: Any) -> bool:
    """Whether labels must be class numbers; a loss for rows is not sparse."""
    if isinstance(loss, Mapping):
        return any(map(takes_class_numbers, loss.values()))
    name = loss if isinstance(loss, str) else type(loss).__name__
    name = getattr(loss, "__name__", name)
    return loss is None or name == "auto" or "sparse" in name.lower()


def output_size(num_classes: int | None, num_targets: int) -> int:
    """The number of classes, or of regression targets if that is `None`.

    Raises:
        ValueError: If there is no such model.
    """
    if num_classes is not None and num_classes < 2:
        raise ValueError(
            "`num_classes` must be at least 2, or None for regression; yes or "
            f"no are 2 classes. Received: num_classes={num_classes}"
        )
    if num_targets < 1:
        raise ValueError(
            "`num_targets` must be at least 1. "
            f"Received: num_targets={num_targets}"
        )
    return num_targets if num_classes is None else num_classes


def by_name(method: Any, *args: Any, **kwargs: Any) -> dict[str, Any]:
    """What a call of a method would be given, by the names of arguments."""
    return dict(inspect.signature(method).bind(*args, **kwargs).arguments)


def for_each(
    modalities: Iterable[str], name: str, value: Any
) -> dict[str, Any]:
    """An argument that is given once, or as a dict by modality.

    Raises:
        ValueError: If the dict has other modalities.
    """
    modalities = list(modalities)
    if not isinstance(value, Mapping):
        return dict.fromkeys(modalities, value)
    if sorted(value) != sorted(modalities):
        raise ValueError(
            f"`{name}` is one value, or one for each of the modalities "
            f"{modalities}. Received: {name}={dict(value)}"
        )
    return dict(value)
