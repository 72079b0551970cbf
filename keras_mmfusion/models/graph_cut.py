"""Cutting a Keras model into stages at named layers.

A functional model is a graph of tensors. Behind a layer it falls into two
parts if the layer's output is the only tensor that the rest needs. Then both
parts are models of their own, with the very layers of the original.
"""

import difflib
import itertools
from collections.abc import Iterable, Sequence
from typing import Any

import keras

from keras_mmfusion.registry import register_inner
from keras_mmfusion.types import Tensor


@register_inner
class Stage(keras.Model):
    """A part of a network, made of the network's own layers.

    Keras keeps a mask as a tensor of its own beside the features. Where the
    network has one at a cut, it leaves a stage and enters the next.
    """

    takes_mask = False
    gives_mask = False

    def run(self, x: Tensor, mask: Tensor | None) -> tuple[Tensor, Any]:
        """Features and mask (or `None`) behind this part."""
        outputs = self([x, mask] if self.takes_mask else x)
        return tuple(outputs) if self.gives_mask else (outputs, mask)

    def compute_mask(self, inputs: Any, previous_mask: Any) -> None:
        """None: the layers inside have set the masks of their outputs.

        Without this Keras takes a model for unable to handle masks.
        """


class CuttableNetwork:
    """A network with one input and one output, and where it can be cut.

    Args:
        network: A functional or `Sequential` model.
        modality: What it is called in messages and in names of stages.

    Raises:
        ValueError: If the network has no graph with one input and one output;
            says why.
    """

    def __init__(self, network: Any, modality: str) -> None:
        self.modality = modality
        self._graph = _graph_of(network, modality)
        # Keras has no public way to list the calls of a graph.
        by_depth = self._graph._nodes_by_depth
        self._calls = [
            call
            for depth in sorted(by_depth, reverse=True)
            for call in by_depth[depth]
        ]
        self._parents = {call: call.parent_nodes for call in self._calls}
        names = [call.operation.name for call in self._calls]
        self._points: dict[str, Tensor] = {
            name: call.outputs[0]
            for name, call in zip(names, self._calls, strict=True)
            if names.count(name) == 1
            and len(call.outputs) == 1
            and not call.is_input
            and self._separates(call)
        }

    @property
    def input(self) -> Tensor:
        return self._graph.inputs[0]

    @property
    def output(self) -> Tensor:
        return self._graph.outputs[0]

    @property
    def gives_probabilities(self) -> bool:
        """Whether the last layer is a softmax or sigmoid."""
        layer = _call_of(self.output).operation
        activation = getattr(layer, "activation", None)
        return isinstance(layer, keras.layers.Softmax) or activation in (
            keras.activations.softmax,
            keras.activations.sigmoid,
        )

    @property
    def layer_names(self) -> list[str]:
        """Layers behind which the network can be cut, from input to output."""
        return list(self._points)

    def stages(self, names: Sequence[str]) -> list[Stage | None]:
        """The parts up to each of these layers, and the rest.

        Args:
            names: Layers from input to output.

        Returns:
            A model for each name, and one for what is behind the last; `None`
            if nothing is.

        Raises:
            ValueError: If the network cannot be cut there, or the layers are
                in another order.
        """
        for name in names:
            if name not in self._points:
                raise ValueError(self._why_not(name))
        for before, name in itertools.pairwise(names):
            if self.layer_names.index(name) <= self.layer_names.index(before):
                raise ValueError(
                    "A later fusion must be tapped behind an earlier one. "
                    f"Received for '{self.modality}': '{name}' after "
                    f"'{before}', which is not before it in the network."
                )
        made: list[Stage | None] = []
        start = self.input
        for i, end in enumerate([*map(self._points.get, names), None], 1):
            name = f"{self.modality}_stage{i}"
            made.append(_stage(start, self.output, end, name))
            start = end
        return made

    def _separates(self, call: Any) -> bool:
        """Whether all ways from input to output lead through this call."""
        allowed = {call, *_mask_call(call)}
        seen, todo = set(), [_call_of(self.output)]
        while todo:
            at = todo.pop()
            if at in allowed or at in seen:
                continue
            if at.is_input:
                return False
            seen.add(at)
            todo += self._parents[at]
        return True

    def _before(self, calls: Iterable[Any]) -> set[Any]:
        """These calls and all that they need."""
        found, todo = set(), list(calls)
        while todo:
            at = todo.pop()
            if at not in found:
                found.add(at)
                todo += self._parents[at]
        return found

    # === Messages ===

    def _why_not(self, name: str) -> str:
        """What is wrong with a tap, and what can be done."""
        calls = [c for c in self._calls if c.operation.name == name]
        if not calls:
            return self._unknown(name)
        if calls[0].is_input:
            reason = "it is the input; there is nothing before it to fuse."
        elif len(calls) > 1:
            reason = f"the layer is used {len(calls)} times in the network."
        elif len(calls[0].outputs) > 1:
            reason = f"the layer has {len(calls[0].outputs)} outputs."
        else:
            reason = self._bypasses(calls[0])
        order = [c.operation.name for c in self._calls]
        at = order.index(name)
        near = [p for p in self._points if order.index(p) < at][-1:]
        near += [p for p in self._points if order.index(p) > at][:1]
        return (
            f"The network of '{self.modality}' cannot be cut behind '{name}': "
            f"{reason} The nearest layers where it can be cut: "
            f"{' and '.join(map(repr, near)) or 'none'}."
        )

    def _unknown(self, name: str) -> str:
        operations = self._graph.operations
        for outer in operations:
            if isinstance(outer, keras.Model) and any(
                inner.name == name for inner in outer._flatten_layers()
            ):
                return (
                    f"The layer '{name}' of '{self.modality}' is inside the "
                    f"nested model '{outer.name}', which is one layer here. "
                    f"Tap '{outer.name}', or build the network flat, as in "
                    "keras.Model(inner.input, head(inner.output))."
                )
        names = [operation.name for operation in operations]
        close = difflib.get_close_matches(name, names, n=5)
        points = ", ".join(self._points)
        return f"The network of '{self.modality}' has no layer '{name}'. " + (
            f"Close names: {', '.join(close)}."
            if close
            else f"It can be cut behind: {points}."
        )

    def _bypasses(self, call: Any) -> str:
        """Which tensors go around a call, from where to where."""
        before = self._before([call, *_mask_call(call)])
        around = [
            f"the output of '{parent.operation.name}' goes around it into "
            f"'{later.operation.name}'"
            for later in self._calls
            if later not in before
            for parent in self._parents[later]
            if parent in before and parent not in (call, *_mask_call(call))
        ]
        return f"several tensors cross the cut: {'; '.join(around[:3])}."


