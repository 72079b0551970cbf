"""Classes by plain name, and objects as plain JSON.

A preset names its class in a file. The name is looked up in a dictionary
that only `register` fills, so that a file can never name a module, a
function or a class that was not meant for it.
"""

import difflib
import inspect
import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

import keras

PACKAGE = "keras_mmfusion"

# Arguments that `keras.layers.Layer` takes behind every `**kwargs`.
_LAYER_ARGUMENTS = ("name", "trainable", "dtype")
# Keys by which Keras' own format names a module to import.
_FORBIDDEN_KEYS = ("module", "registered_name")

_classes: dict[str, type] = {}

_Class = TypeVar("_Class", bound=type)
_Inner = TypeVar("_Inner", bound=Callable[..., Any])


def register(name: str | None = None) -> Callable[[_Class], _Class]:
    """Registers a class for presets and for Keras under `keras_mmfusion`.

    Args:
        name: Plain name in config files. Defaults to the class name.

    Returns:
        A decorator that returns the class unchanged.

    Raises:
        ValueError: If the name is taken or is not a plain identifier.

    ```python
    import keras_mmfusion.registry as registry

    @registry.register("DocumentedScale")
    class DocumentedScale:
        def __init__(self, factor=1.0):
            self.factor = factor

        def get_config(self):
            return {"factor": self.factor}

        @classmethod
        def from_config(cls, config):
            return cls(**config)

    data = registry.to_config(DocumentedScale(2.0))
    assert registry.from_config(data).factor == 2.0
    ```
    """

    def decorate(cls: _Class) -> _Class:
        plain = name or cls.__name__
        if not plain.isidentifier():
            raise ValueError(
                "A registered name must be a plain identifier such as "
                f"'MSAF'. Received: {plain!r}"
            )
        if plain in _classes:
            known = _classes[plain]
            raise ValueError(
                f"The name '{plain}' is already registered by "
                f"{known.__module__}.{known.__qualname__}. Choose another "
                "name with `register(name=...)`."
            )
        keras.saving.register_keras_serializable(PACKAGE, plain)(cls)
        _classes[plain] = cls
        return cls

    return decorate


def register_inner(part: _Inner) -> _Inner:
    """Registers a part of models for Keras alone, under `<module>.<name>`.

    A `.keras` file of any model made of our layers, such as a feature
    extractor, can then be loaded. No preset can name the part: presets hold
    whole models and encoders, which make their parts themselves. Several
    modules have a class called `Stem`, so the module's last name is in it.

    Args:
        part: A class with `get_config`, or a function.

    Returns:
        The class or function unchanged.

    Raises:
        ValueError: If there is such a name already.

    ```python
    import keras
    import keras_mmfusion.registry as registry

    @registry.register_inner
    class DocumentedCopy(keras.layers.Layer):
        def call(self, inputs):
            return inputs

    name = keras.saving.get_registered_name(DocumentedCopy)
    assert name.endswith(".DocumentedCopy")
    ```
    """
    module = part.__module__.rpartition(".")[2]
    name = f"{module}.{part.__name__}"
    known = keras.saving.get_registered_object(f"{PACKAGE}>{name}")
    if known is not None:
        raise ValueError(
            f"The name '{name}' is already registered by "
            f"{known.__module__}.{known.__qualname__}. Rename the class or "
            "the file."
        )
    keras.saving.register_keras_serializable(PACKAGE, name)(part)
    return part


def registered() -> dict[str, type]:
    """Returns a copy of all registered classes by plain name."""
    return dict(_classes)


def lookup(name: str) -> type:
    """Returns the class registered under a plain name.

    Raises:
        ValueError: If there is none; lists the known names.
    """
    if isinstance(name, str) and name in _classes:
        return _classes[name]
    raise ValueError(
        f"Unknown class name {name!r}.{closest(str(name), _classes)} "
        f"Known: {', '.join(sorted(_classes)) or 'none'}. A class of your own "
        "must be decorated with `keras_mmfusion.registry.register()` and "
        "imported before it is loaded."
    )


def lineage(cls: type) -> list[str]:
    """Returns the plain names of a class and its parents, nearest first."""
    return [
        name
        for parent in cls.__mro__
        for name, known in _classes.items()
        if known is parent
    ]


def closest(name: str, known: Iterable[str]) -> str:
    """Returns " Did you mean 'x'?" for the nearest known name, or ""."""
    matches = difflib.get_close_matches(name, list(known), n=1)
    return f" Did you mean '{matches[0]}'?" if matches else ""


