"""Split attention over the channel blocks of several modalities (MSAF).

Symbols, as in the paper (arXiv 2012.07175, sec. 3):
    C  channels of a block (`block_channels`)
    N  blocks of all modalities together; modality m has ceil(C_m / C) of them
    r  reduction factor; the joint representation has C // r channels
    S  time segments, each with its own weights (`segments`)
    λ  floor of the attention (`attention_floor`)
"""

import math
from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from keras_mmfusion.layers.batch_normalization import BatchNormalization
from keras_mmfusion.layers.block_dropout import BlockDropout
from keras_mmfusion.layers.dense import EinsumDense
from keras_mmfusion.layers.modality_dict import (
    as_list,
    like_inputs,
    modality_order,
    modality_shapes,
)
from keras_mmfusion.ops.masking import segment_membership
from keras_mmfusion.ops.positions import computed_once, mean_position
from keras_mmfusion.rates import dropout_rate
from keras_mmfusion.registry import register
from keras_mmfusion.seeds import part_seed
from keras_mmfusion.types import Modalities, Shape, Tensor


@register()
class SplitAttentionFusion(keras.layers.Layer):
    """Weighs the channel blocks of every modality by what all of them hold.

    Each modality x_m is cut into channel blocks x_mi of C channels. With d_mi
    the mean of x_mi over time and space,

        g = Σ_m Σ_i d_mi                          joint descriptor
        z = ReLU(BatchNorm(W_z g + b_z))          C // r channels
        a_k = softmax over blocks k of (W_k z + b_k), per channel
        y_mi = x_mi (λ + (1 - λ) a_mi)

    With `segments` S > 1 the time axis is cut into S parts, each with its own
    weights: step t of a sample of n valid steps belongs to segment
    min(t // max(n // S, 1), S - 1).

    Args:
        block_channels: C, channels per block. A modality whose channels C does
            not divide gets a last block filled up with zeros.
        reduction_factor: r.
        attention_floor: λ in [0, 1]; 1 leaves the inputs as they are.
        segments: S. Segment s of all modalities is fused by weights s; a
            vector takes part in every segment and gets its mean attention.
        block_dropout: Probability that a block is dropped in training.
        official_dropout: Multiply by the dropout mask before and after the
            attention, as the official code does; the default scales once.
        modalities: Order of the blocks when the inputs are a dict; sorted by
            name if `None`. The order of the dict itself never matters.
        seed: Integer seed of the first weights and of the block dropout, or
            `None`.

    Call arguments:
        inputs: Dict or list of two or more float tensors (B, ..., C_m) of any
            rank from 2 up; axis 1 of a tensor of rank 3 or more is time.
        mask: Optional dict or list of boolean tensors: (B, T), true up to the
            length of the sample, or (B,) for a vector. Padded steps are left
            out of the mean and become zero. A modality without a valid step
            gets no attention, so the others share it.
        training: Whether to drop blocks and use batch statistics.
        return_attention: Also return the attention.

    Returns:
        The structure of `inputs`, each tensor with its own shape. With
        `return_attention`, a pair of it and the attention λ + (1 - λ) a as a
        float32 tensor of shape (B, S, N, C), blocks in modality order.

    Raises:
        ValueError: If an argument is out of range, there are fewer than two
            modalities, names differ from `modalities`, a block has more
            channels than all modalities together, or `segments` > 1 and no
            modality has a time axis.

    Example:

    ```python
    import numpy as np
    import keras_mmfusion as mmf

    fusion = mmf.layers.SplitAttentionFusion(block_channels=16)
    fused = fusion({
        "audio": np.ones((2, 50, 32), "float32"),
        "video": np.ones((2, 4, 7, 7, 64), "float32"),
    })
    print(fused["video"].shape)  # (2, 4, 7, 7, 64)
    ```

    Reference:
        Su et al., MSAF: Multimodal Split Attention Fusion, arXiv 2012.07175.
        Where we differ from the official code: channels that C does not
        divide work; padding is masked; the dropout mask is applied once
        unless `official_dropout`; all blocks are computed together.
    """

    def __init__(
        self,
        block_channels: int,
        reduction_factor: int = 4,
        attention_floor: float = 0.0,
        segments: int = 1,
        block_dropout: float = 0.0,
        official_dropout: bool = False,
        modalities: Sequence[str] | None = None,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        _check_arguments(
            block_channels, reduction_factor, attention_floor, segments
        )
        self.block_channels = block_channels
        self.reduction_factor = reduction_factor
        self.attention_floor = attention_floor
        self.segments = segments
        self.block_dropout = dropout_rate("block_dropout", block_dropout)
        self.official_dropout = official_dropout
        self.modalities = None if modalities is None else list(modalities)
        self.seed = seed
        self.supports_masking = True
        self.dropout = BlockDropout(
            block_dropout, seed, name="block_dropout", dtype=self.dtype_policy
        )

    def build(self, input_shape: Any) -> None:
        self.order = modality_order(input_shape, self.modalities, self.name)
        shapes = modality_shapes(input_shape, self.order)
        self._check_shapes(shapes)
        self.channels = [shape[-1] or 0 for shape in shapes]
        self.blocks = [
            math.ceil(c / self.block_channels) for c in self.channels
        ]
        S, C, N = self.segments, self.block_channels, sum(self.blocks)
        reduced = C // self.reduction_factor
        # The published code keeps PyTorch's initial range, 1 / sqrt(fan in).
        self.joint = EinsumDense(
            "bsc,scr->bsr",
            (S, reduced),
            bias_axes="sr",
            dtype=self.dtype_policy,
            name="joint",
            **_uniform(C, part_seed(self.seed, "joint")),
        )
        self.joint_norm = BatchNormalization(
            dtype=self.dtype_policy, name="joint_norm"
        )
        self.attention = EinsumDense(
            "bsr,srnc->bsnc",
            (S, N, C),
            bias_axes="snc",
            dtype=self.dtype_policy,
            name="attention",
            **_uniform(reduced, part_seed(self.seed, "attention")),
        )
        self.joint.build((None, S, C))
        self.joint_norm.build((None, S * reduced))
        self.attention.build((None, S, reduced))
        self.built = True

    def call(
        self,
        inputs: Modalities,
        mask: Any = None,
        training: bool | None = None,
        return_attention: bool = False,
    ) -> Any:
        xs = as_list(inputs, self.order)
        steps = self._membership(xs, as_list(mask, self.order))
        drop = self._drop_mask(xs[0], training)

        blocks = ops.concatenate(
            [
                computed_once(self._split(_descriptor(x, s), n))
                for x, s, n in zip(xs, steps, self.blocks, strict=True)
            ],
            axis=2,
        )
        if drop is not None:
            blocks = blocks * drop
        joint = self._joint(ops.sum(blocks, axis=2), training)
        attention = self._attend(joint, steps)

        weight = ops.cast(attention, xs[0].dtype)
        if drop is not None:
            weight = weight * (drop**2 if self.official_dropout else drop)
        outputs, first = [], 0
        for x, s, n in zip(xs, steps, self.blocks, strict=True):
            outputs.append(_highlight(x, weight[:, :, first : first + n], s))
            first += n
        fused = like_inputs(inputs, self.order, outputs)
        return (fused, attention) if return_attention else fused

    def _membership(
        self, xs: list[Tensor], masks: list[Tensor | None]
    ) -> list[Tensor | None]:
        """Which steps are in which segment, (B, T, S); None: all in the one."""
        if self.segments == 1 and all(mask is None for mask in masks):
            return [None] * len(xs)
        steps = []
        for x, mask in zip(xs, masks, strict=True):
            if mask is None:
                length = ops.shape(x)[: 1 if len(x.shape) == 2 else 2]
                mask = ops.ones(length, dtype="bool")
            mask = ops.cast(mask, "bool")
            if len(x.shape) == 2:
                every = ops.ones((1, 1, self.segments), dtype="bool")
                steps.append(ops.logical_and(mask[:, None, None], every))
            else:
                steps.append(segment_membership(mask, self.segments))
        return steps

    def _drop_mask(self, x: Tensor, training: bool | None) -> Tensor | None:
        """Block dropout mask (B, S, N, 1)."""
        if not training or not self.block_dropout:
            return None
        S, N = self.segments, sum(self.blocks)
        ones = ops.ones((ops.shape(x)[0], S * N, 1), dtype=x.dtype)
        return ops.reshape(self.dropout(ones, training=True), (-1, S, N, 1))

    def _split(self, descriptor: Tensor, blocks: int) -> Tensor:
        """(B, S, C_m) to blocks (B, S, n, C), the last filled with zeros."""
        missing = blocks * self.block_channels - descriptor.shape[-1]
        if missing:
            descriptor = ops.pad(descriptor, [[0, 0], [0, 0], [0, missing]])
        shape = (-1, self.segments, blocks, self.block_channels)
        return ops.reshape(descriptor, shape)

    def _joint(self, descriptor: Tensor, training: bool | None) -> Tensor:
        """z: the joint descriptor g (B, S, C) reduced to (B, S, C // r)."""
        z = self.joint(descriptor)
        S, reduced = self.segments, z.shape[-1]
        z = ops.reshape(z, (-1, S * reduced))
        z = self.joint_norm(z, training=training)
        return ops.relu(ops.reshape(z, (-1, S, reduced)))

    def _attend(self, joint: Tensor, steps: list[Tensor | None]) -> Tensor:
        """λ + (1 - λ) a, float32 (B, S, N, C); softmax over the blocks."""
        logits = ops.cast(self.attention(joint), "float32")
        present = [
            ops.tile(ops.any(s, axis=1)[..., None], (1, 1, n))
            for s, n in zip(steps, self.blocks, strict=True)
            if s is not None
        ]
        if present:
            absent = ops.logical_not(ops.concatenate(present, axis=-1))
            # Finite, so that a sample without any data still gets numbers.
            logits = logits - 1e9 * ops.cast(absent, "float32")[..., None]
        a = ops.softmax(logits, axis=2)
        floor = self.attention_floor
        return floor + (1 - floor) * a

    def compute_mask(self, inputs: Modalities, mask: Any = None) -> Any:
        return mask

    def compute_output_spec(
        self,
        inputs: Modalities,
        mask: Any = None,
        training: bool | None = None,
        return_attention: bool = False,
    ) -> Any:
        fused = like_inputs(
            inputs,
            self.order,
            [
                keras.KerasTensor(x.shape, dtype=self.compute_dtype)
                for x in as_list(inputs, self.order)
            ],
        )
        if not return_attention:
            return fused
        batch = as_list(inputs, self.order)[0].shape[0]
        shape = (batch, self.segments, sum(self.blocks), self.block_channels)
        return fused, keras.KerasTensor(shape, dtype="float32")

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "block_channels": self.block_channels,
            "reduction_factor": self.reduction_factor,
            "attention_floor": self.attention_floor,
            "segments": self.segments,
            "block_dropout": self.block_dropout,
            "official_dropout": self.official_dropout,
            "modalities": self.modalities,
            "seed": self.seed,
        }

    def _check_shapes(self, shapes: list[Shape]) -> None:
        if sum(int(shape[-1] or 0) for shape in shapes) < self.block_channels:
            raise ValueError(
                "A block cannot have more channels than all modalities "
                f"together. Received: block_channels={self.block_channels}, "
                f"shapes {dict(zip(self.order, shapes, strict=True))}. Choose "
                "a smaller `block_channels`."
            )
        if self.segments > 1 and all(len(shape) == 2 for shape in shapes):
            raise ValueError(
                "Time segments need a modality with a time axis, (B, T, ..., "
                f"C). Received: segments={self.segments}, shapes "
                f"{dict(zip(self.order, shapes, strict=True))}."
            )


