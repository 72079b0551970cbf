"""Sequences at different rates onto one time grid."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from keras_mmfusion.layers.modality_dict import (
    as_list,
    like_inputs,
    modality_order,
    modality_shapes,
)
from keras_mmfusion.ops.masking import mask_steps
from keras_mmfusion.registry import register
from keras_mmfusion.types import Modalities, Tensor


@register()
class ResampleTime(keras.layers.Layer):
    """Stretches the valid steps of every modality over a common time grid.

    With n valid steps of a sample and N steps of its grid, step t < N is the
    linear interpolation at position t (n - 1) / (N - 1): first and last valid
    steps stay first and last. All modalities of a sample are taken to begin
    and end together.

    Args:
        steps: N for all samples. Give this or `reference`.
        reference: Name (dict) or position (list) of the modality whose valid
            steps are the grid of the others. If it is missing in a sample,
            the others keep their steps, squeezed into its length if longer.
        modalities: Names of the modalities when the inputs are a dict.

    Call arguments:
        inputs: Dict or list of two or more float tensors (B, T_m, C_m).
        mask: Optional dict or list of boolean tensors (B, T_m), true up to
            the length of a sample.
        return_mask: Also return the masks on the new grid.

    Returns:
        The structure of `inputs` with tensors (B, N, C_m), zero beyond the
        end of a sample and where a modality is missing; N is the reference's
        number of steps if it is given. With `return_mask`, a pair of it and
        the same structure of boolean masks (B, N).

    Raises:
        ValueError: If not exactly one of `steps` and `reference` is given, or
            the reference is not a modality.

    Example:

    ```python
    import numpy as np
    import keras_mmfusion as mmf

    layer = mmf.layers.ResampleTime(reference="video")
    y = layer({
        "audio": np.ones((2, 100, 40), "float32"),
        "video": np.ones((2, 25, 64), "float32"),
    })
    print(y["audio"].shape)  # (2, 25, 40)
    ```
    """

    def __init__(
        self,
        steps: int | None = None,
        reference: str | int | None = None,
        modalities: Sequence[str] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if (steps is None) == (reference is None):
            raise ValueError(
                "Give either `steps` or `reference`. Received: "
                f"steps={steps}, reference={reference!r}"
            )
        if steps is not None and steps < 1:
            raise ValueError(f"`steps` must be at least 1. Received: {steps}")
        self.steps = steps
        self.reference: Any = reference
        self.modalities = None if modalities is None else list(modalities)
        self.supports_masking = True

    def build(self, input_shape: Any) -> None:
        self.order = modality_order(input_shape, self.modalities, self.name)
        for m, shape in zip(
            self.order, modality_shapes(input_shape, self.order), strict=True
        ):
            if len(shape) != 3:
                raise ValueError(
                    "Only sequences (batch, steps, channels) have a time grid. "
                    f"Received: {m!r} of shape {shape}"
                )
        if self.reference is not None and self.reference not in self.order:
            raise ValueError(
                f"`reference` must be one of {self.order}. "
                f"Received: reference={self.reference!r}"
            )
        self.built = True

    def call(
        self,
        inputs: Modalities,
        mask: Any = None,
        return_mask: bool = False,
    ) -> Any:
        xs, masks = as_list(inputs, self.order), as_list(mask, self.order)
        lengths = [_length(x, m) for x, m in zip(xs, masks, strict=True)]
        if self.reference is None:
            size = self.steps
            grids = [ops.where(n > 0, self.steps, 0) for n in lengths]
        else:
            i = self.order.index(self.reference)
            size = ops.shape(xs[i])[1]
            every = _length(xs[i], None)
            grids = []
            for n in lengths:
                grid = ops.where(
                    lengths[i] > 0, lengths[i], ops.minimum(n, every)
                )
                grids.append(ops.where(n > 0, grid, 0))
        outputs, new_masks = [], []
        for x, n, grid in zip(xs, lengths, grids, strict=True):
            new_masks.append(
                ops.arange(size, dtype="int32")[None, :] < grid[:, None]
            )
            outputs.append(
                mask_steps(_stretch(x, n, grid, size), new_masks[-1])
            )
        resampled = like_inputs(inputs, self.order, outputs)
        if not return_mask:
            return resampled
        return resampled, like_inputs(inputs, self.order, new_masks)

    def compute_output_spec(
        self,
        inputs: Modalities,
        mask: Any = None,
        return_mask: bool = False,
    ) -> Any:
        xs = as_list(inputs, self.order)
        shapes = like_inputs(inputs, self.order, [tuple(x.shape) for x in xs])
        shapes = as_list(self.compute_output_shape(shapes), self.order)

        def structure(cut: int, dtype: str) -> Any:
            specs = [keras.KerasTensor(s[:cut], dtype=dtype) for s in shapes]
            return like_inputs(inputs, self.order, specs)

        resampled = structure(3, self.compute_dtype)
        if not return_mask:
            return resampled
        return resampled, structure(2, "bool")

    def compute_mask(self, inputs: Modalities, mask: Any = None) -> Any:
        # Masks on the new grid are handed out by `return_mask` only.
        return None

    def compute_output_shape(self, input_shape: Any) -> Any:
        shapes = as_list(input_shape, self.order)
        size = self.steps
        if self.reference is not None:
            size = shapes[self.order.index(self.reference)][1]
        new = [(shape[0], size, shape[2]) for shape in shapes]
        return like_inputs(input_shape, self.order, new)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "steps": self.steps,
            "reference": self.reference,
            "modalities": self.modalities,
        }


def _length(x: Tensor, mask: Tensor | None) -> Tensor:
    """Number of valid steps of every sample, int32 (B,)."""
    shape = ops.shape(x)
    if mask is None:
        return ops.ones((shape[0],), dtype="int32") * shape[1]
    return ops.sum(ops.cast(mask, "int32"), axis=1)


def _stretch(x: Tensor, n: Tensor, grid: Tensor, size: Any) -> Tensor:
    """x (B, T, C) at positions t (n - 1) / (grid - 1), t < size."""
    batch, steps = ops.shape(x)[0], ops.shape(x)[1]
    last = ops.maximum(n - 1, 0)[:, None]
    t = ops.minimum(
        ops.arange(size, dtype="int32")[None, :],
        ops.maximum(grid - 1, 0)[:, None],
    )
    # Whole numbers are divided last, so that equal lengths change nothing.
    position = ops.cast(t * last, "float32") / ops.cast(
        ops.maximum(grid - 1, 1)[:, None], "float32"
    )
    before = ops.floor(position)
    weight = ops.cast((position - before)[..., None], x.dtype)
    low = ops.cast(before, "int32")
    high = ops.minimum(low + 1, last)
    # One lookup in the steps of all samples, laid end to end.
    first = (ops.arange(batch, dtype="int32") * steps)[:, None]
    flat = ops.reshape(x, (-1, x.shape[-1]))
    x_low = ops.take(flat, first + low, axis=0)
    x_high = ops.take(flat, first + high, axis=0)
    return x_low + weight * (x_high - x_low)