def _stage(
    start: Tensor, output: Tensor, end: Tensor | None, name: str
) -> Stage | None:
    """The part from a tensor to another; `None` as end for the output."""
    if start is output:
        return None
    taken = _mask_of(start)
    given = None if end is None else _mask_of(end)
    # A mask that passes unchanged stays outside.
    given = None if given is taken else given
    last = output if end is None else end
    stage = Stage(
        start if taken is None else [start, taken],
        last if given is None else [last, given],
        name=name,
    )
    stage.takes_mask = taken is not None
    stage.gives_mask = given is not None
    return stage


def _call_of(x: Tensor) -> Any:
    """The call that gave a tensor."""
    history = x._keras_history
    return history.operation._inbound_nodes[history.node_index]


def _mask_of(x: Tensor) -> Tensor | None:
    return getattr(x, "_keras_mask", None)


def _mask_call(call: Any) -> list[Any]:
    """The call that gave the mask of a call's output, if it has one."""
    mask = _mask_of(call.outputs[0])
    return [] if mask is None else [_call_of(mask)]


def _graph_of(network: Any, modality: str) -> Any:
    """The network as a functional model with one input and one output."""
    if not isinstance(network, keras.Model):
        raise ValueError(
            f"The network of '{modality}' must be a Keras model. Received: "
            f"{type(network).__name__}"
        )
    if isinstance(network, keras.Sequential):
        if not network.built or not network.inputs:
            raise ValueError(
                f"The Sequential network of '{modality}' has no shapes yet. "
                "Begin it with `keras.Input(shape)`."
            )
    elif not isinstance(network, keras.Function):
        raise ValueError(
            f"The network of '{modality}' is the subclassed model "
            f"{type(network).__name__}: Python code calls its layers, so "
            "there is no graph to cut. Build it from `keras.Input` as a "
            "functional model."
        )
    for kind in ("inputs", "outputs"):
        if len(getattr(network, kind)) != 1:
            raise ValueError(
                f"The network of '{modality}' must have one of its {kind}. "
                f"Received: {len(getattr(network, kind))}. Choose with "
                "`keras.Model(network.inputs[0], network.outputs[0])`."
            )
    graph = keras.Model(network.inputs[0], network.outputs[0])
    own_call = type(network).call is not type(graph).call
    if own_call and not isinstance(network, keras.Sequential):
        raise ValueError(
            f"The network of '{modality}' is of class "
            f"{type(network).__name__}, whose own `call` does more than run "
            "its layers; the parts would leave that out. Pass "
            "`keras.Model(network.input, network.output)` if they may."
        )
    if any(
        getattr(layer, "data_format", None) == "channels_first"
        for layer in graph._flatten_layers(include_self=False)
    ):
        raise ValueError(
            f"The network of '{modality}' has its channels first; fusion "
            "works on the last axis. Build it with "
            "`keras.config.set_image_data_format('channels_last')`."
        )
    return graph
