"""Prediction step by step, with carried state."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
from keras import ops

from keras_mmfusion.data.checks import check_inputs
from keras_mmfusion.models.arguments import whole_number
from keras_mmfusion.ops.masking import any_mask
from keras_mmfusion.types import Tensor

if TYPE_CHECKING:
    from keras_mmfusion.models.grjca import GRJCA


class GRJCAStream:
    """A running prediction of a causal `GRJCA`; made by `GRJCA.stream`.

    Zeros count as missing until a modality has had its first value that is
    not zero; later zeros are data. So a stream that begins with data, or
    never has any, gives the same numbers as the whole sequence. Where
    sequences of several lengths run side by side, zeros behind a shorter one
    are data here, while `predict` knows them as padding: the outputs of its
    own steps are right, those behind them are of no use.

    Args:
        model: A causal model.
        batch_size: Number of sequences that run side by side.

    Raises:
        ValueError: If a part of the model looks ahead, or `batch_size` is no
            whole number of at least 1.

    Example:

    ```python
    import numpy as np
    import keras_mmfusion as mmf

    shapes = {"audio": (None, 3), "video": (None, 4)}
    model = mmf.models.GRJCA.from_shapes(shapes, channels=[8], causal=True)
    x = {"audio": np.ones((1, 6, 3)), "video": np.ones((1, 6, 4))}
    stream = model.stream()
    parts = [
        stream.step({m: values[:, t : t + 2] for m, values in x.items()})
        for t in (0, 2, 4)
    ]
    whole = model.predict(x, verbose=0)
    np.testing.assert_allclose(np.concatenate(parts, 1), whole, atol=1e-5)
    ```
    """

    def __init__(self, model: "GRJCA", batch_size: int = 1) -> None:
        _refuse_lookahead(model)
        self.model = model
        self.batch_size = whole_number("batch_size", batch_size, least=1)
        self._advance = _Advance(model, name="advance")
        self.reset()

    def reset(self) -> None:
        """Forgets everything, as before the first step."""
        self._state = keras.tree.map_structure(
            ops.convert_to_numpy, self._advance.initial_state(self.batch_size)
        )

    def step(self, x: Mapping[str, Any]) -> np.ndarray:
        """Predicts from the next step, or the next few.

        Args:
            x: Modality to array (batch_size, ...) of one step, or
                (batch_size, t, ...) of t steps.

        Returns:
            Array (batch_size, outputs) for one step; (batch_size, t, outputs)
            for t steps, or (batch_size, outputs) if the model predicts once
            per sample: then from all steps so far.

        Raises:
            ValueError: If a modality is missing or has another shape.
        """
        model = self.model
        if not hasattr(x, "items"):
            check_inputs(x, model.sample_shapes)  # Raises.
        one = all(
            len(np.shape(x[m])) == len(model.sample_shapes[m])
            for m in model.modalities
            if m in x
        )
        values = {
            m: np.asarray(v, "float32")[:, None] if one else v
            for m, v in x.items()
        }
        check_inputs(
            values,
            {m: (None, *s[1:]) for m, s in model.sample_shapes.items()},
        )
        size = len(values[model.modalities[0]])
        if size != self.batch_size:
            raise ValueError(
                f"This stream runs {self.batch_size} sequences side by side. "
                f"Received: {size}. Make it with `stream(batch_size={size})`."
            )
        result = self._advance.predict_on_batch(
            {"x": values, "state": self._state}
        )
        self._state = result["state"]
        outputs = np.asarray(result["outputs"])
        return outputs[:, 0] if one and model.per_step else outputs


class _Advance(keras.Model):
    """One compiled function: steps and state to outputs and state."""

    def __init__(self, model: "GRJCA", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.model = model

    def initial_state(self, batch_size: int) -> dict[str, Any]:
        model = self.model
        encoders = {
            m: encoder.initial_state(batch_size)
            for m, encoder in model.encoders.items()
        }
        fusion = model.fusion.initial_state(batch_size)
        width = sum(model.fusion.attention[0].widths)
        return {
            "seen": {m: ops.zeros((batch_size, 1)) for m in encoders},
            "encoders": encoders,
            "fusion": fusion,
            "head": model.head.initial_state(batch_size, width),
        }

    def call(self, inputs: dict[str, Any]) -> dict[str, Any]:
        model, state = self.model, inputs["state"]
        after: dict[str, Any] = {"seen": {}, "encoders": {}}
        features, masks = {}, {}
        for m, encoder in model.encoders.items():
            x = inputs["x"][m]
            masks[m], after["seen"][m] = _begun(x, state["seen"][m])
            features[m], after["encoders"][m] = encoder.stream(
                x, state["encoders"][m], masks[m]
            )
        fused, after["fusion"] = model.fusion.stream(
            features, state["fusion"], masks
        )
        joined = ops.concatenate([fused[m] for m in masks], axis=-1)
        outputs, after["head"] = model.head.stream(
            joined, state["head"], any_mask(list(masks.values()))
        )
        return {"outputs": outputs, "state": after}


def _begun(x: Tensor, before: Tensor) -> tuple[Tensor, Tensor]:
    """Whether there was data up to each step (B, t), and up to the last."""
    axes = tuple(range(2, len(x.shape)))
    nonzero = ops.cast(ops.any(ops.not_equal(x, 0), axis=axes), "float32")
    begun = ops.cumsum(nonzero, axis=1) + before > 0
    return begun, ops.cast(begun[:, -1:], "float32")


def _refuse_lookahead(model: "GRJCA") -> None:
    """Raises if an output of the model depends on later steps."""
    problems = []
    if model.fusion.temporal_mixing == "dense":
        problems.append(
            'temporal_mixing="dense" mixes every step with all later ones'
        )
    elif not model.fusion.causal:
        problems.append(
            "the fusion correlates over the whole sequence (causal=False)"
        )
    if model.resample is not None:
        problems.append("`resample` stretches the whole sequence")
    for m, encoder in model.encoders.items():
        if not hasattr(encoder, "stream"):
            problems.append(
                f"{type(encoder).__name__} of '{m}' has no streaming form"
            )
        elif not encoder.causal:
            problems.append(f"the encoder of '{m}' is not causal")
    if problems:
        raise ValueError(
            f"This model cannot run step by step: {'; '.join(problems)}. Train "
            'one with causal=True and temporal_mixing "conv" or "none".'
        )
