"""A look inside a trained MEA."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import keras
from keras import ops

from keras_mmfusion.models.mea_graph import MEAGraph

if TYPE_CHECKING:
    from keras_mmfusion.models.mea import MEA


class Explainer:
    """`MEA.explain` of one model.

    The layers of the model are called once more, in a graph that also gives
    what they attended to, so that prediction and training pay nothing for it.
    The graph is kept: under JAX it is compiled once.
    """

    def __init__(self) -> None:
        self._graphs: dict[bool, keras.Model] = {}

    def __call__(
        self, model: "MEA", x: Mapping[str, Any], average_heads: bool
    ) -> dict[str, dict[str, Any]]:
        """See `MEA.explain`."""
        if average_heads not in self._graphs:
            self._graphs[average_heads] = _graph(model, average_heads)
        graph = self._graphs[average_heads]
        found: dict[str, dict[str, Any]] = graph.predict(dict(x), verbose=0)
        judged = model.objective.judgements(found["latent"], found["present"])
        return {**found, **judged}


def _graph(model: "MEA", average_heads: bool) -> keras.Model:
    graph = MEAGraph(
        model.settings, {layer.name: layer for layer in model.layers}
    )
    outputs: dict[str, Any] = dict(graph.seen)
    if average_heads:
        for kind in ("self_attention", "cross_attention"):
            if kind in outputs:
                outputs[kind] = keras.tree.map_structure(
                    lambda maps: ops.mean(maps, axis=1), outputs[kind]
                )
    outputs["latent"] = graph.latent
    outputs["present"] = graph.present
    return keras.Model(graph.inputs, outputs, name="explain")
