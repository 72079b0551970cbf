"""Layers that several networks share, kept apart from the networks.

Keras writes and reads one network at a time, and reads a layer that is in two
of them as two layers. So a file says beside the networks which are the same.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import keras

# The modality of a network and the names of layers, from outside to inside.
Path = list[str]


def shared_layers(networks: Mapping[str, Any]) -> list[tuple[Path, Path]]:
    """Where the networks have a layer, or model, that was there before.

    Args:
        networks: Modality to functional or `Sequential` model.

    Returns:
        The path of every repeated layer, and the path where it was first.

    Raises:
        ValueError: If networks share weights in another way than by a layer
            of their own or of models nested in them.
    """
    first: dict[int, Path] = {}
    owners: dict[int, tuple[Path, Any]] = {}
    repeated = []
    for path, layer in _walk(networks):
        known = first.setdefault(id(layer), path)
        if known is not path:
            repeated.append((path, known))
        elif not _is_graph(layer):
            for weight in layer.variables:
                other, owner = owners.setdefault(id(weight), (path, layer))
                if owner is not layer and other[0] != path[0]:
                    raise ValueError(_inside_another(weight, other, path))
    return repeated


def share_layers(
    networks: Mapping[str, Any], shared: Iterable[tuple[Path, Path]]
) -> dict[str, Any]:
    """Networks as read from a file, with the layers that they shared.

    Args:
        networks: Modality to network, no two with a layer in common.
        shared: What `shared_layers` gave for the networks as they were.
    """
    first = {tuple(path): tuple(known) for path, known in shared}
    made: dict[tuple[str, ...], Any] = {}

    def at(path: tuple[str, ...]) -> Any:
        if path in first:
            return at(first[path])
        if path not in made:
            made[path] = rebuilt(path)
        return made[path]

    def rebuilt(path: tuple[str, ...]) -> Any:
        modality, *names = path
        layer = networks[modality]
        for name in names:
            layer = layer.get_layer(name)
        if not any(p[: len(path)] == path for p in first):
            return layer
        return keras.models.clone_model(
            layer, clone_function=lambda inner: at((*path, inner.name))
        )

    return {m: at((m,)) for m in networks}


def without_shared_ids(data: dict[str, Any]) -> dict[str, Any]:
    """A network's config without Keras' own marks of its repeated layers.

    Keras leaves out the first of them, and so would mix up the others.
    """
    config = data["config"]
    if isinstance(config.get("layers"), list):
        layers = [without_shared_ids(layer) for layer in config["layers"]]
        config = {**config, "layers": layers}
    rest = {k: v for k, v in data.items() if k != "shared_object_id"}
    return {**rest, "config": config}


def _walk(networks: Mapping[str, Any]) -> Iterator[tuple[Path, Any]]:
    """All layers with weights, by path; none inside what was there before."""
    seen: set[int] = set()

    def walk(path: Path, layer: Any) -> Iterator[tuple[Path, Any]]:
        yield path, layer
        if id(layer) not in seen and _is_graph(layer):
            for inner in layer.layers:
                if inner.variables:
                    yield from walk([*path, inner.name], inner)
        seen.add(id(layer))

    for modality, network in networks.items():
        yield from walk([modality], network)


def _is_graph(layer: Any) -> bool:
    """Whether Keras can make the model again from other layers."""
    functional = isinstance(layer, keras.Function) and (
        type(layer).__name__ == "Functional"
    )
    return functional or isinstance(layer, keras.Sequential)


def _inside_another(weight: Any, *paths: Path) -> str:
    where = " and ".join(f"'{'/'.join(path)}'" for path in paths)
    return (
        f"The networks share the weight '{weight.path}' inside different "
        f"layers, {where}, and a .keras file cannot say so. Use one layer, "
        "the outer one, in both networks, or save the weights alone with "
        "`save_weights`."
    )