def _descriptor(x: Tensor, steps: Tensor | None) -> Tensor:
    """d: mean over the steps of each segment and over space, (B, S, C_m)."""
    if steps is None:
        return mean_position(x[:, None])
    x = x[:, None] if len(x.shape) == 2 else mean_position(x)
    # Half precision has neither large sums nor exact large counts.
    weight = ops.cast(steps, "float32")
    count = ops.maximum(ops.sum(weight, axis=1, keepdims=True), 1)
    share = ops.cast(weight / count, x.dtype)
    return ops.transpose(share, (0, 2, 1)) @ x


def _highlight(x: Tensor, weight: Tensor, steps: Tensor | None) -> Tensor:
    """y: x times the weight (B, S, n, C) of its segment and block."""
    _, S, n, C = weight.shape
    weight = computed_once(weight)
    weight = ops.reshape(weight, (-1, S, n * C))[..., : x.shape[-1]]
    if len(x.shape) == 2:
        if steps is not None:
            weight = weight * ops.cast(steps[:, 0, :, None], x.dtype)
        return x * ops.mean(weight, axis=1)
    if steps is not None:
        weight = ops.cast(steps, x.dtype) @ weight
    # One weight per sample, step and channel, the same everywhere in space.
    space = [None] * (len(x.shape) - 3)
    return x * weight[(..., *space, slice(None))]