def to_config(obj: Any) -> dict[str, Any]:
    """Returns `{"class_name": ..., "config": ...}` as plain JSON values.

    Args:
        obj: An instance of a registered class with `get_config()`.

    Raises:
        ValueError: If the class is not registered, or its config holds
            something that is not plain JSON.
    """
    names = [name for name, cls in _classes.items() if cls is type(obj)]
    if not names:
        raise ValueError(
            f"{type(obj).__name__} is not registered. Decorate the class "
            "with `keras_mmfusion.registry.register()`."
        )
    config = plain_json(obj.get_config(), f"{names[0]}.get_config()")
    data = {"class_name": names[0], "config": config}
    _refuse_foreign(data, names[0])
    return data


def from_config(data: Mapping[str, Any], subclass: type | None = None) -> Any:
    """Builds the object that `to_config` described.

    Every key of the config must be a parameter of the class, and no value
    may name a module. Nested registered objects stay dictionaries here; the
    class itself turns them into objects with this function.

    Args:
        data: `{"class_name": str, "config": dict}`.
        subclass: A subclass of the named class to build in its place.

    Raises:
        ValueError: If the form, the class name or a key is wrong.
    """
    if not isinstance(data, Mapping) or set(data) != {"class_name", "config"}:
        raise ValueError(
            'Expected {"class_name": ..., "config": ...}. '
            f"Received: {_brief(data)}"
        )
    name, config = data["class_name"], data["config"]
    cls: Any = lookup(name)
    if subclass is not None:
        cls, name = subclass, subclass.__name__
    if not isinstance(config, Mapping):
        raise ValueError(
            f"The config of {name} must be an object with one key per "
            f"argument. Received: {_brief(config)}"
        )
    _refuse_foreign(dict(config), name)
    check_arguments(cls, config, name)
    try:
        return cls.from_config(dict(config))
    except TypeError as error:
        raise ValueError(
            f"{name} cannot be built from its config: {error}"
        ) from error


def check_arguments(
    cls: type, config: Mapping[str, Any], name: str | None = None
) -> None:
    """Raises `ValueError` unless the keys fit the class' `__init__`."""
    name = name or cls.__name__
    # Not of the class: for one without an `__init__` of its own Python 3.11.2
    # gives the signature of Keras' `__new__`.
    initializer: Any = cls.__init__  # type: ignore[misc]
    _, *parameters = inspect.signature(initializer).parameters.values()
    explicit = [
        p.name
        for p in parameters
        if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)
    ]
    required = [
        p.name
        for p in parameters
        if p.name in explicit and p.default is p.empty
    ]
    known = list(explicit)
    if any(p.kind is p.VAR_KEYWORD for p in parameters):
        known.extend(a for a in _LAYER_ARGUMENTS if a not in known)
    problems = [
        f"unknown key '{key}'.{closest(str(key), known)}"
        for key in config
        if key not in known
    ]
    problems += [f"missing key '{k}'." for k in required if k not in config]
    if problems:
        raise ValueError(
            f"The config of {name} does not fit: {' '.join(problems)} "
            f"Known keys: {', '.join(known) or 'none'}."
        )


def plain_json(value: Any, where: str) -> Any:
    """Returns the value with tuples as lists and dtype policies as names.

    Args:
        value: Anything that JSON can hold, nested.
        where: What the value is, for the message.

    Raises:
        ValueError: If something in it is not plain JSON.
    """
    if isinstance(value, Mapping):
        if value.get("class_name") == "DTypePolicy":
            return value["config"]["name"]
        bad = [key for key in value if not isinstance(key, str)]
        if bad:
            raise ValueError(
                f"{where} must have string keys only. Received: {bad!r}"
            )
        return {k: plain_json(v, f"{where}['{k}']") for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [plain_json(v, f"{where}[{i}]") for i, v in enumerate(value)]
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"{where} must be plain JSON (numbers, strings, lists, objects). "
            f"Received: {value!r} of type {type(value).__name__}"
        ) from error
    return value


def _refuse_foreign(value: Any, where: str) -> None:
    """Raises if any nested value names a module or an unknown class."""
    if isinstance(value, Mapping):
        bad = [key for key in _FORBIDDEN_KEYS if key in value]
        if bad:
            raise ValueError(
                f"The config of {where} names a module to import (key "
                f"'{bad[0]}'). Only plain values and classes of our own "
                f"registry are read. Received: {_brief(value)}"
            )
        if "class_name" in value:
            lookup(value["class_name"])
        for nested in value.values():
            _refuse_foreign(nested, where)
    elif isinstance(value, list | tuple):
        for nested in value:
            _refuse_foreign(nested, where)


def _brief(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 200 else f"{text[:200]}..."
