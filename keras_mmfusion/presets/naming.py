"""Stable names for the weights of a model.

Keras keys its own weight files by position inside every container, so that
two same-shaped projections can exchange their weights without an error.
Here a weight is named by the layers that lead to it, and order never counts.
"""

from typing import Any

import keras

from keras_mmfusion import registry
from keras_mmfusion.presets import building


def named_weights(model: Any) -> dict[str, Any]:
    """Returns the model's weights by explicit, stable names.

    A name is the path of layer names from the model down to the variable,
    such as `audio_encoder/lstm_cell/kernel`. A variable that is reached in
    several ways has its shortest path, then the alphabetically first.
    Trained weights, moving statistics and counters inside layers are
    included; seeds, optimizer and metric variables are not.

    Args:
        model: A built `keras.Model` or layer.

    Returns:
        Variables by name, in alphabetical order of the names.

    Raises:
        ValueError: If two variables have the same name.

    ```python
    import keras
    from keras_mmfusion import presets

    model = keras.Sequential(
        [keras.Input((3,)), keras.layers.Dense(2, name="score")]
    )
    assert list(presets.named_weights(model)) == [
        "score/bias", "score/kernel"
    ]
    ```
    """
    paths: dict[int, list[tuple[str, ...]]] = {}
    variables: dict[int, Any] = {}
    _walk(model, (), paths, variables)
    names: dict[str, Any] = {}
    for key, candidates in paths.items():
        path = min(candidates, key=lambda parts: (len(parts), parts))
        name = "/".join(path)
        if name in names:
            raise ValueError(
                f"Two weights of {type(model).__name__} are both named "
                f"'{name}'. Give the layers on the way different names, "
                "for example by modality."
            )
        names[name] = variables[key]
    return dict(sorted(names.items()))


def automatic_names(model: Any) -> list[str]:
    """Returns the weight names that do not follow from the config.

    Keras numbers layers without an explicit name (`dense_7`), counting over
    the whole process. Such a name differs when the same config is built
    again, which is how it is found here.

    Args:
        model: A built model of a registered class.

    Returns:
        The names, sorted; empty if all are stable.
    """
    again = building.weight_specs(registry.to_config(model), named_weights)
    return sorted(set(named_weights(model)) - set(again))


def _walk(
    layer: Any,
    prefix: tuple[str, ...],
    paths: dict[int, list[tuple[str, ...]]],
    variables: dict[int, Any],
) -> None:
    # Keras has no public way to list the children of a layer.
    children = layer._flatten_layers(include_self=False, recursive=False)
    below = {id(w) for child in children for w in child.weights}
    for weight in layer.weights:
        if id(weight) not in below:
            paths.setdefault(id(weight), []).append((*prefix, weight.name))
            variables[id(weight)] = weight
    for child in children:
        if isinstance(child, keras.layers.Layer):
            _walk(child, (*prefix, child.name), paths, variables)
