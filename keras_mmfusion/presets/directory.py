"""A preset as a directory: saved whole, loaded strictly."""

import os
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_mmfusion import registry
from keras_mmfusion.presets import (
    building,
    golden,
    naming,
    reading,
    storage,
    weights_file,
)
from keras_mmfusion.presets.building import WeightSpec
from keras_mmfusion.presets.errors import (
    PresetFileError,
    PresetUntrainedError,
)
from keras_mmfusion.presets.reading import Preset

_TO_BUILD = (storage.CONFIG,)
_TO_LOAD = (storage.CONFIG, storage.WEIGHTS)


@dataclass(frozen=True)
class PresetReport:
    """What `verify_preset` found.

    Attributes:
        class_name: Registered class of the model.
        trained: Whether the preset has weights.
        files: Size in bytes of every verified file.
        variables: Number of named weights.
        parameters: Number of values in them.
        golden_difference: Difference between the recomputed golden output
            and the stored one, as a share of the largest value; `None` for
            an untrained preset.
    """

    class_name: str
    trained: bool
    files: dict[str, int]
    variables: int
    parameters: int
    golden_difference: float | None


def load_preset(
    directory: str | os.PathLike[str],
    load_weights: bool = True,
    overrides: Mapping[str, Any] | None = None,
    *,
    root: str | os.PathLike[str] | None = None,
    subclass: type | None = None,
) -> Any:
    """Loads a preset directory; every file and weight is verified.

    Args:
        directory: A directory that `save_preset` wrote.
        load_weights: `False` gives the untrained network.
        overrides: Config keys to replace. If the weights then fit except in
            the head, the head is left fresh and a warning lists it.
        root: Where links may lead; the directory itself by default.
        subclass: A subclass of the preset's class to build in its place.

    Returns:
        The model.

    Raises:
        PresetFileError: If anything is damaged or inconsistent.
        PresetUntrainedError: If weights are wanted and there are none.
        ValueError: If an override is unknown or weights do not fit it.

    Example:

    ```python
    import tempfile
    import keras_mmfusion as mmf
    from keras_mmfusion import presets

    model = mmf.models.MSAF.from_shapes(
        {"audio": (None, 3), "image": (4,)}, num_classes=2, units=16
    )
    with tempfile.TemporaryDirectory() as directory:
        presets.save_preset(model, directory)
        again = presets.load_preset(directory)
    assert again.get_config() == model.get_config()
    ```
    """
    preset = reading.read(
        Path(directory), _TO_LOAD if load_weights else _TO_BUILD, root
    )
    if load_weights and preset.arrays is None:
        raise _untrained(preset)
    if overrides or subclass is not None:
        return _load_changed(preset, overrides or {}, subclass)
    return _build_verified(preset)[0]


def load_preset_weights(model: Any, directory: str | os.PathLike[str]) -> None:
    """Loads a preset's weights into an existing model of the same shape.

    Nothing is assigned unless everything fits.

    Raises:
        PresetFileError: If a file is damaged or the weights do not fit.
        PresetUntrainedError: If the preset has no weights.
    """
    preset = reading.read(Path(directory), _TO_LOAD, None)
    if preset.arrays is None:
        raise _untrained(preset)
    _build_verified(preset)
    building.compare(
        building.specs_of(naming.named_weights(model)),
        preset.manifest,
        f"{preset.metadata_path} does not fit the given model",
    )
    assign_weights(model, preset.arrays)


def verify_preset(
    directory: str | os.PathLike[str],
    *,
    root: str | os.PathLike[str] | None = None,
) -> PresetReport:
    """Verifies a preset directory completely and says what it holds.

    Raises:
        PresetFileError: If anything is damaged or inconsistent.

    Example:

    ```python
    from keras_mmfusion import presets

    entry = presets.all_presets()["msaf_av_digits"]
    print(presets.verify_preset(entry.folder).trained)  # True
    ```
    """
    preset = reading.read(Path(directory), storage.LISTED_FILES, root)
    _, found = _build_verified(preset)
    specs = preset.manifest
    return PresetReport(
        class_name=preset.metadata["class_name"],
        trained=preset.metadata["trained"],
        files={n: e["size"] for n, e in preset.metadata["files"].items()},
        variables=len(specs),
        parameters=sum(int(np.prod(s.shape)) for s in specs.values()),
        golden_difference=found,
    )


def assign_weights(
    model: Any, arrays: Mapping[str, weights_file.Array]
) -> None:
    """Assigns arrays to the weights of these names and reads them back.

    Raises:
        PresetFileError: If a weight does not hold what was assigned; the
            model then has its former weights again.
    """
    weights = naming.named_weights(model)
    former = {
        name: keras.ops.convert_to_numpy(weights[name].value) for name in arrays
    }
    try:
        for name, array in arrays.items():
            weights[name].assign(array)
        for name, array in arrays.items():
            _compare_values(weights[name], array, name)
    except BaseException:
        for name, value in former.items():
            weights[name].assign(value)
        raise


