"""What gated joint cross-attention must beat, rung by rung."""

from collections.abc import Callable, Mapping
from functools import partial
from inspect import signature
from typing import Any

import keras

from keras_mmfusion.encoders import Encoder
from keras_mmfusion.evaluation.training import Build
from keras_mmfusion.models import GRJCA
from keras_mmfusion.models.grjca_graph import encode, make_head
from keras_mmfusion.ops.masking import any_mask

Encoders = Callable[[int], Mapping[str, Encoder]]
Finish = Callable[[Any], Any]

RUNGS: dict[str, dict[str, Any]] = {
    "grjca": {"steps": 2, "gate": "flat"},
    "hierarchical": {"steps": 2, "gate": "hierarchical"},
    "rjca": {"steps": 2, "gate": None},
    "jca": {"steps": 1, "gate": None},
}
CONCAT = "concat"
# Of these arguments of `GRJCA` the head is made.
_HEAD = signature(make_head).parameters
_DEFAULTS = {
    k: p.default for k, p in signature(GRJCA.__init__).parameters.items()
}


def attention_ladder(
    encoders: Encoders, finish: Finish, **arguments: Any
) -> dict[str, Build]:
    """Builds of GRJCA and of all that it has to beat, for `run`.

    | name | what it is |
    | --- | --- |
    | grjca | two steps of joint cross-attention, flat gates |
    | hierarchical | the same with hierarchical gates |
    | rjca | two steps without gates |
    | jca | one step without gates |
    | concat | the sequences of the encoders side by side, no attention |
    | each modality | its encoder alone |

    All have the same encoders and the same kind of head.

    Args:
        encoders: Function of the seed that gives new encoders by modality.
        finish: Called with every model; compiles and returns it.
        **arguments: Of `GRJCA`, but for `steps` and `gate`.

    Returns:
        Name to a function of the seed.

    Raises:
        ValueError: If a modality has the name of another entry, or
            predictions per step are asked of a modality alone on the grid of
            all.

    Example:

    ```python
    from keras_mmfusion.encoders import TCNEncoder
    from keras_mmfusion.evaluation import attention_ladder

    def encoders(seed):
        widths = {"audio": 40, "video": 64}
        return {
            m: TCNEncoder(w, [8], causal=False, name=m, seed=seed)
            for m, w in widths.items()
        }

    def finish(model):
        model.compile("adam", "mse")
        return model

    builds = attention_ladder(encoders, finish, per_step=False)
    print(list(builds))
    print(builds["concat"](0).output_shape)  # (None, 1)
    ```
    """
    modalities = list(encoders(0))
    taken = [m for m in modalities if m in {*RUNGS, CONCAT}]
    if taken:
        raise ValueError(
            f"{[*RUNGS, CONCAT]} name models, so no modality may be called "
            f"so. Received: {taken}"
        )

    if arguments.get("per_step", True) and arguments.get("resample"):
        raise ValueError(
            "A modality alone keeps its own steps, so predictions on the grid "
            "of all cannot be compared. Use per_step=False, or give all "
            "modalities one rate and no `resample`. Received: "
            f"resample={arguments['resample']!r}"
        )
    common: dict[str, Any] = {
        "encoders": encoders,
        "finish": finish,
        "arguments": arguments,
    }
    return {
        **{
            k: partial(_fused, rung=rung, **common) for k, rung in RUNGS.items()
        },
        CONCAT: partial(_unfused, names=modalities, **common),
        **{m: partial(_unfused, names=[m], **common) for m in modalities},
    }


def _fused(
    seed: int,
    rung: Mapping[str, Any],
    encoders: Encoders,
    finish: Finish,
    arguments: Mapping[str, Any],
) -> Any:
    return finish(GRJCA(encoders(seed), seed=seed, **rung, **arguments))


def _unfused(
    seed: int,
    names: list[str],
    encoders: Encoders,
    finish: Finish,
    arguments: Mapping[str, Any],
) -> Any:
    """Encoders and the head of `GRJCA`, with nothing in between."""
    chosen = {m: e for m, e in encoders(seed).items() if m in names}
    inputs = {m: keras.Input(e.sample_shape, name=m) for m, e in chosen.items()}
    features, masks = encode(chosen, inputs, arguments.get("resample"))
    joined = features[names[0]]
    if len(names) > 1:
        layer = keras.layers.Concatenate(name="joined")
        joined = layer([features[m] for m in names])
    head = make_head(**{k: arguments.get(k, _DEFAULTS[k]) for k in _HEAD})
    outputs = head(joined, mask=any_mask([masks[m] for m in names]))
    return finish(keras.Model(inputs, outputs))