def _uniform(fan_in: int, seed: int | None) -> dict[str, Any]:
    """Kernel and bias uniform in ±1 / sqrt(fan in)."""
    limit = 1 / math.sqrt(fan_in)

    def draw(part: str) -> keras.initializers.Initializer:
        return keras.initializers.RandomUniform(
            -limit, limit, part_seed(seed, part)
        )

    return {
        "kernel_initializer": draw("kernel"),
        "bias_initializer": draw("bias"),
    }


def _check_arguments(
    block_channels: int, reduction_factor: int, floor: float, segments: int
) -> None:
    for name, value in (
        ("block_channels", block_channels),
        ("reduction_factor", reduction_factor),
        ("segments", segments),
    ):
        if not isinstance(value, int) or value < 1:
            raise ValueError(
                f"`{name}` must be an integer of at least 1. "
                f"Received: {name}={value!r}"
            )
    if reduction_factor > block_channels:
        raise ValueError(
            "The joint representation has block_channels // reduction_factor "
            "channels and needs at least one. Received: "
            f"block_channels={block_channels}, "
            f"reduction_factor={reduction_factor}"
        )
    if not 0 <= floor <= 1:
        raise ValueError(
            "`attention_floor` is the least weight of a block and must lie in "
            f"[0, 1]. Received: attention_floor={floor}"
        )