def _build_verified(preset: Preset) -> tuple[Any, float | None]:
    """Returns the model with its weights, and the golden difference."""

    path = preset.folder / storage.CONFIG

    def check(model: Any) -> None:
        weights = naming.named_weights(model)
        building.compare(
            building.specs_of(weights),
            preset.manifest,
            f"{path} builds another network than {storage.METADATA} lists",
        )
        for name, array in (preset.arrays or {}).items():
            building.start_from(weights[name], array)

    try:
        model = building.build(preset.config, check)
    except PresetFileError:
        raise
    except Exception as error:
        # Whatever a value of the file makes of a network, blame the file.
        raise PresetFileError(
            f"{path}: the network cannot be built: {error}"
        ) from error
    if preset.arrays is None:
        return model, None
    assign_weights(model, preset.arrays)
    label = str(preset.metadata_path)
    return model, golden.check(model, preset.metadata["golden"], label)


def _load_changed(
    preset: Preset, overrides: Mapping[str, Any], subclass: type | None
) -> Any:
    # The preset itself is verified before the user's changes.
    _build_verified(preset)
    cls = subclass or registry.lookup(preset.config["class_name"])
    what = (
        f"overrides {dict(overrides)}" if overrides else f"class {cls.__name__}"
    )
    registry.check_arguments(cls, {**preset.config["config"], **overrides})
    changed = {
        "class_name": preset.config["class_name"],
        "config": {**preset.config["config"], **overrides},
    }
    fresh: list[str] = []
    arrays = preset.arrays

    def check(model: Any) -> None:
        if arrays is not None:
            fresh.extend(_fresh_head(model, preset.manifest, what))
            for name, weight in naming.named_weights(model).items():
                if name not in fresh:
                    building.start_from(weight, arrays[name])

    model = building.build(changed, check, subclass)
    if arrays is None:
        return model
    assign_weights(model, {n: a for n, a in arrays.items() if n not in fresh})
    if fresh:
        warnings.warn(
            f"Through the {what} the model has a new, untrained "
            f"head: {', '.join(fresh)}. All other weights are "
            "loaded. Train the model before you use its outputs.",
            UserWarning,
            stacklevel=5,
        )
    return model


def _fresh_head(
    model: Any, listed: dict[str, WeightSpec], what: str
) -> list[str]:
    """Returns the head's weights if only they differ, else raises."""
    specs = building.specs_of(naming.named_weights(model))
    if not building.differences(specs, listed):
        return []
    prefixes = getattr(model, "head_weight_names", ())
    if callable(prefixes):
        prefixes = prefixes()

    def in_head(name: str) -> bool:
        return any(name == p or name.startswith(f"{p}/") for p in prefixes)

    problems = building.differences(
        {n: s for n, s in specs.items() if not in_head(n)},
        {n: s for n, s in listed.items() if not in_head(n)},
    )
    if problems:
        head = ", ".join(prefixes) or "none declared"
        raise ValueError(
            f"Through the {what} more than the head changes (head weights: "
            f"{head}), so the trained weights do not fit: "
            f"{'; '.join(problems)}. Change only what the head depends on "
            "(such as num_classes), or pass load_weights=False for an "
            "untrained network."
        )
    return [name for name in specs if in_head(name)]


def _compare_values(weight: Any, array: weights_file.Array, name: str) -> None:
    held = keras.ops.convert_to_numpy(keras.ops.cast(weight, array.dtype.name))
    # A half-precision variable rounds what it is given.
    exact = "float" not in weight.dtype or weight.dtype == "float32"
    equal = (
        np.array_equal(held, array)
        if exact
        else np.allclose(held, array, rtol=0.01, atol=1e-6)
    )
    if not equal:
        raise PresetFileError(
            f"Weight '{name}' does not hold the value assigned to it."
        )


def _untrained(preset: Preset) -> PresetUntrainedError:
    described = preset.metadata
    data = described.get("data")
    source = data.get("name") if isinstance(data, dict) else data
    recipe, notes = described.get("recipe"), described.get("notes")
    how = "No command that trains it is written yet"
    if recipe:
        how = f"To train it: {recipe}"
    elif notes:
        how = f"{how}. {notes}"
    return PresetUntrainedError(
        f"The preset in {preset.folder} has no published weights. It is the "
        f"architecture of {described['class_name']}. Data: "
        f"{source or 'not stated'}. {how.rstrip('.')}. "
        "For the untrained network pass load_weights=False."
    )
